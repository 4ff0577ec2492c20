"""What a trained generator makes: a table beside the simple model, a picture, and a take or a noise to hear."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer

from tapezoo.checkpoint import BEST
from tapezoo.data.align.trajectory_csv import write_delays
from tapezoo.render.soundfiles import write_float_wav
from tapezoo.report.figures import write_png
from tapezoo.report.html.generator_page import DISTANCES, FOLDER, NOISE, TAKE, write_generator_page
from tapezoo.report.noise import draw_noise, noise_table
from tapezoo.report.tables import Table, screen_table, write_csv
from tapezoo.report.takes import draw_take, take_table
from tapezoo.screen import Screen
from tapezoo.tape.checkpoints import load_generator
from tapezoo.tape.judged import MADE, MOST_TAKE_S, judge_noise, judge_takes
from tapezoo.tape.model import GeneratorModel
from tapezoo.tape.stretches import POINTS_PER_S
from tapezoo.tape.windows import SignalWindows
from tapezoo.tracking import TrackedRun

log = logging.getLogger(__name__)
SHORT_S = 60.0


class TakeReport(Callback):
    """Says what is trained on; at the end writes `report/` of the best checkpoint, however the training ended.

    Args:
        run_dir: Holds best.ckpt; the report goes there.
        console: Where the table is shown.
    """

    def __init__(self, run_dir: Path, console: Screen) -> None:
        self.run_dir, self.console = run_dir, console

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Describes the data."""
        self.console.say(trainer.datamodule.describe())  # type: ignore[attr-defined]

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """After a training that ran to its end."""
        self._report(trainer, MOST_TAKE_S)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """After one that was interrupted or failed: a short one, since somebody waits."""
        self._report(trainer, SHORT_S)

    def _report(self, trainer: Trainer, most_s: float) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        best = self.run_dir / BEST
        is_trial = trainer.fast_dev_run  # type: ignore[attr-defined]
        if is_trial or not best.is_file() or not isinstance(data, SignalWindows):
            return
        folder = self.run_dir / FOLDER
        try:
            folder.mkdir(exist_ok=True)
            files, table = _write(load_generator(best), data, folder, most_s)
            files.append(write_generator_page(self.run_dir))
        except Exception as error:  # whatever it is, it must neither hide the cause nor fail a good run
            log.warning("the run's report could not be written: %s: %s", type(error).__name__, error)
            return
        self.console.print(screen_table(table))
        for logger in trainer.loggers:
            if isinstance(logger, TrackedRun):
                for path in (best, *files):
                    logger.log_file(path, FOLDER if path.parent == folder else "checkpoints")


def _write(
    model: GeneratorModel, data: SignalWindows, folder: Path, most_s: float
) -> tuple[list[Path], Table]:
    train, held_out = data.stretches["train"], data.stretches["val"]
    if model.quantity == "speed":
        takes = judge_takes(model.playing, train, held_out, most_s=most_s)
        sound = folder / f"{TAKE}.csv"
        write_delays(sound, np.arange(len(takes.made)) / POINTS_PER_S, takes.made)
        table = take_table(takes.distances)
        drawn = draw_take(takes.recorded, takes.made, takes.distances[MADE], data.title)
    else:
        noise = judge_noise(model.playing, train, held_out, model.rate_hz)
        sound = folder / f"{NOISE}.wav"
        write_float_wav(sound, noise.made, model.rate_hz)
        table = noise_table(noise.distances)
        drawn = draw_noise(noise.distances[MADE], data.title)
    files = [sound, write_png(drawn, sound.with_suffix(".png")), write_csv(table, folder / DISTANCES)]
    return files, table
