"""What a run keeps beside its checkpoints: recipe, status, and sound and pictures of the best model."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray

from tapezoo.checkpoint import BEST, read_checkpoint
from tapezoo.data.module import PairsDataModule, Row
from tapezoo.errors import UnwritableOutputError
from tapezoo.filenames import unique_file_names
from tapezoo.layers.responses import Explained, Response
from tapezoo.measure.playing import play
from tapezoo.measure.steadiness import measure_steadiness
from tapezoo.measure.transfer import transfer_loops
from tapezoo.measure.unlike import choose_material
from tapezoo.net import Net
from tapezoo.render.soundfiles import write_float_wav
from tapezoo.report.figures import write_png
from tapezoo.report.responses import draw_block_response
from tapezoo.report.steadiness import steadiness_table
from tapezoo.report.tables import write_csv
from tapezoo.report.transfer import draw_transfer_curve
from tapezoo.report.waveforms import draw_excerpt_spectrograms, draw_excerpt_waveforms
from tapezoo.run_files import CONFIG
from tapezoo.staging import replaced_file
from tapezoo.tracking import TrackedRun, collect_versions
from tapezoo.tracking.recipe_settings import recipe_settings
from tapezoo.training.effect import EffectModel
from tapezoo.training.errors import NonFiniteLossError, TrainingError

log = logging.getLogger(__name__)

REPORT = "report"
PREROLL_S = 1.0  # played before an excerpt and dropped, so that the net's memory is filled
SINE_HZ = 100.0  # of the transfer curve


@runtime_checkable
class Machine(Protocol):
    """A DataModule that can play anything through the machine it learns from."""

    def respond(self, dry: NDArray[np.float32]) -> NDArray[np.float32]:
        """(samples,) -> (samples,)"""


class RunRecorder(Callback):
    """Writes the recipe at the start and the report at the end, into `run_dir` and the tracked run.

    The end may be a good one, Ctrl-C, an exception or a NaN: each has its status. The report shows the best
    checkpoint, never the last weights. A report that fails is said and does not hide what ended the run; for want
    of room on the disk, whoever runs the training calls `check` afterwards to learn of it.

    Args:
        run_dir: Where config.yaml and report/ go; holds best.ckpt.
        config_text: The resolved recipe, as YAML.
        tags: Further tags of the tracked run.
        excerpt_s: Length of the audio excerpts, seconds.
        excerpts: How many of them, from different regions of the validation split.
    """

    def __init__(
        self,
        run_dir: Path,
        config_text: str,
        tags: Mapping[str, str] | None = None,
        excerpt_s: float = 5.0,
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
        data = _data(trainer)
        if data is not None:
            origin |= data.origin()
        run = _tracked(trainer)
        run_id = run.begin() if run is not None else None
        if isinstance(pl_module, EffectModel):  # goes into every checkpoint, and from there into bundles
            source = {"run_id": run_id} if run_id else {}
            pl_module.provenance = {**pl_module.provenance, **origin, **source}
        if run is not None:
            run.log_text(self.config_text, CONFIG)
            run.log_settings(recipe_settings(self.config_text))
            architecture = type(pl_module).__name__
            run.set_tags({**origin, "architecture": architecture, "status": "running", **self.tags})

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Before anything is written: in the folder's place there may be somebody else's run by now."""
        if not _is_trial(trainer) and not self._is_in_place():
            raise TrainingError(
                str(self.run_dir),
                found="no longer the folder that this training began in",
                expected="a folder that stays where it is until the training has ended",
                fix="Resume from the last.ckpt in the folder that was moved, with --ckpt_path.",
            )

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The report of a training that ran to its end."""
        self._finish(trainer, pl_module, "finished")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """The report of a training that did not."""
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
        net = best_net(model.net, best)
        folder = self.run_dir / REPORT
        folder.mkdir(exist_ok=True)
        architecture = type(model).__name__
        files = []
        data = _data(trainer)
        rows = data.split_arrays("val") if data is not None else []
        if rows:
            found = measure_steadiness(net, choose_material(rows, model.sample_rate))
            files.append(write_csv(steadiness_table(found), folder / "steadiness.csv"))
        names = [row.name for row in rows]
        file_names = dict(zip(names, unique_file_names(names), strict=True))
        for row in _spread(rows, self.excerpts):
            excerpt = loudest_excerpt(net, row, model.sample_rate, self.excerpt_s)
            files += _write_excerpt(
                folder, f"{architecture}, {row.name}", file_names[row.name], model.sample_rate, excerpt
            )
        defaults = [control.normalize(control.default) for control in model.controls]
        machine = data.respond if isinstance(data, Machine) else None
        loops = transfer_loops(net, model.sample_rate, defaults, frequency_hz=SINE_HZ, machine=machine)
        curve = draw_transfer_curve(loops, SINE_HZ, architecture)
        files.append(write_png(curve, folder / "transfer_curve.png"))
        if isinstance(net, Explained):
            files += _write_blocks(folder, architecture, net, model.sample_rate, defaults)
        if run is not None:
            for path in files:
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


def loudest_excerpt(net: Net, row: Row, sample_rate: int, excerpt_s: float) -> dict[str, NDArray[np.float64]]:
    """The stretch of `row` with the most energy: input, target and what the net makes of it."""
    input = np.asarray(row.input, dtype=np.float64).reshape(-1)
    length = min(len(input), round(excerpt_s * sample_rate))
    energy = np.concatenate(([0.0], np.cumsum(np.square(input))))
    start = int(np.argmax(energy[length:] - energy[:-length]))
    heard_from = max(0, start - round(PREROLL_S * sample_rate))
    output = play(net, input[None, heard_from : start + length], row.controls.tolist())[0]
    return {
        "input": input[start : start + length],
        "target": np.asarray(row.target, dtype=np.float64).reshape(-1)[start : start + length],
        "output": output[start - heard_from :],
    }


def _write_excerpt(
    folder: Path, title: str, file_name: str, sample_rate: int, excerpt: Mapping[str, NDArray[np.float64]]
) -> list[Path]:
    files = []
    for name, signal in excerpt.items():
        path = folder / f"{file_name}_{name}.wav"
        # floats: what is over full scale must not be clipped in one of three files that are compared
        write_float_wav(path, signal, sample_rate)
        files.append(path)
    picture = draw_excerpt_spectrograms(
        excerpt["input"], excerpt["target"], excerpt["output"], sample_rate, title
    )
    files.append(write_png(picture, folder / f"{file_name}_spectrograms.png"))
    picture = draw_excerpt_waveforms(excerpt["target"], excerpt["output"], sample_rate, title)
    files.append(write_png(picture, folder / f"{file_name}_waveforms.png"))
    return files


def _write_blocks(
    folder: Path, architecture: str, net: Explained, sample_rate: int, defaults: Sequence[float]
) -> list[Path]:
    """One picture per block of the net, numbered in the order of the signal."""
    position = torch.tensor([list(defaults)], dtype=torch.float32).reshape(1, -1)
    blocks: dict[str, list[Response]] = {}
    for response in net.responses(sample_rate, position):
        blocks.setdefault(response.block, []).append(response)
    files = []
    file_names = unique_file_names(list(blocks))
    for number, (block, lines) in enumerate(blocks.items(), start=1):
        picture = draw_block_response(lines, f"{architecture}: {block}")
        files.append(write_png(picture, folder / f"block_{number}_{file_names[number - 1]}.png"))
    return files


def _spread(rows: Sequence[Row], count: int) -> list[Row]:
    """`count` of the rows, evenly over their order."""
    if len(rows) <= count:
        return list(rows)
    return [rows[round(at)] for at in np.linspace(0, len(rows) - 1, count)]


def _tracked(trainer: Trainer) -> TrackedRun | None:
    return next((logger for logger in trainer.loggers if isinstance(logger, TrackedRun)), None)


def _data(trainer: Trainer) -> PairsDataModule | None:
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    return data if isinstance(data, PairsDataModule) else None


def _is_trial(trainer: Trainer) -> bool:
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]
