"""One distribution of somebody else's that ships a loss, a metric and a device: found, listed, used."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tapezoo import devices, losses, metrics
from tapezoo.cli import main
from tapezoo.data import VirtualDevices

SOURCE = """
import torch
from torchmetrics import MeanMetric
from tapezoo.controls import Control
from tapezoo.devices import Device
from tapezoo.losses import Loss

class Cubic(Loss):
    def forward(self, output, target):
        return (output - target).abs().pow(3).mean()

class WorstSample(MeanMetric):
    def update(self, output, target):
        super().update((output - target).abs().max())

class Halver(Device):
    name = "halver"
    revision = "1"
    controls = (Control("trim", 0.1, 1.0, 0.5),)

    def render(self, dry, sample_rate, settings, seed):
        return dry * settings.get("trim", 0.5)
"""
ENTRIES = {
    "losses": {"Cubic": "zoo_all:Cubic"},
    "metrics": {"worst_sample": "zoo_all:WorstSample"},
    "devices": {"halver": "zoo_all:Halver"},
}
SMALL = (
    *("--model", "FIR", "--model.taps", "4", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"),
    *(
        "--trainer.logger",
        "false",
        "--data",
        "VirtualDevices",
        "--data.seconds",
        "12",
        "--data.batch_size",
        "2",
    ),
    *("--data.segment_samples", "512", "--data.batches_per_epoch", "2", "--data.burn_in_samples", "0"),
)


@pytest.fixture(autouse=True)
def zoo(install):
    install("zoo-all", ENTRIES, zoo_all=SOURCE)


def test_they_resolve_by_name():
    assert losses.Cubic.__name__ == "Cubic"
    assert metrics.resolve("worst_sample").__name__ == "WorstSample"
    assert devices.device("halver").name == "halver"


def test_they_are_listed_with_their_distribution(capsys):
    assert main(["list"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    for row in (["loss", "Cubic"], ["metric", "worst_sample"], ["device", "halver"]):
        assert [*row, "zoo-all", "1.2"] in lines
    assert ["device", "tape", "tapezoo"] in [line[:3] for line in lines]
    assert main(["list", "devices"]) == 0
    assert "halver  " in capsys.readouterr().out


def test_a_device_of_a_plugin_makes_a_data_set():
    data = VirtualDevices(device="halver", seconds=12.0, settings={"trim": 0.25}, segment_samples=512)
    data.setup()
    row = data.split_arrays("val")[0]
    np.testing.assert_allclose(row.target, row.input / 4, rtol=1e-6)


@pytest.mark.parametrize("loss", ["Cubic", "zoo_all.Cubic"])
def test_a_recipe_trains_with_the_loss_the_metric_and_the_device(loss, tmp_path):
    run = tmp_path / "run"
    line = ["fit", *SMALL, "--model.objective.loss", loss, "--data.device", "halver", "--run_dir", str(run)]
    assert main([*line, "--model.metrics", "[worst_sample]"]) == 0
    saved = torch.load(run / "best.ckpt", weights_only=True)["tapezoo"]
    assert 0 < saved["metrics"]["val_worst_sample"] < 1
    assert "metrics" not in saved["arguments"]  # a checkpoint loads without the plugin
    recipe = yaml.safe_load((run / "config.yaml").read_text())
    assert recipe["model"]["init_args"]["objective"]["init_args"]["loss"]["class_path"].endswith("Cubic")


def test_an_unknown_device_is_answered_with_the_nearest_and_all(capsys, tmp_path):
    assert main(["fit", *SMALL, "--data.device", "halve", "--run_dir", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "device 'halve'" in said
    assert "compressor, halver, hysteresis, preamp, tape" in said
    assert "Did you mean halver?" in said


def test_an_unknown_loss_is_answered_with_the_nearest_and_all(capsys, tmp_path):
    assert main(["fit", *SMALL, "--model.objective.loss", "Cubics", "--run_dir", str(tmp_path / "run")]) == 2
    assert "Did you mean Cubic?" in capsys.readouterr().err


def test_an_unknown_metric_is_answered_with_the_nearest_and_all(capsys, tmp_path):
    line = ["fit", *SMALL, "--model.metrics", "[worst_samples]", "--run_dir", str(tmp_path / "run")]
    assert main(line) == 2
    assert "Did you mean worst_sample?" in capsys.readouterr().err


def test_the_metric_of_the_plugin_to_copy_is_found_under_its_entry_points_name(install):
    root = Path(__file__).parents[2] / "plugins" / "tapezoo-peak-error"
    entries = tomllib.loads((root / "pyproject.toml").read_text())["project"]["entry-points"][
        "tapezoo.metrics"
    ]
    source = (root / "tapezoo_peak_error.py").read_text()
    install("tapezoo-peak-error", {"metrics": entries}, tapezoo_peak_error=source)
    metric = metrics.make_metric("peak_error", 44100)
    metric.update(torch.tensor([[0.0, 0.6]]), torch.tensor([[0.0, 0.5]]))
    assert float(metric.compute()) == pytest.approx(-20, abs=1e-4)
