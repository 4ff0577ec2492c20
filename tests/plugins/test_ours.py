"""The plugins in plugins/, installed by pip as anyone's."""

import shutil
from importlib.metadata import distributions, version

import numpy as np
import pytest
import soundfile
from environment import ROOT, Environment
from packaging.requirements import Requirement

from tapezoo import models
from tapezoo.cli import main

PLUGINS = {"template": ("Saturator", "tapezoo-template"), "tapezoo-lru": ("LRU", "tapezoo-lru")}
RECIPES = {"template": "saturator.yaml", "tapezoo-lru": "lru.yaml"}
ONE_STEP = [
    *("--trainer.max_epochs", "1", "--data.batches_per_epoch", "1", "--data.seconds", "12"),
    *("--data.batch_size", "2", "--data.segment_samples", "2048", "--data.burn_in_samples", "1024"),
    *("--trainer.logger", "false", "--run_dir", "run"),
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """An environment with both, built from copies: a build leaves files beside its sources."""
    folder = tmp_path_factory.mktemp("ours")
    environment = Environment(folder / "environment")
    copies = [folder / name for name in PLUGINS]
    for copy in copies:
        shutil.copytree(ROOT / "plugins" / copy.name, copy)
    environment.install(*copies)
    return environment


def test_what_they_need_is_there(installed):
    """What pip would resolve, without looking through all that tapezoo needs."""
    for _, name in PLUGINS.values():
        [plugin] = distributions(name=name, path=[str(installed.site)])
        needs = [Requirement(line) for line in plugin.requires or ()]
        assert "tapezoo" in {need.name for need in needs}
        for need in needs:
            assert need.marker is not None or version(need.name) in need.specifier, f"{name} needs {need}"


def test_they_are_listed(installed, tmp_path):
    done = installed.call("tapezoo", "models", cwd=tmp_path)
    rows = [line.split() for line in done.stdout.splitlines()]
    for name, distribution in PLUGINS.values():
        assert [name, distribution, "0.1.0"] in rows


# the page does the same with a copy of the template, and verifies in a process of its own
@pytest.mark.usefixtures("verified_here")
@pytest.mark.parametrize("plugin", ["tapezoo-lru", pytest.param("template", marks=pytest.mark.slow)])
def test_it_trains_from_its_own_recipe_exports_and_verifies(plugin, installed, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(installed.site))  # this process, as if it ran in that environment
    monkeypatch.chdir(tmp_path)
    recipe = ROOT / "plugins" / plugin / "recipes" / RECIPES[plugin]
    name = PLUGINS[plugin][0]
    # the shortest sound that export takes: by default it plays six seconds, and one and a half in blocks of 64
    soundfile.write("short.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 7000), 44100)
    try:
        assert main(["fit", "--config", str(recipe), *ONE_STEP]) == 0
        assert main(["export", "run", "--out", "bundle", "--audio", "short.wav"]) == 0
        assert main(["verify", "bundle"]) == 0
    finally:
        vars(models).pop(name, None)  # what resolved here resolves nowhere else
    printed = capsys.readouterr().out
    assert f"{name} at 44100 Hz, every hash is right" in printed
    assert "onnx model.onnx ok" in " ".join(printed.split())


@pytest.mark.slow  # the whole conformance kit, in a process of its own
@pytest.mark.parametrize("plugin", PLUGINS)
def test_its_own_tests_pass(plugin, installed, tmp_path):
    shutil.copytree(ROOT / "plugins" / plugin / "tests", tmp_path / "tests")
    done = installed.call("python", "-m", "pytest", "-W", "error::UserWarning", "tests", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("plugin", PLUGINS)
def test_it_passes_the_check(plugin, installed, tmp_path):
    done = installed.call("tapezoo", "check", PLUGINS[plugin][0], cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing broken" in done.stdout


@pytest.mark.parametrize("plugin", PLUGINS)
def test_its_recipe_says_what_it_reached(plugin):
    header = (ROOT / "plugins" / plugin / "recipes" / RECIPES[plugin]).read_text()
    for word in ("# device:", "# paper:", "# reached:"):
        assert word in header
