"""README and the pages of docs: what they lead to is there."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tracking.stores import make_bundles

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


def test_the_lines_of_python_on_the_front_page_play_a_file(tmp_path, tmp_path_factory, monkeypatch):
    [lines] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("bundle").symlink_to(make_bundles(tmp_path_factory)["plain"])
    soundfile.write("in.wav", 0.1 * np.random.default_rng(0).standard_normal(1000), 44100)
    exec(compile(lines, "README.md", "exec"), {})
    assert soundfile.info("out.wav").frames == 1000
