"""Every architecture with every conditioning it takes, and its folded form, through the export's parity gate."""

import numpy as np
import pytest
import torch
from small_nets import ALL, small

from tapezoo.export import export_bundle
from tapezoo.testing.conditions import SAMPLE_RATE_HZ, noise_and_tone

# the laws export every architecture as it comes; these are the fast ones of the others
FAST = {("FIR", None), ("GCN", "film")}
FOLDED_FAST = {("LSTM", "hyper"), ("TCN", "film"), ("GCN", "film")}
FOLDED = [(name, conditioning) for name, conditioning in ALL if conditioning != "temporal_film"]


def marked(cases, fast):
    return [pytest.param(*case, marks=() if case in fast else pytest.mark.slow) for case in cases]


def through_the_gate(net, model, controls, out):
    audio = noise_and_tone(1, SAMPLE_RATE_HZ // 4)[0, 0].numpy().astype(np.float32)
    report = export_bundle(
        net,
        architecture="Small",
        sample_rate=model.sample_rate,
        controls=controls,
        out=out,
        audio=audio,
        metrics={},
        provenance={},
    )
    assert set(report.manifest.targets) >= {"onnx", "torchscript"}
    assert {row["target"] for row in report.manifest.parity} >= {"onnx", "torchscript"}


@pytest.mark.parametrize(("name", "conditioning"), marked(ALL, FAST))
def test_every_model_exports_with_every_conditioning(name, conditioning, tmp_path):
    model = small(name, conditioning)
    through_the_gate(model.net, model, model.controls, tmp_path / "bundle")


@pytest.mark.parametrize(("name", "conditioning"), marked(FOLDED, FOLDED_FAST))
def test_every_folded_net_exports(name, conditioning, tmp_path):
    model = small(name, conditioning)
    net = model.net.folded(torch.tensor([0.9, 0.1]))
    through_the_gate(net, model, [], tmp_path / "bundle")
