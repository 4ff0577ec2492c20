"""The site of docs: its pages are all in the navigation, and it builds without a warning."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "docs" / "site" / "mkdocs.yml"


@pytest.fixture
def hooks(monkeypatch):
    monkeypatch.syspath_prepend(str(CONFIG.parent))  # as mkdocs does
    spec = importlib.util.spec_from_file_location("hooks_of_site", CONFIG.parent / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def leaves(nav):
    for entry in nav:
        [value] = entry.values()
        yield from [value] if isinstance(value, str) else leaves(value)


def test_every_page_is_in_the_navigation_once(hooks):
    written = {path.name for path in (ROOT / "docs").glob("*.md")}
    made = {*hooks.COPIED.values(), *hooks.REFERENCE, "recipes.md", "commands.md"}
    shown = list(leaves(yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["nav"]))
    assert sorted(shown) == sorted(written | made)


def test_every_recipe_is_on_the_page_of_recipes(hooks):
    page = hooks.recipes_page()
    for recipe in (ROOT / "recipes").rglob("*.yaml"):
        text = recipe.read_text(encoding="utf-8").strip()
        header, body = hooks.recipe_parts(text)
        assert f"{header}\n\n```yaml\n{body}\n```" in page, recipe
        assert text.endswith(body), recipe
        assert header.count("\n- *reached:* ") == 1, recipe


def test_links_of_the_repository_lead_to_pages_of_the_site(hooks):
    moved = hooks.moved
    assert moved('[a](docs/stn.md#x) <img src="docs/pictures/p.png">', "README.md") == (
        '[a](stn.md#x) <img src="pictures/p.png">'
    )
    assert moved("[p](../PLUGINS.md) [r](../recipes/stn/cube.yaml)", "docs/grids.md") == (
        "[p](plugins.md) [r](recipes.md#stn-cube)"
    )
    with pytest.raises(ValueError, match="LICENSE"):
        moved("[l](LICENSE)", "README.md")


def test_every_verb_is_on_the_page_of_commands(hooks):
    page = hooks.commands_page()
    for verb in ("fit", "grid build", "recipes copy", "doctor"):
        assert f"## tapezoo {verb}\n" in page, verb
    assert "usage: tapezoo export [-h] --out OUT" in page


@pytest.mark.slow  # it reads the whole package
def test_the_site_builds_strictly(tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    line = ["mkdocs", "build", "--strict", "--config-file", str(CONFIG), "--site-dir", str(tmp_path / "site")]
    done = subprocess.run([sys.executable, "-P", "-m", *line], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name, words in {
        "index.html": "Your own recordings",
        "api/runtime.html": "latency_samples",
        "commands.html": "--max-error",
        "recipes.html": "LSTM-32",
    }.items():
        assert words in (tmp_path / "site" / name).read_text(encoding="utf-8"), name
    pages = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.html"))
    assert "fonts.googleapis" not in pages  # no page asks another host for anything
