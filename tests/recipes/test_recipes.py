"""Every recipe that is shipped runs, for a few steps."""

import inspect
import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

import tapezoo.data
import tapezoo.devices
from tapezoo import registry
from tapezoo.callbacks import RunRecorder
from tapezoo.callbacks.takes import TakeReport
from tapezoo.cli import main
from tapezoo.data.arguments import check_sizes

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = sorted(FOLDER.rglob("*.yaml"))


@pytest.fixture
def cheap(monkeypatch):
    """Machines that render in no time, no report: both are tested elsewhere."""
    for found in registry.registrations("devices"):
        machine = tapezoo.devices.resolve(found.name)
        monkeypatch.setattr(machine, "render", lambda self, dry, *rest: np.tanh(3 * dry).astype(np.float32))
    for callback in (RunRecorder, TakeReport):
        monkeypatch.setattr(callback, "_report", lambda *arguments: None)


def shortened(recipe):
    """What makes a recipe's data small, and its training a few steps."""
    if recipe["data"]["class_path"].startswith("tapezoo.tape."):
        short = ["--data.batches_per_epoch", "1", "--data.batch_size", "2", "--model.steps", "1"]
        return [*short, *recorded(recipe)]
    if not recipe["data"]["class_path"].endswith("HysteresisCells"):
        segment = "4096" if recipe["model"]["class_path"].endswith("MelVocoder") else "2048"  # it is 768 late
        return [
            *("--data.batches_per_epoch", "1", "--data.seconds", "10"),
            *("--data.segment_samples", segment, "--data.burn_in_samples", "256", "--data.batch_size", "4"),
        ]
    axes = recipe["data"]["init_args"]["axes"]
    short = ["--data.axes", str(dict.fromkeys(axes, 2)), "--data.cells_per_batch", "8"]
    if recipe["model"]["class_path"].endswith("STNGrid"):
        short += ["--model.axes", str([min(count, 2) for count in recipe["model"]["init_args"]["axes"]])]
    short += ["--model.objective.starts", "1", "--model.objective.iterations", "1"]
    short += ["--data.rows", "2", "--data.segment_samples", "100"]
    return [*short, "--data.val_rows", "1", "--data.val_samples", "400"]


def recorded(recipe):
    """A short recording for the recipes of generators, in the working directory."""
    name = recipe["data"]["class_path"].rpartition(".")[2]
    if name == "MeasuredTransport":
        time_s = np.arange(1500) / 100
        rows = np.column_stack([time_s, np.sin(2 * np.pi * 3 * time_s)])
        np.savetxt("delay.csv", rows, delimiter=",", header="time_s,delay_ms", comments="")
        return ["--data.sources", "[delay.csv]"]
    if name == "MeasuredNoise":
        soundfile.write("blank.wav", 1e-3 * np.random.default_rng(0).standard_normal(16000), 8000)
        return ["--data.sources", "[blank.wav]", "--model.channels", "[2, 2, 2, 2]"]
    return ["--data.recordings", "1"]


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_trains(recipe, tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # what is rendered here is no machine's
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path_factory.getbasetemp() / "cache-of-recipes"))
    short = [*shortened(yaml.safe_load(recipe.read_text())), "--trainer.max_epochs", "1", "--threads", "1"]
    short += ["--trainer.limit_val_batches", "1", "--final_test", "false"]
    if recipe.parent.name in ("wavenet", "hybrid"):
        # others of their architecture are played what says whether they are steady
        short += ["--check_steadiness", "false"]
    if "tapezoo.callbacks.Register" not in recipe.read_text():  # which needs a store
        short += ["--trainer.logger", "false"]
    assert main(["fit", "--config", str(recipe), *short, "--run_dir", "run"]) == 0
    assert (tmp_path / "run" / "best.ckpt").is_file()


PAIRED = [path for path in RECIPES if "tapezoo.data.VirtualDevices" in path.read_text()]


@pytest.mark.parametrize("recipe", PAIRED, ids=lambda path: path.stem)
def test_the_batches_of_a_recipe_are_ones_that_data_take(recipe):
    """Those trained above are smaller."""
    given = yaml.safe_load(recipe.read_text())["data"]["init_args"]
    usual = inspect.signature(tapezoo.data.VirtualDevices).parameters
    check_sizes(*(given.get(name, usual[name].default) for name in inspect.signature(check_sizes).parameters))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_says_what_it_reached(recipe):
    header = [line for line in recipe.read_text().splitlines() if line.startswith("#")]
    for word in ("device:", "paper:", "reached:"):
        assert any(word in line for line in header), f"{recipe.name} has no {word} line in its header"
    assert yaml.safe_load(recipe.read_text())["model"]["class_path"].startswith(
        ("tapezoo.models.", "tapezoo.tape.")
    )


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_the_header_of_a_recipe_is_short(recipe):
    lines = recipe.read_text().splitlines()
    header = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    assert 0 < len(header) <= 10, "what does not fit into ten lines belongs in docs/results.md"
