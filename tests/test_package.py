"""What is built of the repository: a source distribution that is complete, and a wheel that works without it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import numpy as np
import pytest
import soundfile
from plugins.environment import Environment

from tapezoo import __version__

ROOT = Path(__file__).parents[1]
RECIPES = {path.relative_to(ROOT).as_posix() for path in (ROOT / "recipes").rglob("*.yaml")}
BUILD = "import sys; from setuptools import build_meta as m; print(getattr(m, f'build_{sys.argv[1]}')(sys.argv[2]))"
BY_SETUPTOOLS = ("PKG-INFO", "setup.cfg", "tapezoo.egg-info/")

pytestmark = pytest.mark.slow  # it builds, and installs what it built


@dataclass(frozen=True)
class Built:
    """Both distributions, and the files they were built of."""

    sdist: Path
    wheel: Path
    files: frozenset[str]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built of a copy of what git knows: a checkout has other things lying about."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("no git checkout: nobody can say which files belong to it")
    files = frozenset(name for name in listed.stdout.split("\0") if name and (ROOT / name).exists())
    copy, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in files:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    made = {}
    for kind in ("sdist", "wheel"):
        command = [sys.executable, "-c", BUILD, kind, str(out)]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        made[kind] = out / done.stdout.splitlines()[-1]
    return Built(made["sdist"], made["wheel"], files)


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A fresh environment with the wheel; everything that it depends on is the running one's."""
    environment = Environment(tmp_path_factory.mktemp("environment") / "venv")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONPATH", raising=False)  # or a checkout would come first
        done = environment.call("pip", "install", "--quiet", "--no-deps", built.wheel, cwd=environment.folder)
    assert done.returncode == 0, done.stderr
    return environment


@pytest.fixture
def _without_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_source_distribution_holds_every_file_of_the_repository_and_no_other(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert {name for name in names if not name.startswith(BY_SETUPTOOLS)} == built.files


def test_the_wheel_holds_the_package_and_the_recipes_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = {name for name in built.files if name.startswith("tapezoo/")}
    assert names == package | {f"tapezoo/{recipe}" for recipe in RECIPES}


def test_the_version_is_said_once_and_a_release_is_tagged_with_it(built: Built) -> None:
    assert built.wheel.name.startswith(f"tapezoo-{__version__}-py3-none-any")
    assert built.sdist.name == f"tapezoo-{__version__}.tar.gz"
    command = ["git", "tag", "--points-at", "HEAD", "v*"]
    tags = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not tags or f"v{__version__}" in tags


def test_an_index_can_show_what_the_package_is(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(name))
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert str(metadata.get_payload()).strip()
    assert metadata["License-Expression"] == "MIT"


@pytest.mark.usefixtures("_without_checkout")
def test_an_installed_wheel_lists_its_recipes_and_trains_with_them(
    installed: Environment, tmp_path: Path
) -> None:
    done = installed.call("tapezoo", "recipes", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = {f"recipes/{line.split()[0]}.yaml" for line in done.stdout.splitlines()[1:]}
    assert names == RECIPES
    done = installed.call("tapezoo", "fit", "--config", "lstm", "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shipped = installed.site / "tapezoo" / "recipes" / "lstm.yaml"
    assert f"recipe lstm: shipped with tapezoo, {shipped}" in done.stdout
    assert "--run_dir" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_without_checkout")
def test_an_installed_wheel_plays_its_bundles(installed: Environment, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "in.wav", np.zeros(1000), 44100)
    done = installed.call("tapezoo", "render", "tape", "in.wav", "out.wav", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert soundfile.info(tmp_path / "out.wav").frames == 1000
