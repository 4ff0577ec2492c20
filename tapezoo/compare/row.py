"""One row: a training, then the figures and the cost of its best checkpoint."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from tapezoo.callbacks.history import HISTORY, read_history
from tapezoo.checkpoint import BEST, load_model, read_checkpoint
from tapezoo.data.opening import open_data
from tapezoo.export import DEFAULT_TARGETS, export_checkpoint
from tapezoo.jobs.task import JobFailure, Task
from tapezoo.measure.comparison import Figures
from tapezoo.measure.test_split import measure_test_esr

BUNDLE = "bundle"


@dataclass(frozen=True)
class Row(Task):
    """A row of a comparison.

    Args:
        dataset_hash: Of the data it must train on; the others: see `Task`.
    """

    kind: ClassVar[str] = "compare"

    dataset_hash: str = ""

    def measure(self, folder: Path) -> Figures:
        """See `Task.measure`: what the table shows."""
        return measure(self, folder)


def measure(task: Row, folder: Path) -> Figures:
    """What the best checkpoint reaches, and what it took."""
    content = read_checkpoint(folder / BEST)
    own = content["tapezoo"]
    if own["provenance"].get("dataset_hash") != task.dataset_hash:
        raise JobFailure("it was trained on data other than those of the comparison")
    torch.set_num_threads(int(task.config["threads"]))
    model = load_model(folder / BEST)
    data = open_data(task.config["data"])
    history = read_history(folder / HISTORY)
    last = history[-1]
    test_esr = measure_test_esr(model, data)
    figures = own["metrics"]
    named = task.config["model"]["init_args"].get("metrics") or []
    asked_for = [name for name in named if name not in ("esr", "mrstft")]  # they have their columns
    cost, export_error = _export(folder / BEST, folder / BUNDLE)
    return Figures(
        model=own["architecture"],
        parameters=sum(parameter.numel() for parameter in model.net.parameters()),
        val_esr=figures["val_esr"],
        val_mrstft=figures.get("val_mrstft"),
        test_esr=None if math.isnan(test_esr) else test_esr,
        updates=last.updates,
        audio_s=last.audio_s,
        train_cpu_s=last.train_cpu_s,
        train_wall_s=last.train_wall_s,
        wall_s=last.wall_s,
        real_time_factors=cost.get("real_time_factor"),
        processor=cost.get("processor"),
        export_error=export_error,
        metrics={name: figures[f"val_{name}"] for name in asked_for if f"val_{name}" in figures},
    )


def _export(checkpoint: Path, bundle: Path) -> tuple[dict[str, Any], str | None]:
    shutil.rmtree(bundle, ignore_errors=True)
    torch.set_num_threads(1)  # as `tapezoo export`
    try:
        report = export_checkpoint(
            checkpoint, bundle, targets=DEFAULT_TARGETS, parts=()
        )  # only for its cost, so without pictures
    except Exception as error:  # exporters can raise any exception; the row keeps its other figures
        return {}, f"{type(error).__name__}: {' '.join(str(error).split())}"
    return dict(report.manifest.cost["onnx"]), None
