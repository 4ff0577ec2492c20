"""One bar for the whole training, with the monitored figure; lines now and then where there is no terminal."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar

from tapezoo.callbacks.checkpointing import best_and_last
from tapezoo.measure.steadiness import Steadiness
from tapezoo.screen import Progress as Bar
from tapezoo.screen import Screen, TaskID, wide_bar
from tapezoo.training.length import TrainingLength, training_length
from tapezoo.training.trained import TrainedModel

LINE_INTERVAL_S = 15.0  # a log of a training of ten minutes keeps some forty lines


class Progress(ProgressBar):
    """Shows epoch, train_loss, the figure that the training monitors, and the best of it so far.

    Args:
        console: Where to; None: standard error.
        line_interval_s: Without a terminal: least time between two lines, seconds.
    """

    def __init__(self, console: Screen | None = None, line_interval_s: float = LINE_INTERVAL_S) -> None:
        super().__init__()
        self._console = console or Screen(file=sys.stderr)
        self._line_interval_s = line_interval_s
        self._enabled = True
        self._bar: Bar | None = None
        self._task = TaskID(0)
        self._length = TrainingLength([])
        self._monitor, self._better = "val_esr", min
        self._best = math.nan
        self._line_at_s = -math.inf
        self._unsaid: str | None = None

    def disable(self) -> None:
        """Hides the bar; Lightning calls this in every process but the first."""
        self._enabled = False
        self._stop()

    def enable(self) -> None:
        """Undoes `disable`."""
        self._enabled = True

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Writes a line above the bar."""
        if self._enabled:
            self._console.print(*args, **kwargs)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Opens the bar; a resumed training starts where it left off."""
        self._line_at_s, self._unsaid = time.monotonic(), None
        kept = best_and_last(trainer)
        before = None
        if kept is not None:
            self._monitor, self._better = str(kept.monitor), max if kept.mode == "max" else min
            before = kept.best_model_score  # of the training that is resumed
        self._best = math.nan if before is None else float(before)
        if self._enabled and self._console.is_terminal:
            self._bar, self._length = wide_bar(self._console), training_length(trainer)
            self._task = self._bar.add_task(self._text(trainer), total=None)
            self._move(trainer, 0)
            self._bar.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the bar; shows what the objective has to tell in the middle of an epoch."""
        told = None
        if isinstance(pl_module, TrainedModel):
            told = pl_module.objective.progress_text(pl_module.net)
        if self._bar is not None:
            self._move(trainer, batch_idx + 1)
            told = told if told is not None else f"batch {batch_idx + 1}/{_epoch_batches(trainer) or '?'}"
            self._bar.update(self._task, description=f"{self._text(trainer)}  {told}")
        elif told is not None and time.monotonic() - self._line_at_s >= self._line_interval_s:
            self._line_at_s, self._unsaid = time.monotonic(), f"{self._text(trainer)}  {told}"
            self._say_line()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Shows the epoch's figures."""
        score, kept = float(trainer.callback_metrics.get(self._monitor, math.nan)), best_and_last(trainer)
        if kept is None:
            self._best = self._better(filter(math.isfinite, [self._best, score]), default=math.nan)
        elif kept.takes(trainer):
            self._best = score
        text = self._unsaid = self._text(trainer)
        if self._bar is not None:
            self._bar.update(self._task, description=text)
        elif time.monotonic() - self._line_at_s >= self._line_interval_s:
            self._line_at_s = time.monotonic()
            self._say_line()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Closes the bar and leaves the last figures, unless they are there."""
        self._stop()
        if not self._console.is_terminal:
            self._say_line()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Closes the bar, so that the terminal is usable again."""
        self._stop()

    def _move(self, trainer: Trainer, batches: int) -> None:
        """Shows progress after `batches` of the epoch, relative to the limit that will end the training first."""
        if self._bar is None or not self._length.limits:
            return
        epochs = trainer.current_epoch + batches / max(1, _epoch_batches(trainer))
        furthest = max(limit(epochs) for limit in self._length.limits)
        self._bar.update(self._task, total=1.0, completed=min(furthest, 1.0))

    def _say_line(self) -> None:
        if self._enabled and self._unsaid is not None:
            self._console.print(self._unsaid, soft_wrap=True)
        self._unsaid = None

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _text(self, trainer: Trainer) -> str:
        last = trainer.max_epochs if trainer.max_epochs not in (None, -1) else "?"
        # after the last epoch Lightning already counts one further
        epoch = min(trainer.current_epoch + 1, last) if isinstance(last, int) else trainer.current_epoch + 1
        parts = [f"epoch {epoch}/{last}"]
        for name in ("train_loss", self._monitor):
            if name in trainer.callback_metrics:
                parts.append(f"{name} {float(trainer.callback_metrics[name]):.4g}")
        if math.isfinite(self._best):
            parts.append(f"best {self._best:.4g}")
        found = Steadiness.of_metrics(
            {name: float(value) for name, value in trainer.callback_metrics.items()}
        )
        if found is not None and not found.is_steady:
            parts.append(f"not steady: {found.reason}")
        return "  ".join(parts)


def _epoch_batches(trainer: Trainer) -> int:
    batches = trainer.num_training_batches
    return int(batches) if math.isfinite(batches) else 0
