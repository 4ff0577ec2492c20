"""One row: a training in a process of its own, then what the best checkpoint is worth and costs."""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser
from lightning.pytorch import LightningDataModule

from tapezoo.callbacks.history import HISTORY, read_history
from tapezoo.checkpoint import BEST, LAST, load_model, read_checkpoint
from tapezoo.compare.folder import LOG, SETTINGS, begin_row, may_resume, write_outcome
from tapezoo.compare.plan import Config
from tapezoo.data.module import PairsDataModule
from tapezoo.esr import esr
from tapezoo.export import export_checkpoint
from tapezoo.measure.comparison import Figures, Outcome
from tapezoo.training.effect import EffectModel
from tapezoo.training.scoring import error_and_energy

BUNDLE = "bundle"
POLL_S = 0.5
STOP_WITHIN_S = 60.0  # a training that is interrupted still writes its report


@dataclass(frozen=True)
class Task:
    """What trains a row, wherever that is.

    Args:
        name: Of the row.
        config: What `fit` gets.
        dataset_hash: Of the data it must train on.
        arguments: Further arguments of `fit`: where to track.
    """

    name: str
    config: Config
    dataset_hash: str
    arguments: tuple[str, ...] = ()


class _RowError(Exception):
    """Why a row has no figures, in one line."""


def run_row(
    task: Task, folder: Path, watch: Callable[[], None] = lambda: None, inherited: Sequence[int] = ()
) -> Outcome:
    """Trains and measures; what goes wrong is the outcome, only an interruption is raised.

    Args:
        task: What to train.
        folder: Of the row; a training that was stopped there goes on.
        watch: Called while the training runs.
        inherited: File descriptors that the training keeps open; see `lock_folder`.

    Raises:
        KeyboardInterrupt: After the training has stopped and the outcome is stored.
    """
    resumes = may_resume(folder)
    begin_row(folder, task.config)
    log = str(folder / LOG)
    try:
        train(task, folder, resumes, watch, inherited)
        outcome = Outcome("finished", figures=measure(task, folder), log=log)
    except KeyboardInterrupt:
        write_outcome(folder, Outcome("interrupted", log=log))
        raise
    except _RowError as error:
        outcome = Outcome("failed", str(error), log=log)
    except Exception as error:  # whatever it is, the other rows go on
        outcome = Outcome("failed", f"{type(error).__name__}: {' '.join(str(error).split())}", log=log)
    write_outcome(folder, outcome)
    return outcome


def train(
    task: Task, folder: Path, resumes: bool, watch: Callable[[], None], inherited: Sequence[int] = ()
) -> None:
    """`tapezoo fit` until it ends; its output goes to the row's log."""
    # -P: `-m` would import from the working directory first, and a yaml.py among recordings would be run
    command = [sys.executable, "-P", "-m", "tapezoo", "fit", "--config", str(folder / SETTINGS)]
    command += ["--run_dir", str(folder), *task.arguments]
    if resumes:
        command += ["--ckpt_path", str(folder / LAST)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(task.config["threads"]), "NO_COLOR": "1"}
    environment["PYTHONSAFEPATH"] = "1"  # for children of its own
    with (folder / LOG).open("a", encoding="utf-8") as log:
        # a session of its own: Ctrl-C in the terminal is ours to pass on, once
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            pass_fds=inherited,
        )
        try:
            while True:
                try:
                    code = process.wait(POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    watch()
        except BaseException:
            _stop(process)
            raise
    if code != 0:
        raise _RowError(_find_reason(folder / LOG, code))


def measure(task: Task, folder: Path) -> Figures:
    """What the best checkpoint reaches, and what it took."""
    content = read_checkpoint(folder / BEST)
    own = content["tapezoo"]
    if own["provenance"].get("dataset_hash") != task.dataset_hash:
        raise _RowError("it was trained on other data than the comparison's")
    torch.set_num_threads(int(task.config["threads"]))
    model = load_model(folder / BEST)
    data = open_data(task.config)
    history = read_history(folder / HISTORY)
    last = history[-1]
    test_esr = measure_test_esr(model, data)
    cost, export_error = _export(folder / BEST, folder / BUNDLE)
    return Figures(
        model=own["architecture"],
        parameters=sum(parameter.numel() for parameter in model.net.parameters()),
        val_esr=own["metrics"]["val_esr"],
        val_mrstft=own["metrics"].get("val_mrstft"),
        test_esr=None if math.isnan(test_esr) else test_esr,
        updates=last.updates,
        audio_s=last.audio_s,
        train_cpu_s=last.train_cpu_s,
        train_wall_s=last.train_wall_s,
        wall_s=last.wall_s,
        real_time_factors=cost.get("real_time_factor"),
        processor=cost.get("processor"),
        export_error=export_error,
    )


def open_data(config: Config) -> PairsDataModule:
    """The data of a row, opened."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LightningDataModule, "data")
    data: PairsDataModule = parser.instantiate_classes(parser.parse_object({"data": config["data"]})).data
    data.prepare_data()
    data.setup()
    return data


def measure_test_esr(model: EffectModel, data: Any) -> float:
    """ESR on the test split; NaN where there is none, or only silence."""
    sums = torch.zeros(2, dtype=torch.float64)
    with torch.no_grad():
        for batch in data.test_dataloader():
            played = model.run(batch.input, batch.controls, batch.delay)
            for output, target in model.scored_rows(played, batch):
                sums += error_and_energy(output, target)
    error, energy = sums.tolist()
    return esr(error, energy)


def _export(checkpoint: Path, bundle: Path) -> tuple[dict[str, Any], str | None]:
    shutil.rmtree(bundle, ignore_errors=True)
    torch.set_num_threads(1)  # as `tapezoo export`
    try:
        report = export_checkpoint(
            checkpoint, bundle, parts=()
        )  # only for its cost: nobody looks at pictures
    except Exception as error:  # exporters raise anything; the row keeps its other figures
        return {}, f"{type(error).__name__}: {' '.join(str(error).split())}"
    return dict(report.manifest.cost["onnx"]), None


def _stop(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Ctrl-C for the training; a second one does not wait for its report."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_WITHIN_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


def _find_reason(log: Path, code: int) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    lines = [line for line in lines if line]
    ours = [line.removeprefix("tapezoo: ") for line in lines if line.startswith("tapezoo: ")]
    if code < 0:
        return f"ended by signal {-code} ({signal.Signals(-code).name})"
    return ours[-1] if ours else f"exit code {code}: {lines[-1] if lines else 'no output'}"
