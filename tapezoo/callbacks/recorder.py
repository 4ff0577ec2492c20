"""What a run keeps beside its checkpoints: recipe, status, and sound and pictures of the best model."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tapezoo.callbacks.checkpointing import STEADINESS
from tapezoo.callbacks.data_report import DataReport
from tapezoo.callbacks.run_report import RunReport
from tapezoo.checkpoint import BEST, read_checkpoint, score_of
from tapezoo.data.described import DescribedData
from tapezoo.data.module import PairsDataModule
from tapezoo.errors import UnwritableOutputError
from tapezoo.net import Net
from tapezoo.run_files import CONFIG
from tapezoo.staging import replaced_file
from tapezoo.tracking import TrackedRun, collect_versions
from tapezoo.tracking.recipe_settings import recipe_settings
from tapezoo.training.effect import EffectModel
from tapezoo.training.errors import NonFiniteLossError, TrainingError
from tapezoo.training.trained import TrainedModel

log = logging.getLogger(__name__)

REPORT = "report"


class RunRecorder(Callback):
    """Writes the recipe at the start and the report at the end, into `run_dir` and the tracked run.

    The end may be a good one, Ctrl-C, an exception or a NaN: each has its status. The report shows the best
    checkpoint, never the last weights. A report that fails is logged and does not hide what ended the run. If the disk
    was full, `check`, called after the training, raises the error.

    Args:
        run_dir: Where config.yaml and report/ go; holds best.ckpt.
        config_text: The resolved recipe, as YAML.
        tags: Further tags of the tracked run.
        excerpt_s: Length of the audio excerpts, seconds.
        excerpts: From how many recordings of the validation split: a typical and the worst passage of each.
    """

    def __init__(
        self,
        run_dir: Path,
        config_text: str,
        tags: Mapping[str, str] | None = None,
        excerpt_s: float = 7.0,
        excerpts: int = 2,
    ) -> None:
        self.run_dir = run_dir
        self.config_text = config_text
        self.tags = dict(tags or {})
        self.excerpt_s = excerpt_s
        self.excerpts = excerpts
        self.fault: UnwritableOutputError | None = None
        self._folder: os.stat_result | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Recipe and tags, before the first step."""
        if _is_trial(trainer):
            return
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self._folder, self.fault = self.run_dir.stat(), None
        with replaced_file(self.run_dir / CONFIG) as part:
            part.write_text(self.config_text, encoding="utf-8")
        origin = collect_versions(Path.cwd())
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, DescribedData):
            origin |= data.origin()
        run = _tracked(trainer)
        run_id = run.begin() if run is not None else None
        if isinstance(pl_module, TrainedModel):  # goes into every checkpoint, and from there into bundles
            source = {"run_id": run_id} if run_id else {}
            pl_module.provenance = {**pl_module.provenance, **origin, **source}
        if run is not None:
            run.log_text(self.config_text, CONFIG)
            run.log_settings(recipe_settings(self.config_text))
            architecture = type(pl_module).__name__
            if isinstance(data, PairsDataModule):
                run.log_dataset(origin["recordings"], origin["dataset_hash"], data.profile())
            facts = {"architecture": architecture, "status": "running"}
            if isinstance(pl_module, EffectModel):
                facts["sample_rate"] = str(pl_module.sample_rate)
            run.set_tags({**origin, **facts, **self.tags})

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs the linear floor, once fitted: a model can only be judged against it."""
        floor = _linear_floor(trainer)
        if isinstance(pl_module, EffectModel) and floor is not None:
            pl_module.provenance = {**pl_module.provenance, "linear_floor": f"{floor:.6g}"}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Checks before anything is written that the folder is still this run's."""
        if not _is_trial(trainer) and not self._is_in_place():
            raise TrainingError(
                str(self.run_dir),
                found="a different folder than the one this training began in",
                expected="a folder that is not moved before the training has ended",
                fix="Resume from the last.ckpt in the folder that was moved, with --ckpt_path.",
            )

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the report of a training that ran to its end."""
        self._finish(trainer, pl_module, "finished")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Writes the report of a training that was interrupted or failed."""
        if isinstance(exception, KeyboardInterrupt | SystemExit):  # Ctrl-C, SIGTERM
            status = "interrupted"
        elif isinstance(exception, NonFiniteLossError):
            status = "nan"
        else:
            status = "failed"
        self._finish(trainer, pl_module, status)

    def _finish(self, trainer: Trainer, pl_module: LightningModule, status: str) -> None:
        if _is_trial(trainer) or trainer.state.fn != "fit":
            return
        run = _tracked(trainer)
        best = self.run_dir / BEST
        if self._is_in_place() and best.is_file() and isinstance(pl_module, EffectModel):
            try:
                self._report(trainer, pl_module, best, run)
            except UnwritableOutputError as error:
                self.fault = error
                log.warning("the run's report could not be written: %s", error)
            except Exception as error:  # whatever it is, it must neither hide the cause nor fail a good run
                log.warning("the run's report could not be written: %s: %s", type(error).__name__, error)
        if run is not None:
            run.set_status(status)

    def check(self) -> None:
        """Raises UnwritableOutputError if the report could not be written."""
        if self.fault is not None:
            raise self.fault

    def _is_in_place(self) -> bool:
        try:
            return self._folder is not None and os.path.samestat(self._folder, self.run_dir.stat())
        except OSError:
            return False

    def _report(self, trainer: Trainer, model: EffectModel, best: Path, run: TrackedRun | None) -> None:
        if run is not None:
            run.log_file(best, "checkpoints")
            if (score := score_of(best)) is not None:
                run.log_metrics({"best_val_esr": score})
            if (steadiness := score_of(best, STEADINESS)) is not None:
                run.log_metrics({f"best_{STEADINESS}": steadiness})
        folder = self.run_dir / REPORT
        folder.mkdir(exist_ok=True)
        report = RunReport(
            folder,
            best_net(model.net, best),
            type(model).__name__,
            model.sample_rate,
            model.controls,
            _data(trainer),
        )
        try:
            report.write(self.excerpt_s, self.excerpts, _linear_floor(trainer))
        finally:
            if run is not None:
                for path in report.files:
                    run.log_file(path, REPORT)


def best_net(net: Net, checkpoint: Path) -> Net:
    """A copy of `net` on the CPU, in eval mode, with the weights of `checkpoint`."""
    prefix = "net."
    weights: Mapping[str, Any] = read_checkpoint(checkpoint)["state_dict"]
    twin = copy.deepcopy(net).cpu().eval()
    twin.load_state_dict(
        {name.removeprefix(prefix): weights[name] for name in weights if name.startswith(prefix)}
    )
    return twin


def _tracked(trainer: Trainer) -> TrackedRun | None:
    return next((logger for logger in trainer.loggers if isinstance(logger, TrackedRun)), None)


def _linear_floor(trainer: Trainer) -> float | None:
    """The val_esr of the best filter that was fitted before the training."""
    found = next((one for one in trainer.callbacks if isinstance(one, DataReport)), None)  # type: ignore[attr-defined]
    return min(found.linear_floors.values(), default=None) if found is not None else None


def _data(trainer: Trainer) -> PairsDataModule | None:
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    return data if isinstance(data, PairsDataModule) else None


def _is_trial(trainer: Trainer) -> bool:
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]
