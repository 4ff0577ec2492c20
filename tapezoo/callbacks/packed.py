"""The further nets of a packed training: each is judged by itself, and its best epoch is a file of its own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tapezoo.callbacks.checkpointing import WholeFiles
from tapezoo.checkpoint import score_of
from tapezoo.training.packed import Packed
from tapezoo.training.scoring import in_pieces
from tapezoo.training.trained import TrainedModel, stored


def best_of(run_dir: Path, name: str) -> Path:
    """Where the best epoch of that net is kept."""
    return run_dir / f"best-{name}.ckpt"


class PackedScores(Callback):
    """Logs `val_esr_NAME` and the other metrics of each further net of `Packed`, and keeps `best-NAME.ckpt`.

    That file holds a model of the recipe's architecture alone, which is rendered, tested and exported like any other.
    It holds no state of the training: `last.ckpt` resumes all nets, and then each has to beat its own file.

    Args:
        run_dir: The folder.
        packed: The objective.
    """

    def __init__(self, run_dir: Path, packed: Packed) -> None:
        self.run_dir = run_dir
        self.packed = packed
        self.best: dict[str, float] = {}
        """The least val_esr of each net so far."""
        self._figures: dict[str, dict[str, float]] = {}
        self._is_resumed = False

    def state_dict(self) -> dict[str, Any]:
        """Not empty, so that a resumed training is told of: the files themselves are the record."""
        return {"nets": list(self.packed.also)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Notes that the training is resumed."""
        self._is_resumed = True

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reads what each net of a resumed training has to beat."""
        for name in self.packed.also:
            path = best_of(self.run_dir, name)
            score = score_of(path) if self._is_resumed and path.is_file() else None
            self.best[name] = math.inf if score is None else score

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets the figures of the last epoch, which may not be validated."""
        self._figures = {}

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Settles each net, as the recipe's own is."""
        for _, member in self.packed.models():
            member.on_validation_start()

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Scores each net on the rows that the recipe's own net has just played."""
        for _, member in self.packed.models():
            output = member.run(batch.input, batch.controls, batch.delay)
            for row in member.scored_rows(output, batch):
                for piece in in_pieces(*row):
                    member.val_scores.add(*piece)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs the figures of each net."""
        for name, member in self.packed.models():
            found = {figure: float(value) for figure, value in member.val_scores.compute().items()}
            known = {figure: value for figure, value in found.items() if math.isfinite(value)}
            pl_module.log_dict({f"{figure}_{name}": value for figure, value in known.items()})
            self._figures[name] = known

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the nets that are better than ever."""
        assert isinstance(pl_module, TrainedModel)
        for name, member in self.packed.models():
            figures = self._figures.get(name, {})
            esr = figures.get("val_esr", math.inf)
            if esr >= self.best[name] or trainer.fast_dev_run:  # type: ignore[attr-defined]
                continue
            self.best[name] = esr
            content = {
                "state_dict": {f"net.{key}": value for key, value in member.net.state_dict().items()},
                "tapezoo": stored(member, dict(member.hparams), figures, pl_module.provenance),
            }
            WholeFiles().save_checkpoint(content, best_of(self.run_dir, name))
