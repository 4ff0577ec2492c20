"""PLUGINS.md is right: its steps work as written, and its list of names holds."""

import ast
import importlib
import re
import shlex
import subprocess
import tomllib

import pytest
from environment import ROOT, Environment

PAGE = (ROOT / "PLUGINS.md").read_text(encoding="utf-8")
STEPS, RELIABLE = PAGE.split("# What a plugin may rely on")
BLOCK = re.compile(r"(?:In `(?P<path>[^`\n]+)`:\n\n)?```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)
NAMES = re.findall(r"`(tapezoo\.[\w.]+)`", "".join(re.findall(r"^\| `.*?\|", RELIABLE, re.MULTILINE)))
RECIPES = sorted((ROOT / "plugins").glob("*/recipes/*.yaml"))
SOURCES = sorted((ROOT / "plugins").rglob("*.py"))


def as_one_script(steps: str) -> str:
    """The page's shell blocks in their order, each file written where the page shows it."""
    lines = ["set -eux"]
    for block in BLOCK.finditer(steps):
        if block["path"]:
            lines.append(f"printf %s {shlex.quote(block['text'])} > {shlex.quote(block['path'])}")
        else:
            assert block["language"] == "sh", f"a block that is neither shell nor a file:\n{block['text']}"
            lines.append(block["text"])
    return "\n".join(lines)


@pytest.mark.slow  # it installs, checks, trains, exports and verifies
def test_the_page_followed_to_the_letter_ends_in_a_verified_bundle(tmp_path):
    environment = Environment(tmp_path / "environment")
    work = tmp_path / "work"
    work.mkdir()
    (work / "tapezoo").symlink_to(ROOT)
    done = subprocess.run(
        ["bash", "-c", as_one_script(STEPS)],
        cwd=work,
        env=environment.variables(),
        capture_output=True,
        text=True,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert re.search(r"^Fold +tapezoo-fold +0\.1\.0$", done.stdout, re.MULTILINE), said
    assert "21 passed" not in said  # the template's own tests were replaced by the page's
    assert "19 passed" in done.stdout, said
    assert "checked 1; nothing broken" in done.stdout, said
    assert "Fold at 44100 Hz, every hash is right" in done.stdout, said
    assert not (ROOT / "plugins" / "template" / "build").exists()


def test_the_renamed_copy_registers_the_new_name(tmp_path):
    (tmp_path / "tapezoo").symlink_to(ROOT)
    [first, *_] = BLOCK.finditer(STEPS)
    subprocess.run(["bash", "-c", f"set -eu\n{first['text']}"], cwd=tmp_path, check=True)
    project = tomllib.loads((tmp_path / "tapezoo-fold" / "pyproject.toml").read_text())
    assert project["project"]["name"] == "tapezoo-fold"
    assert project["project"]["entry-points"]["tapezoo.models"] == {"Fold": "tapezoo_fold:Fold"}
    assert project["tool"]["setuptools"]["py-modules"] == ["tapezoo_fold"]
    for text in (tmp_path / "tapezoo-fold").rglob("*.[mty]*"):
        if text.suffix in {".md", ".toml", ".yaml"}:
            assert "aturator" not in text.read_text(), text


def test_the_page_has_every_step():
    script = as_one_script(STEPS)
    for step in (
        "cp -r",
        "pip install",
        "pytest",
        "check",
        "tapezoo fit",
        "tapezoo export",
        "tapezoo verify",
    ):
        assert step in script
    assert len(NAMES) == len(set(NAMES)) > 8


@pytest.mark.parametrize("name", [name for name in NAMES if name != "tapezoo.models"])
def test_a_name_on_the_list_can_be_imported(name):
    module, _, attribute = name.rpartition(".")
    if attribute.islower() and importlib.util.find_spec(name):  # a module of its own
        importlib.import_module(name)
    assert getattr(importlib.import_module(module), attribute).__doc__


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.relative_to(ROOT / "plugins").as_posix())
def test_our_plugins_use_nothing_else(source):
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tapezoo":
            used = {f"{node.module}.{alias.name}" for alias in node.names}
            assert used <= set(NAMES), f"{source} imports {used - set(NAMES)}"
        if isinstance(node, ast.Import):
            assert not [alias.name for alias in node.names if alias.name.split(".")[0] == "tapezoo"]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_nor_do_their_recipes(recipe):
    ours = {f"tapezoo.models.{name}" for name in ("LRU", "Saturator")}
    used = set(re.findall(r"class_path: (tapezoo\.[\w.]+)", recipe.read_text(encoding="utf-8")))
    assert len(used) > 1
    assert used - ours <= set(NAMES)
