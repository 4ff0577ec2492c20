"""Metrics that a split is too short for are refused before anything is played."""

import numpy as np
import pytest
import soundfile
from lightning.pytorch import Trainer

from tapezoo.data import PairedAudio
from tapezoo.metrics.sampled import MetricError
from tapezoo.models.fir import FIR

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


@pytest.mark.parametrize(("verb", "split"), [("fit", "val"), ("validate", "val"), ("test", "test")])
def test_a_metric_without_enough_audio_is_refused_before_anything_is_played(data, verb, split, monkeypatch):
    model = FIR(taps=4, sample_rate=RATE_HZ, metrics=["noise_spectrum"])
    monkeypatch.setattr(FIR, "run", lambda *args: pytest.fail("it played"))
    monkeypatch.setattr(FIR, "training_step", lambda *args: pytest.fail("it trained"))
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    trainer = Trainer(max_epochs=1, accelerator="cpu", logger=False, num_sanity_val_steps=0, **quiet)
    with pytest.raises(
        MetricError, match=rf"noise_spectrum: found 0\.\d s in the {split} split.*2 s at least"
    ):
        getattr(trainer, verb)(model, datamodule=data)
