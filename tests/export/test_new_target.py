"""A new target is one file and one row: everything else finds it."""

import numpy as np
import pytest
import torch
from bundle.small_bundle import forge
from export.nets import arguments, fir, lstm
from export.taps_target import ROW, TapsTarget
from lightning.pytorch import Trainer

from tapezoo.bundle import BundleError, read_manifest
from tapezoo.bundle.targets import TARGETS
from tapezoo.cli import main
from tapezoo.export import ExportError, export_bundle, load_targets
from tapezoo.models.fir import FIR
from tapezoo.runtime import installed_openers, verify


@pytest.fixture(autouse=True)
def _row(monkeypatch):
    monkeypatch.setitem(TARGETS, "taps", ROW)


def test_its_maker_and_its_refusal_are_found_by_name(tmp_path):
    onnx, taps = load_targets(["onnx", "taps"])
    assert isinstance(taps, TapsTarget)
    with pytest.raises(ExportError, match=r"taps.*LSTMNet"):
        export_bundle(lstm(), **arguments(lstm(), tmp_path / "b"), targets=[onnx, taps])


def test_the_verbs_export_and_verify_it(tmp_path, capsys, monkeypatch):
    # in this process: another one does not know the row that the test adds
    monkeypatch.setattr(
        "tapezoo.runtime.verification.verify_apart",
        lambda bundle, openers, seal: verify(bundle, installed_openers(), seal),
    )
    model = FIR(sample_rate=8000, controls=[], taps=17)
    with torch.no_grad():
        model.net.taps.add_(0.1 * torch.randn(model.net.taps.shape))
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.strategy.connect(model)
    model.trainer = trainer
    trainer.save_checkpoint(tmp_path / "best.ckpt")
    out = tmp_path / "bundle"
    assert main(["export", str(tmp_path / "best.ckpt"), "--out", str(out), "--targets", "onnx,taps"]) == 0
    assert "taps.txt" in capsys.readouterr().out
    assert {row["target"] for row in read_manifest(out).parity} == {"net", "onnx", "taps"}
    assert main(["verify", str(out)]) == 0
    assert "taps taps.txt ok" in " ".join(capsys.readouterr().out.split())
    assert main(["list", "targets"]) == 0
    assert "taps.txt" in capsys.readouterr().out


def test_a_strangers_file_is_inspected_and_another_release_replays_what_it_knows(tmp_path, monkeypatch):
    out = tmp_path / "bundle"
    export_bundle(fir(), **arguments(fir(), out), targets=load_targets(["onnx", "taps"]))
    assert [target.status for target in verify(out).targets] == ["ok", "ok"]
    monkeypatch.delitem(TARGETS, "taps")
    assert "taps" not in installed_openers()
    assert [target.status for target in verify(out).targets] == ["ok", "not replayed"]
    monkeypatch.setitem(TARGETS, "taps", ROW)
    forge(out, "taps.txt", b"nan\n")
    with pytest.raises(BundleError, match="not finite"):
        verify(out)


def test_its_own_runtime_is_what_judges_it(tmp_path):
    out = tmp_path / "bundle"
    export_bundle(fir(), **arguments(fir(), out), targets=load_targets(["onnx", "taps"]))
    taps = np.loadtxt(out / "taps.txt")
    forge(out, "taps.txt", "".join(f"{1.01 * tap!r}\n" for tap in taps.tolist()).encode())
    with pytest.raises(BundleError, match="an error of"):
        verify(out)
