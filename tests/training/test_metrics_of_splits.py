"""Metrics of whole splits: shown by the test, and refused where there is too little to judge."""

import csv

import numpy as np
import pytest
import soundfile
from lightning.pytorch import Trainer

from tapezoo.callbacks.metrics import MetricTable
from tapezoo.data import PairedAudio
from tapezoo.metrics.sampled import MetricError
from tapezoo.models.fir import FIR
from tapezoo.screen import Screen

RATE_HZ = 8000


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("short")
    sound = 0.2 * np.random.default_rng(0).standard_normal(4 * RATE_HZ)
    soundfile.write(folder / "dry.wav", sound, RATE_HZ, "FLOAT")
    soundfile.write(folder / "wet.wav", 0.5 * sound + 0.01 * sound**2, RATE_HZ, "FLOAT")
    lengths = {"segment_samples": 512, "batches_per_epoch": 1, "batch_size": 2, "burn_in_samples": 64}
    files = (str(folder / "dry.wav"), str(folder / "wet.wav"))
    return PairedAudio(*files, align="off", cache_dir=str(folder / "cache"), **lengths)


def trainer(**options):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    return Trainer(max_epochs=1, accelerator="cpu", logger=False, num_sanity_val_steps=0, **quiet, **options)


def test_a_training_with_a_metric_without_enough_audio_is_refused_before_anything_is_played(
    data, monkeypatch
):
    model = FIR(taps=4, sample_rate=RATE_HZ, metrics=["noise_spectrum"])
    monkeypatch.setattr(FIR, "run", lambda *args: pytest.fail("it played"))
    monkeypatch.setattr(FIR, "training_step", lambda *args: pytest.fail("it trained"))
    with pytest.raises(MetricError, match=r"noise_spectrum: found 0\.\d s in the val split.*2 s at least"):
        trainer().fit(model, datamodule=data)


def test_a_test_shows_every_metric_and_says_which_the_split_is_too_short_for(data, tmp_path, capsys):
    model = FIR(taps=4, sample_rate=RATE_HZ, metrics=["noise_spectrum", "snr"])
    trainer(callbacks=[MetricTable(tmp_path, Screen())]).test(model, datamodule=data, verbose=False)
    said = capsys.readouterr().out
    assert "noise_spectrum: found 0." in said
    assert "noise_spectrum not measured, si_sdr " in said
    with (tmp_path / "test_metrics.csv").open() as file:
        rows = {row["metric"]: (row["value"], row["unit"], row["meaning"]) for row in csv.DictReader(file)}
    assert list(rows) == ["esr", "mae", "mrstft", "noise_spectrum", "si_sdr", "snr"]
    assert rows["noise_spectrum"] == (
        "",
        "dB",
        "difference of the spectra where the target is quietest: hiss and hum",
    )
    assert float(rows["snr"][0]) == pytest.approx(-10 * np.log10(float(rows["esr"][0])), abs=1e-3)
