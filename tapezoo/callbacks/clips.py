"""What `tapezoo test` and `tapezoo predict` leave behind, clip by clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from tapezoo.data.batch import Batch
from tapezoo.filenames import unique_file_names
from tapezoo.measure.clip_scores import score_clips
from tapezoo.measure.floor import fit_floor
from tapezoo.render.soundfiles import write_float_wav
from tapezoo.report.clips import clip_table
from tapezoo.report.tables import screen_table, write_csv
from tapezoo.report.worst_rows import worst_rows
from tapezoo.screen import Screen
from tapezoo.training.effect import EffectModel


class ClipTable(Callback):
    """Prints and writes the ESR of every clip of the test split, beside its linear floor; or says why there is none.

    Args:
        folder: Where `test_clips.csv` goes.
        console: Where the table is shown.
    """

    def __init__(self, folder: Path, console: Screen) -> None:
        self.folder, self.console = folder, console
        self.energies: dict[str, torch.Tensor] = {}
        self.energies_delay_kept: dict[str, torch.Tensor] = {}

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, *args: Any
    ) -> None:
        """Collects each row's error and target energy."""
        collected = {"energies": self.energies, "energies_delay_kept": self.energies_delay_kept}
        for kind in collected.keys() & outputs.keys():
            for name, energies in zip(batch.names, outputs[kind].cpu(), strict=True):
                before = collected[kind].get(name, torch.zeros(2, dtype=torch.float64))
                collected[kind][name] = before + energies

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes and shows the table."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(pl_module, EffectModel) and pl_module.net.own_phase:
            self.console.say(
                "no table of clips or settings: they have errors of waveforms, which say nothing of this model, since "
                f"{pl_module.net.own_phase}. What spectra say of the split is below"
            )
            return
        floor = fit_floor(data.split_arrays("train"))
        energies, kept = (
            {name: (float(pair[0]), float(pair[1])) for name, pair in collected.items()}
            for collected in (self.energies, self.energies_delay_kept)
        )
        clips, together = score_clips(energies, data.split_arrays("test"), floor, data.burn_in_samples, kept)
        self.folder.mkdir(parents=True, exist_ok=True)
        table = clip_table(clips, together)
        path = write_csv(table, self.folder / "test_clips.csv")
        self.console.print(screen_table(worst_rows(table, "test_esr", path.name)))
        self.console.say(f"written to {path}")


class WritePredictions(Callback):
    """Writes every predicted row as a float WAV file.

    Args:
        folder: Where the files go; made when the first one comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file_names: dict[str, str] = {}

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Names the files: of all rows at once, so that no two batches write the same one."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        names = [row.name for row in data.split_arrays("test")]
        self.file_names = dict(zip(names, unique_file_names(names), strict=True))

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Batch, *args: Any
    ) -> None:
        """Writes the rows of one batch."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, samples, output in zip(
            batch.names, batch.valid_samples.tolist(), outputs.cpu(), strict=True
        ):
            path = self.folder / f"{self.file_names[name]}.wav"
            write_float_wav(path, output[0, :samples].numpy(), pl_module.sample_rate)
