"""README and the pages of docs: what they lead to is there."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tracking.stores import make_bundles

from tapezoo.runtime import Stream

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)\)|src=\"([^\"]+)\"")
FILE = re.compile(r"\b((?:recipes|benchmarks|docs|plugins)/[\w./-]+\.(?:yaml|py|md|png))")
OTHERS = re.compile(r"^(https?|mailto):")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_leads_only_to_what_is_there(page):
    text = page.read_text(encoding="utf-8")
    links = {path or source for path, source in LINK.findall(text)}
    missing = [link for link in links if not OTHERS.match(link) and not (page.parent / link).exists()]
    if page.name not in ("CHANGELOG.md", "PLUGINS.md"):  # which speak of what was, and of a plugin's folder
        missing += [name for name in set(FILE.findall(text)) if not (ROOT / name).exists()]
    assert not missing


def test_the_front_page_stays_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.fixture
def lines(tmp_path, tmp_path_factory, monkeypatch):
    """Of Python on the front page, in a folder with a bundle at 44.1 kHz."""
    [found] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("bundle").symlink_to(make_bundles(tmp_path_factory)["plain"])
    return compile(found, "README.md", "exec")


def test_the_lines_of_python_on_the_front_page_play_all_channels_of_a_file_and_do_not_clip(lines):
    dry = 9 * np.random.default_rng(0).standard_normal((1000, 2)).astype(np.float32)
    soundfile.write("in.wav", dry, 44100, subtype="FLOAT")
    exec(lines, {})
    played, rate = soundfile.read("out.wav", dtype="float32")
    assert rate == 44100
    assert np.abs(played).max() > 1
    np.testing.assert_allclose(played, Stream("bundle").process(dry.T).T, atol=1e-4)


def test_the_lines_of_python_on_the_front_page_refuse_another_sample_rate(lines):
    soundfile.write("in.wav", np.zeros(1000), 48000)
    with pytest.raises(ValueError, match="48000 Hz, the model 44100"):
        exec(lines, {})
    assert not Path("out.wav").exists()
