"""`tapezoo grid build`, from the outside."""

import numpy as np
import pytest
import torch

from tapezoo.cli import main
from tapezoo.models.fir import FIR
from tapezoo.runtime import Stream

RATE = 8000


@pytest.fixture
def index(tmp_path):
    """Plain gains of 1 and 2, said to be a preamp."""
    for name, gain in (("low", 1.0), ("high", 2.0)):
        model = FIR(taps=2, sample_rate=RATE)
        with torch.no_grad():
            next(model.net.parameters()).mul_(gain)  # untrained, it is the identity
        own = {"architecture": "FIR", "arguments": dict(model.hparams), "metrics": {}, "provenance": {}}
        torch.save({"tapezoo": own, "state_dict": model.state_dict()}, tmp_path / f"{name}.ckpt")
    path = tmp_path / "index.yaml"
    path.write_text(
        "controls: [{name: gain, min: 0, max: 20, default: 5, unit: dB}]\n"
        "points:\n"
        "  - {at: {gain: 0}, checkpoint: low.ckpt}\n"
        "  - {at: {gain: 20}, checkpoint: high.ckpt}\n"
        "reference: {device: preamp}\n"
    )
    return path


def test_it_writes_a_bundle_that_plays_and_says_what_it_measured(index, tmp_path, capsys):
    assert main(["grid", "build", str(index), "--out", str(tmp_path / "bundle")]) == 0
    said = capsys.readouterr().out
    assert "2 points of FIR (2 gain)" in said
    assert "at worst (gain=10)" in said
    assert "virtual device 'preamp'" in said
    block = np.linspace(-0.5, 0.5, 64, dtype=np.float32)
    np.testing.assert_allclose(Stream(tmp_path / "bundle").process(block), 1.25 * block, rtol=1e-5)


def test_without_a_reference_it_says_that_nothing_was_measured(index, tmp_path, capsys):
    index.write_text(index.read_text().replace("reference: {device: preamp}\n", ""))
    assert main(["grid", "build", str(index), "--out", str(tmp_path / "bundle")]) == 0
    assert "not measured" in capsys.readouterr().out


def test_a_file_that_is_no_index_is_refused_in_one_paragraph(tmp_path, capsys):
    assert main(["grid", "build", str(tmp_path / "none.yaml"), "--out", str(tmp_path / "bundle")]) == 2
    said = capsys.readouterr().err
    assert "none.yaml" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "bundle").exists()
