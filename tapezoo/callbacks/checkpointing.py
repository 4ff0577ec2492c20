"""Which checkpoints a run leaves: the best and the last, under fixed names."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from tapezoo.checkpoint import BEST, LAST


class BestAndLast(ModelCheckpoint):
    """Keeps `best.ckpt` (lowest val_esr) and `last.ckpt` in one folder, written when an epoch has ended.

    Lightning's own `save_last` writes only in epochs that are also among the best, so that resuming would go
    back to the last improvement; here every epoch writes it, under another name first, so that a crash in the
    middle leaves the one before.

    Args:
        run_dir: The folder.
    """

    def __init__(self, run_dir: Path) -> None:
        super().__init__(
            dirpath=run_dir,
            filename=Path(BEST).stem,
            monitor="val_esr",
            mode="min",
            save_top_k=1,
            auto_insert_metric_name=False,
            enable_version_counter=False,  # a better one replaces best.ckpt instead of becoming best-v1.ckpt
            save_on_train_epoch_end=True,
        )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The best first: the last one stores which that is."""
        super().on_train_epoch_end(trainer, pl_module)
        if trainer.fast_dev_run or self.dirpath is None:  # type: ignore[attr-defined]
            return
        last = Path(self.dirpath) / LAST
        part = last.with_suffix(".part")
        trainer.save_checkpoint(part, weights_only=False)
        if trainer.is_global_zero:
            part.replace(last)
        self.last_model_path = str(last)
