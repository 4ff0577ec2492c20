"""Training around a long filter: it starts at the linear floor, once, and moves as slowly as it is told."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch
from lightning.pytorch import LightningDataModule, Trainer

from tapezoo.callbacks.data_report import DataReport
from tapezoo.data import PairedAudio
from tapezoo.filtered import FilterBeside
from tapezoo.measure.floor import fit_floor
from tapezoo.models.lstm import LSTM
from tapezoo.screen import Screen
from tapezoo.training.effect import EffectModel
from tapezoo.training.errors import TrainingError
from tapezoo.training.schedules import CosineDecay

TAPS = 300
RATE = 8000


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PairedAudio:
    """A machine with a long response, a little saturation, hiss and DC; it is 5 samples late."""
    folder: Path = tmp_path_factory.mktemp("machine")
    rng = np.random.default_rng(0)
    x = 0.2 * rng.standard_normal(6 * RATE)
    response = np.concatenate([np.zeros(5), 0.9 ** (np.arange(200) / 8) * rng.standard_normal(200) / 4])
    y = np.tanh(2 * scipy.signal.lfilter(response, [1.0], x)) / 2 + 0.05 + 0.001 * rng.standard_normal(len(x))
    for name, audio in (("dry", x), ("wet", y)):
        soundfile.write(folder / f"{name}.wav", audio, RATE, "FLOAT")
    paired = PairedAudio(
        str(folder / "dry.wav"),
        str(folder / "wet.wav"),
        align="off",
        batch_size=2,
        segment_samples=512,
        batches_per_epoch=2,
        burn_in_samples=TAPS,
        cache_dir=str(folder / "cache"),
    )
    paired.setup()
    return paired


def made(data: PairedAudio, rate: float = 1e-12, **arguments: object) -> LSTM:
    return LSTM(
        hidden_size=4,
        sample_rate=RATE,
        burn_in_samples=TAPS,
        filter_beside_taps=TAPS,
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=rate),
        **arguments,
    )


def fit(model: EffectModel, data: LightningDataModule) -> Trainer:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    trainer = Trainer(max_epochs=1, accelerator="cpu", logger=False, log_every_n_steps=1, **quiet)
    trainer.fit(model, datamodule=data)
    return trainer


def taps_of(model: EffectModel) -> torch.Tensor:
    assert isinstance(model.net, FilterBeside)
    return model.net.filter.taps.detach().clone()


def test_a_training_starts_from_the_linear_floor_of_the_filters_length(data: PairedAudio) -> None:
    val_esr = float(fit(made(data), data).callback_metrics["val_esr"])
    floor = fit_floor(data.split_arrays("train"), TAPS).esr(data.split_arrays("val"), TAPS)
    assert val_esr == pytest.approx(floor, rel=1e-3)
    assert floor < 0.5 * fit_floor(data.split_arrays("train"), 65).esr(data.split_arrays("val"), TAPS)


def test_weights_that_were_loaded_are_not_fitted_again(data: PairedAudio) -> None:
    first = made(data)
    fit(first, data)
    with torch.no_grad():
        first.net.filter.taps.mul_(0.5)
    second = made(data)
    second.load_state_dict(first.state_dict())
    fit(second, data)
    torch.testing.assert_close(taps_of(second), taps_of(first))


@pytest.mark.parametrize("share", [0.0, 0.01])
def test_the_filter_moves_at_its_share_of_the_rate(data: PairedAudio, share: float) -> None:
    model = made(data, 0.01, filter_learning_rate=share, lr_scheduler=CosineDecay)
    start = made(data)
    fit(start, data)
    trainer = fit(model, data)
    moved = (taps_of(model) - taps_of(start)).abs().max()
    steps = 2
    assert 0.2 * share * 0.01 <= float(moved) <= 1.01 * steps * share * 0.01 + 1e-9
    assert model.net.net.head.weight.abs().max() > 1e-3
    rates = [group["lr"] for group in trainer.optimizers[0].param_groups]
    assert rates[1:] == ([pytest.approx(share * rates[0])] if share else [])


def test_a_model_that_builds_its_net_itself_says_so_instead_of_training_without(data: PairedAudio) -> None:
    class Own(EffectModel):
        def __init__(self, **training: object) -> None:
            super().__init__(**training)
            self.net = LSTM(hidden_size=2).net

    with pytest.raises(TrainingError, match="with_filters"):
        fit(Own(sample_rate=RATE, filter_beside_taps=TAPS), data)


@pytest.mark.parametrize(("taps", "is_said"), [(3000, True), (258, False)])
def test_a_filter_too_long_for_the_audio_is_said_before_the_training(
    data: PairedAudio, taps: int, is_said: bool
) -> None:
    shown = io.StringIO()
    report = DataReport(Screen(file=shown, force_terminal=False, width=400))
    model = LSTM(hidden_size=2, linear_taps=0, sample_rate=RATE, filter_beside_taps=taps)
    report.on_fit_start(SimpleNamespace(datamodule=data, loggers=[]), model)  # type: ignore[arg-type]
    assert ("the filter would overfit the training audio" in shown.getvalue()) is is_said, (
        report.linear_floors
    )
