"""Checkpoints: what loads, and what is refused with a reason."""

import pickle

import pytest
import torch
from lightning.pytorch import Trainer

from tapezoo.checkpoint import (
    CheckpointError,
    best_checkpoint,
    load_model,
    read_checkpoint,
    take_over,
    warm_start,
)
from tapezoo.controls import Control
from tapezoo.models.fir import FIR
from tapezoo.models.lstm import LSTM


def save(model, path):
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.strategy.connect(model)
    model.trainer = trainer
    trainer.save_checkpoint(path)
    return path


def test_a_checkpoint_alone_rebuilds_the_model(tmp_path):
    gain = Control("gain", 0.0, 10.0, 5.0, "dB")
    model = LSTM(hidden_size=5, num_layers=2, sample_rate=48000, controls=[gain.to_dict()], loss=None)
    loaded = load_model(save(model, tmp_path / "model.ckpt"))
    assert isinstance(loaded, LSTM)
    assert (loaded.sample_rate, loaded.controls, loaded.training) == (48000, [gain], False)
    torch.testing.assert_close(loaded.net.state_dict(), model.net.state_dict())


def test_a_checkpoint_holds_plain_values_only(tmp_path):
    path = save(LSTM(optimizer=lambda p: torch.optim.Adam(p)), tmp_path / "model.ckpt")
    content = torch.load(path, weights_only=True)
    assert content["tapezoo"]["architecture"] == "LSTM"
    assert set(content["tapezoo"]["arguments"]).isdisjoint({"loss", "optimizer", "lr_scheduler"})


def test_a_folder_stands_for_its_best_checkpoint(tmp_path):
    assert best_checkpoint(tmp_path) == tmp_path / "best.ckpt"
    assert best_checkpoint(tmp_path / "other.ckpt") == tmp_path / "other.ckpt"


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.write_bytes(b""), "no PyTorch checkpoint"),
        (lambda path: path.write_bytes(b"RIFF" * 100), "no PyTorch checkpoint"),
        (lambda path: path.write_bytes(pickle.dumps(print)), "no PyTorch checkpoint"),
        (lambda path: torch.save({"state_dict": {}}, path), "some other program"),
        (lambda path: torch.save([1, 2], path), "some other program"),
    ],
)
def test_what_is_no_checkpoint_of_ours_is_refused(tmp_path, write, words):
    path = tmp_path / "model.ckpt"
    write(path)
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(path)


def test_a_truncated_checkpoint_is_refused(tmp_path):
    path = save(FIR(), tmp_path / "model.ckpt")
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(CheckpointError):
        read_checkpoint(path)


def test_a_warm_start_needs_the_same_architecture_and_size(tmp_path):
    path = save(LSTM(hidden_size=4), tmp_path / "model.ckpt")
    with pytest.raises(CheckpointError, match="found a checkpoint of LSTM; expected a checkpoint of FIR"):
        warm_start(FIR(), path)
    with pytest.raises(CheckpointError, match="weights that do not fit"):
        warm_start(LSTM(hidden_size=5), path)
    target = LSTM(hidden_size=4)
    warm_start(target, path)
    torch.testing.assert_close(target.net.state_dict(), load_model(path).net.state_dict())


def test_weights_are_taken_over_on_the_same_data_alone(tmp_path):
    def with_control(control, sample_rate=48000):
        return LSTM(hidden_size=2, sample_rate=sample_rate, controls=[control.to_dict()])

    gain = Control("gain", -5.0, 20.0, 5.0, "dB")
    path = save(with_control(gain), tmp_path / "model.ckpt")
    same = with_control(Control("gain", -5.0, 20.0, 0.0, "dB"))  # a default gives no position its meaning
    take_over(same, path)
    torch.testing.assert_close(same.net.state_dict(), load_model(path).net.state_dict())
    for other, words in (
        (with_control(gain, 44100), "found a model with the sample rate 48000 Hz; expected 44100 Hz"),
        (with_control(Control("gain", -5.0, 30.0, 5.0, "dB")), "gain -5 to 20 dB.*expected gain -5 to 30 dB"),
        (with_control(Control("tone", -5.0, 20.0, 5.0, "dB")), "expected tone -5 to 20 dB"),
        (with_control(Control("gain", 1.0, 20.0, 5.0, "dB", "log")), r"expected gain 1 to 20 dB \(log\)"),
        (LSTM(hidden_size=2, sample_rate=48000), "expected none, as the data"),
    ):
        before = {name: value.clone() for name, value in other.net.state_dict().items()}
        with pytest.raises(CheckpointError, match=words):
            take_over(other, path)
        torch.testing.assert_close(other.net.state_dict(), before)
        if other.controls:
            warm_start(other, path)
