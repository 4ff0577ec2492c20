"""Ends a training with a registered artifact: exports, verifies and pushes the best checkpoint."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from lightning.pytorch import Callback, LightningModule, Trainer

from tapezoo.callbacks.checkpointing import best_and_last
from tapezoo.checkpoint import BEST
from tapezoo.errors import TapezooError
from tapezoo.terminal import shell
from tapezoo.tracking import TrackedRun
from tapezoo.tracking.names import check_alias, check_name
from tapezoo.training.errors import TrainingError

if TYPE_CHECKING:
    from tapezoo.tracking.push import PushedVersion

log = logging.getLogger(__name__)

BUNDLE = "bundle"  # in the run's folder


class Register(Callback):
    """Exports the best checkpoint to `RUN/bundle`, verifies it, and registers it in the run's own store.

    Only a complete training is registered, not one that was interrupted or failed. The bundle passes
    export's parity gate and is verified once more before it is sent. A fault on the way is logged, kept in
    `fault` and tagged on the run, and neither the run nor its checkpoints are touched; `check`,
    called after the training, raises it.

    Args:
        name: Name of the registered model.
        alias: Alias for the new version; None: none.
    """

    def __init__(self, name: str, alias: str | None = "candidate") -> None:
        check_name(name)
        if alias is not None:
            check_alias(alias)
        self.name = name
        self.alias = alias
        self.pushed: PushedVersion | None = None
        self.fault: TrainingError | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuses an untracked run before its first step."""
        self.pushed = self.fault = None
        if stage == "fit" and not _is_trial(trainer) and _tracked(trainer) is None:
            raise self.untracked()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Export, verify, push."""
        run = _tracked(trainer)
        if _is_trial(trainer) or run is None:
            return
        from tapezoo.export import export_checkpoint, openers  # slow to import: only when needed
        from tapezoo.tracking.push import push_bundle

        try:
            best = best_of(trainer)
            bundle = best.parent / BUNDLE
            export_checkpoint(
                best, bundle, overwrite=True
            )  # of this run, trained further: it is the better one
            self.pushed = push_bundle(
                bundle, self.name, self.alias, uri=run.uri, run_id=run.begin(), openers=openers()
            )
        except Exception as error:  # a good training must not look like a failed one, whatever it was
            self.fault = _as_training_error(self.name, error)
            log.warning("%s", self.fault)
            run.set_tags({"registered": f"no: {self.fault.found}"[:5000]})
            return
        run.set_tags({"registered": f"{self.name}/{self.pushed.version}"})

    def untracked(self) -> TrainingError:
        """The error for an untracked run, also for callers that can raise it before the data are prepared."""
        return TrainingError(
            f"tapezoo.callbacks.Register of {self.name!r}",
            found="a run that is not tracked",
            expected="a run tracked in the store in which its model is registered",
            fix="Leave trainer.logger out, or remove the callback from the recipe.",
        )

    def check(self) -> None:
        """Raises TrainingError if the training that ended could not be registered."""
        if self.fault is not None:
            raise self.fault

    def __str__(self) -> str:
        """The result of the registration, as text."""
        if self.pushed is None:
            return f"{self.name}: not registered"
        alias = "" if self.pushed.alias is None else f", {self.name}@{self.pushed.alias}"
        return f"{self.name}/{self.pushed.version}{alias}"


def best_of(trainer: Trainer) -> Path:
    """The best checkpoint of the training that ends."""
    callback = best_and_last(trainer)
    path = Path(callback.best_model_path) if callback is not None and callback.best_model_path else None
    if path is None or not path.is_file():
        raise TrainingError(
            "the run's checkpoints",
            found=f"no {BEST}",
            expected="a checkpoint, written after an epoch with validation",
            fix="Train for at least one epoch, with validation.",
        )
    return path


def _as_training_error(name: str, error: Exception) -> TrainingError:
    if isinstance(error, TapezooError):
        found, fix = f"{error.subject}: {error.found}; expected {error.expected}", error.fix
    else:
        found, fix = f"{type(error).__name__}: {error}", "See the run's log."
    return TrainingError(
        f"registering {name!r}",
        found=found,
        expected="a bundle that passes export and verify, and a store that accepts it",
        fix=f"The run and its checkpoints are intact. {fix} "
        f"Then: tapezoo export RUN --out BUNDLE, and {shell('tapezoo', 'push', 'BUNDLE', '--name', name)}.",
    )


def _tracked(trainer: Trainer) -> TrackedRun | None:
    return next((logger for logger in trainer.loggers if isinstance(logger, TrackedRun)), None)


def _is_trial(trainer: Trainer) -> bool:
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]
