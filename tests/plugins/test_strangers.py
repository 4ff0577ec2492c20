"""Distributions of all kinds, installed by pip beside tapezoo, seen through its command line."""

import pytest
from cli.command_lines import kept_process
from environment import Environment, wheel

from tapezoo import models
from tapezoo.cli import main

ECHO = """
import torch
from tapezoo.training.effect import EffectModel
from tapezoo.layers import causal_convolution
from tapezoo.net import Net

class EchoNet(Net):
    def __init__(self, num_controls, taps):
        super().__init__(num_controls, receptive_field=taps)
        self.taps = torch.nn.Parameter(torch.ones(1 + num_controls, 1, taps) / taps)
        self.register_rest("past", torch.zeros(1, taps - 1))

    def forward(self, input, controls, state):
        path, knobs = self.smoothed(controls, state, input.shape[-1])
        filtered, past = causal_convolution(input, state["past"], self.taps)
        output = filtered[:, :1] + (path * filtered[:, 1:]).sum(dim=1, keepdim=True)
        return output, {"past": past, **knobs}

class Echo(EffectModel):
    def __init__(self, taps: int = 16, **training):
        super().__init__(**training)
        self.net = EchoNet(self.num_controls, taps)
"""
RECIPE = """
threads: 1
model: {class_path: tapezoo.models.Echo, init_args: {taps: 8}}
data:
  class_path: tapezoo.data.VirtualDevices
  init_args:
    {device: tape, seconds: 12, batch_size: 2, segment_samples: 1024, batches_per_epoch: 1, burn_in_samples: 64}
trainer: {accelerator: cpu, max_epochs: 1, logger: false}
"""


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """A good plugin among three bad ones."""
    wheels = tmp_path_factory.mktemp("wheels")
    environment = Environment(tmp_path_factory.mktemp("environment"))
    environment.install(
        wheel(wheels, "zoo-echo", "Echo = zoo_echo:Echo", zoo_echo=ECHO),
        wheel(wheels, "zoo-broken", "Broken = zoo_broken:Broken", zoo_broken="import a_missing_module"),
        wheel(wheels, "zoo-thief", "LSTM = zoo_thief:LSTM", zoo_thief=ECHO.replace("Echo", "LSTM")),
        wheel(wheels, "zoo-odd", "Odd = zoo_odd:Odd", zoo_odd="class Odd: pass\n"),
    )
    return environment


def test_models_lists_them_all_with_their_distributions(zoo, tmp_path):
    done = zoo.call("tapezoo", "models", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    for name, distribution in [
        ("Echo", "zoo-echo"),
        ("Broken", "zoo-broken"),
        ("LSTM", "zoo-thief"),
        ("Odd", "zoo-odd"),
    ]:
        assert [name, distribution, "1.2"] in rows
    assert ["LSTM", "tapezoo"] in [row[:2] for row in rows]


def test_each_bad_one_is_named_with_its_distribution_and_the_good_one_is_checked_and_trained(
    zoo, tmp_path, monkeypatch, capsys
):
    monkeypatch.syspath_prepend(str(zoo.site))  # this process, as if it ran in that environment
    monkeypatch.chdir(tmp_path)
    (tmp_path / "echo.yaml").write_text(RECIPE)
    good = ["check Echo", "fit --config echo.yaml --run_dir run"]
    lines = ["check Broken", "check LSTM", "check Odd", "fit --model Broken --data VirtualDevices"]
    lines += ["fit --model LSTM --data VirtualDevices", *good]
    try:
        with kept_process():
            vars(models).pop("LSTM", None)  # what an earlier test resolved without the strangers
            codes = {line: main(line.split()) for line in lines}
    finally:
        vars(models).pop("Echo", None)  # what resolved here resolves nowhere else
    done = capsys.readouterr()
    assert codes == {line: 0 if line in good else 2 for line in lines}, done.out + done.err
    messages = [line for line in done.err.splitlines() if line.startswith("tapezoo: ")]
    broken, thief, odd, broken_fit, thief_fit = messages
    for message in (broken, broken_fit):
        assert "'Broken'" in message
        assert "zoo-broken 1.2" in message
        assert "ModuleNotFoundError: No module named 'a_missing_module'" in message
    for message in (thief, thief_fit):
        assert "two distributions with this name" in message
        assert "zoo-thief 1.2" in message
        assert "tapezoo 0." in message
    assert "zoo-odd 1.2" in odd
    assert "a subclass of tapezoo.training.effect.EffectModel" in odd
    assert "Traceback" not in done.err
    assert "nothing broken" in done.out
    assert "best val_esr" in done.out
    assert (tmp_path / "run" / "best.ckpt").is_file()


@pytest.mark.slow  # every architecture there is
def test_check_all_reports_the_bad_ones_and_goes_on(zoo, tmp_path):
    done = zoo.call("tapezoo", "check", "--all", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    for name, distribution in [("Broken", "zoo-broken"), ("LSTM", "zoo-thief"), ("Odd", "zoo-odd")]:
        assert any(
            line.startswith(f"{name}: not checked: ") and f"{distribution} 1.2" in line
            for line in done.stdout.splitlines()
        ), done.stdout
    [echo] = [line for line in done.stdout.splitlines() if line.split()[:1] == ["Echo"]]
    assert set(echo.split()[1:]) == {"kept", "declared"}  # declared: it does not say how it folds
