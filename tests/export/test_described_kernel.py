"""A stranger's net that describes itself gets the kernels: they know a form, not a class."""

import numpy as np
import pytest
import torch
from export.nets import arguments
from torch import nn

from tapezoo.bundle import read_manifest
from tapezoo.export import ExportError, export_bundle
from tapezoo.export.targets.kernel import KernelTarget
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.layers.described import describe_dense, describe_recurrent
from tapezoo.net import Net
from tapezoo.runtime import Stream


class Stranger(Net):
    """An LSTM and an output layer, with names of its own."""

    memory = ("hidden", "cell")

    def __init__(self, num_controls=1):
        super().__init__(num_controls, receptive_field=None)
        self.loop = nn.LSTM(1 + num_controls, 5, batch_first=True)
        self.mouth = nn.Linear(5, 1, bias=False)
        for name in self.memory:
            self.register_rest(name, torch.zeros(1, 5))

    def forward(self, input, controls, state):
        path, knobs = self.smoothed(controls, state, input.shape[-1])
        signal = torch.cat([input, path.expand(-1, -1, input.shape[-1])], dim=1).transpose(1, 2)
        before = tuple(state[name].transpose(0, 1).contiguous() for name in self.memory)
        features, after = self.loop(signal, before)
        parts = {name: part.transpose(0, 1) for name, part in zip(self.memory, after, strict=True)}
        return self.mouth(features).transpose(1, 2), {**parts, **knobs}

    def described(self):
        return self.describe_layers(
            *describe_recurrent("loop", self.loop, self.memory),
            describe_dense("mouth", self.mouth),
            controls_at="input",
        )


class Forgetful(Stranger):
    """Its state has names that the kernel does not know."""

    memory = ("h", "c")


def test_it_passes_the_gate_and_plays(tmp_path):
    torch.manual_seed(0)
    net = Stranger()
    export_bundle(net, **arguments(net, tmp_path / "b"), targets=[OnnxTarget(), KernelTarget()])
    gate = [row for row in read_manifest(tmp_path / "b").parity if row["target"] == "kernel"]
    assert gate
    audio = np.random.default_rng(0).normal(0, 0.3, (1, 1500)).astype(np.float32)
    played = [Stream(tmp_path / "b", engine=name).process(audio, [1.0]) for name in ("onnx", "kernel")]
    np.testing.assert_allclose(played[1], played[0], atol=3e-6)


def test_a_state_of_other_names_is_refused_with_both(tmp_path):
    net = Forgetful()
    with pytest.raises(ExportError, match=r"other names than the kernel's \(c, h and cell, hidden\)"):
        export_bundle(net, **arguments(net, tmp_path / "b"), targets=[OnnxTarget(), KernelTarget()])


class Swapped(Stranger):
    """Hands out the kernel's two names the wrong way round."""

    memory = ("cell", "hidden")


def test_the_kernels_names_in_another_order_are_refused():
    assert KernelTarget().refusal(Stranger()) is None
    assert KernelTarget().refusal(Swapped()) is not None
