"""Trainings on a Ray cluster: Ray schedules, every worker trains what it is given."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tapezoo.jobs.errors import JobError
from tapezoo.jobs.folder import LOG, begin_row, write_outcome
from tapezoo.jobs.process import STOP_WITHIN_S, run_task
from tapezoo.jobs.task import Task
from tapezoo.measure.comparison import Outcome


def connect(address: str | None) -> Any:
    """The ray module, connected: to the cluster at `address`, or to one on this machine.

    Raises:
        JobError: Ray is not installed, or nothing answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # otherwise Ray sends usage reports to its makers
    try:
        import ray
    except ImportError as error:
        raise JobError(
            "--engine ray",
            found="no package ray in this environment",
            expected="the package ray",
            fix="pip install 'tapezoo[ray]', here and on every worker.",
        ) from error
    try:
        # ray puts the working directory first on the import path of every worker, where a yaml.py among
        # recordings would be run; nothing is imported from the environment's own folder
        with contextlib.chdir(sys.prefix):
            # output of workers comes back as files; dashboard and its packages are not needed
            ray.init(
                address=address or "local",
                include_dashboard=False if address is None else None,
                log_to_driver=False,
                configure_logging=False,
            )
    except Exception as error:  # ConnectionError, RuntimeError, ValueError, by kind of address
        raise JobError(
            f"--address {address or 'local'}",
            found=" ".join(str(error).split()),
            expected="a Ray cluster that answers",
            fix="Start one with `ray start --head`, or correct the address.",
        ) from error
    return ray


def run_on_ray(
    ray: Any,
    tasks: list[Task],
    out: Path,
    ended: Callable[[Task, Outcome], None],
    waiting: Callable[[int], None],
) -> None:
    """Trains every task on one CPU of the cluster for each of its threads; folders come back as archives.

    No file system is shared: a recipe travels with its task, and so does what it starts from; a training that was
    stopped starts again, since its checkpoints may lie on another machine. Recordings must be readable under the same
    path by every worker, and tapezoo installed there.

    Args:
        ray: Connected.
        tasks: Not finished yet.
        out: The folder of all of them.
        ended: Called with each task as it ends, after its files are in place.
        waiting: Called now and then with the number of tasks under way.

    Raises:
        KeyboardInterrupt: After the tasks were cancelled and their trainings have stopped.
    """
    remote = ray.remote(run_for_archive)
    running: dict[Any, Task] = {}
    for task in tasks:
        folder = out / task.name
        shutil.rmtree(folder, ignore_errors=True)
        begin_row(folder, task.config)
        job = remote.options(num_cpus=int(task.config["threads"]), name=f"{task.kind} {task.name}")
        running[job.remote(task)] = task
    try:
        while running:
            done, _ = ray.wait(list(running), timeout=0.5)
            waiting(len(running))
            for reference in done:
                task = running.pop(reference)
                ended(task, _receive(ray, reference, out / task.name))
    except BaseException:
        for reference, task in running.items():
            ray.cancel(reference)
            write_outcome(out / task.name, Outcome("interrupted"))
        # a worker that dies with its cluster would leave its training running in its own session
        if running:
            ray.wait(list(running), num_returns=len(running), timeout=STOP_WITHIN_S)
        raise


def run_for_archive(task: Task) -> tuple[Mapping[str, Any], bytes]:
    """On the worker: trains in a folder of its own; the outcome and the folder as a tar archive."""
    with tempfile.TemporaryDirectory(prefix="tapezoo-") as place:
        folder = Path(place) / task.name
        outcome = run_task(task, folder)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(folder, arcname=".")
        return {
            "status": outcome.status,
            "reason": outcome.reason,
            "figures": outcome.figures,
        }, archive.getvalue()


def _receive(ray: Any, reference: Any, folder: Path) -> Outcome:
    try:
        content, archive = ray.get(reference)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        outcome = Outcome(**content, log=str(folder / LOG))
    except Exception as error:  # the worker died, or its environment lacks something
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        outcome = Outcome(
            "failed", f"on the Ray worker: {type(error).__name__}: {lines[-1] if lines else ''}"
        )
    write_outcome(folder, outcome)
    return outcome
