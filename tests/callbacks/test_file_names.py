"""Predictions and excerpts are called after recordings: no two share a file, whatever recordings are called."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import soundfile
import torch
import yaml
from lightning.pytorch import Trainer

from tapezoo.callbacks import BestAndLast, RunRecorder
from tapezoo.callbacks.clips import WritePredictions
from tapezoo.callbacks.run_report import _without_ending
from tapezoo.data import PairedAudio
from tapezoo.data.batch import Batch
from tapezoo.data.module import Row
from tapezoo.models.fir import FIR

RATE = 8000


def predicted(folder: Path, names: list[str]) -> None:
    """Every row holds its own number, one row a batch."""
    nothing = np.zeros(0, dtype=np.float32)
    data = SimpleNamespace(
        split_arrays=lambda split: [Row(name, nothing, nothing, nothing, ()) for name in names]
    )
    trainer, model = (
        cast("Any", SimpleNamespace(datamodule=data)),
        cast("Any", SimpleNamespace(sample_rate=RATE)),
    )
    writer = WritePredictions(folder)
    writer.on_predict_start(trainer, model)
    for number, name in enumerate(names):
        output = torch.full((1, 1, 4), float(number))
        batch = Batch(output, output, torch.zeros(1, 0), torch.tensor([4]), [name])
        writer.on_predict_batch_end(trainer, model, output, batch)


@pytest.mark.parametrize(
    "names",
    [
        ["gain +5.wav", "gain_+5.wav", "gain (5).wav"],
        ["Gain.wav", "gain.wav"],
        ["ドラム", "ベース"],
        ["x" * 300 + "a", "x" * 300 + "b"],
    ],
    ids=["signs", "case", "scripts", "long"],
)
def test_every_row_has_a_prediction_of_its_own(names: list[str], tmp_path: Path) -> None:
    predicted(tmp_path, names)
    heard = sorted(float(soundfile.read(path)[0][0]) for path in tmp_path.iterdir())
    assert heard == [float(number) for number in range(len(names))]
    assert len({path.name.casefold() for path in tmp_path.iterdir()}) == len(names)


@pytest.mark.filterwarnings("ignore:Glyph")  # pictures lack letters of scripts that their font has not
def test_every_recording_has_excerpts_of_its_own_in_the_report(tmp_path: Path) -> None:
    dry = np.random.default_rng(0).uniform(-0.5, 0.5, 6 * RATE)
    soundfile.write(tmp_path / "dry.wav", dry, RATE, subtype="FLOAT")
    pairs = []
    for number, name in enumerate(("ドラム", "ベース", "ギター")):
        soundfile.write(tmp_path / f"{name}.wav", dry / (number + 2), RATE, subtype="FLOAT")
        pairs.append({"dry": "dry.wav", "wet": f"{name}.wav"})
    (tmp_path / "pairs.yaml").write_text(yaml.safe_dump({"pairs": pairs}))
    data = PairedAudio(
        pairs=str(tmp_path / "pairs.yaml"), batch_size=2, segment_samples=512, burn_in_samples=8
    )
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        limit_train_batches=1,
        logger=False,
        callbacks=[RunRecorder(tmp_path, "", excerpt_s=0.1, excerpts=3), BestAndLast(tmp_path)],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
    model = FIR(
        taps=2, sample_rate=RATE, burn_in_samples=8, optimizer=lambda ps: torch.optim.Adam(ps, lr=0.1)
    )
    trainer.fit(model, datamodule=data)
    targets = sorted((tmp_path / "report").glob("*_typical_target.wav"))
    assert [path.name.removesuffix("_typical_target.wav") for path in targets] == [
        "ギター",
        "ドラム",
        "ベース",
    ]
    levels = {float(np.abs(soundfile.read(path)[0]).max()) for path in targets}
    assert len(levels) == 3


@pytest.mark.parametrize(
    ("recording", "stem"),
    [
        ("take.wav", "take"),
        ("wet2.wav channel 1", "wet2 channel 1"),
        ("a.b.FLAC", "a.b"),
        ("gain.wave", "gain.wave"),
        ("v1.2", "v1.2"),
    ],
)
def test_files_are_called_after_a_recording_without_its_ending(recording: str, stem: str) -> None:
    assert _without_ending(recording) == stem
