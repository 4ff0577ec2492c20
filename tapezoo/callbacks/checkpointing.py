"""Which checkpoints a run leaves: the best and the last, under fixed names, each whole or not at all."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from tapezoo.checkpoint import BEST, LAST, score_of
from tapezoo.errors import UnwritableOutputError
from tapezoo.staging import replaced_file

STEADINESS = "val_steadiness"  # see `tapezoo.measure.steadiness`


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place and moves it there, so that no crash and no full disk leaves half a one.

    Lightning's own writing does so only where the system's temporary folder is on the same file system.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Raises UnwritableOutputError where the disk is full or the folder is gone."""
        if "://" in str(path):  # a recipe's own ModelCheckpoint may write anywhere
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        content = io.BytesIO()
        torch.save(checkpoint, content)  # in memory: torch gives no reason when it cannot write a file
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnwritableOutputError(path, error) from error
        with replaced_file(Path(path)) as part:
            # no view: one that a full disk leaves in a traceback crashes Python 3.12 when both are collected
            part.write_bytes(content.getvalue())


class BestAndLast(ModelCheckpoint):
    """Keeps `best.ckpt` and `last.ckpt` in one folder, written when an epoch has ended.

    Lightning's own `save_last` writes only in epochs that are also among the best, so that resuming would go
    back to the last improvement; here every epoch writes it.

    Where `SteadinessCheck` measures, an epoch that is not steady never takes the place of one that is, and one that is
    steady takes the place of one that is not, whatever their scores.

    Where the training starts from a fitted filter or from other weights, these are the first best.ckpt: a training that
    only makes them worse leaves them.

    A resumed training has to beat the best.ckpt that lies in its folder, by that file's own record: the
    state in last.ckpt may be about another folder, if either was copied or moved.

    Args:
        run_dir: The folder.
        monitor: The figure that decides which is the best; see `Objective`.
        mode: Whether a lower or a higher one is better.
    """

    def __init__(self, run_dir: Path, monitor: str = "val_esr", mode: Literal["min", "max"] = "min") -> None:
        super().__init__(
            dirpath=run_dir,
            filename=Path(BEST).stem,
            monitor=monitor,
            mode=mode,
            save_top_k=1,
            auto_insert_metric_name=False,
            enable_version_counter=False,  # a better one replaces best.ckpt instead of becoming best-v1.ckpt
            save_on_train_epoch_end=True,
        )
        self.run_dir = run_dir
        self.best_is_steady = True
        self._is_resumed = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Makes the trainer write every checkpoint whole."""
        super().setup(trainer, pl_module, stage)
        trainer.strategy.checkpoint_io = WholeFiles()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Ignores the saved state: the files themselves are the record."""
        self._is_resumed = True

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reads the score that a resumed training has to beat, before it is needed."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        self.run_dir.mkdir(parents=True, exist_ok=True)
        best = Path(str(self.dirpath)) / BEST
        score = score_of(best, str(self.monitor)) if self._is_resumed and best.is_file() else None
        if score is not None:
            self.best_model_path = self.kth_best_model_path = str(best)
            self.best_model_score = self.kth_value = torch.tensor(score)
            self.best_k_models = {str(best): self.best_model_score}
            self.best_is_steady = is_steady(score_of(best, STEADINESS)) is not False

    def on_sanity_check_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the starting weights as the first best, if the whole validation was played before the training."""
        if trainer.num_sanity_val_steps == math.inf:
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))

    def beats_best(self, trainer: Trainer) -> bool:
        """Whether the epoch has a better score than the best one, steady or not."""
        return super().check_monitor_top_k(trainer, trainer.callback_metrics.get(str(self.monitor)))

    def may_take(self, trainer: Trainer) -> bool:
        """Whether the epoch would be the best one, were it steady."""
        return not self.best_is_steady or self.beats_best(trainer)

    def takes(self, trainer: Trainer) -> bool:
        """Whether the epoch is the best one, by its score and its steadiness."""
        steady = is_steady(trainer.callback_metrics.get(STEADINESS))
        if not self.best_k_models or steady is None or steady is self.best_is_steady:
            return self.beats_best(trainer)
        return steady and trainer.callback_metrics.get(str(self.monitor)) is not None

    def check_monitor_top_k(self, trainer: Trainer, current: torch.Tensor | None = None) -> bool:
        """See `takes`; `current` is the score of this epoch."""
        return self.takes(trainer)

    def _update_best_and_save(self, current: torch.Tensor, trainer: Trainer, *rest: Any) -> None:
        steady = is_steady(trainer.callback_metrics.get(STEADINESS))
        self.best_is_steady = steady is not False
        super()._update_best_and_save(current, trainer, *rest)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes best.ckpt first: a training killed between the two resumes from the epoch before, and repeats it."""
        super().on_train_epoch_end(trainer, pl_module)
        if trainer.fast_dev_run or self.dirpath is None:  # type: ignore[attr-defined]
            return
        last = Path(self.dirpath) / LAST
        trainer.save_checkpoint(last, weights_only=False)
        self.last_model_path = str(last)


def is_steady(figure: float | torch.Tensor | None) -> bool | None:
    """Whether a `val_steadiness` is that of a steady net; None: it was not measured."""
    return None if figure is None else float(figure) <= 1


def best_and_last(trainer: Trainer) -> BestAndLast | None:
    """The trainer's `BestAndLast`; a recipe may add further ModelCheckpoints."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    return next((found for found in callbacks if isinstance(found, BestAndLast)), None)
