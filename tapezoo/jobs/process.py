"""One training in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tapezoo.checkpoint import LAST
from tapezoo.jobs.folder import LOG, SETTINGS, START, begin_row, may_resume, write_outcome
from tapezoo.jobs.task import JobFailure, Task
from tapezoo.measure.comparison import Outcome

POLL_S = 0.5
STOP_WITHIN_S = 60.0  # a training that is interrupted still writes its report


class Killed(JobFailure):
    """Something ended the process; what it left may be gone on from."""


def run_task(
    task: Task, folder: Path, watch: Callable[[], None] = lambda: None, inherited: Sequence[int] = ()
) -> Outcome:
    """Trains and measures. Failures become the outcome; only an interruption is raised.

    Args:
        task: What to train.
        folder: Of the training; one that was stopped there goes on.
        watch: Called while the training runs; raises KeyboardInterrupt to stop it.
        inherited: File descriptors that the training keeps open; see `lock_folder`.

    Raises:
        KeyboardInterrupt: After the training has stopped and the outcome is stored.
    """
    log = str(folder / LOG)
    try:
        _train_until_it_ends(task, folder, watch, inherited)
        outcome = Outcome("finished", figures=task.measure(folder), log=log)
    except KeyboardInterrupt:
        write_outcome(folder, Outcome("interrupted", log=log))
        raise
    except Killed as error:
        outcome = Outcome("interrupted", str(error), log=log)
    except JobFailure as error:
        outcome = Outcome("failed", str(error), log=log)
    except Exception as error:  # whatever it is, the others go on
        outcome = Outcome("failed", f"{type(error).__name__}: {' '.join(str(error).split())}", log=log)
    write_outcome(folder, outcome)
    return outcome


def _train_until_it_ends(
    task: Task, folder: Path, watch: Callable[[], None], inherited: Sequence[int]
) -> None:
    for tries_left in reversed(range(task.tries)):
        resumes = may_resume(folder)
        begin_row(folder, task.config)
        try:
            train(task, folder, resumes, watch, inherited)
        except Killed:
            if not tries_left:
                raise
        else:
            return


def train(
    task: Task, folder: Path, resumes: bool, watch: Callable[[], None], inherited: Sequence[int] = ()
) -> None:
    """`tapezoo fit` until it ends; its output goes to the log in its folder."""
    # -P: `-m` would import from the working directory first, and a yaml.py among recordings would be run
    command = [sys.executable, "-P", "-m", "tapezoo", "fit", "--config", str(folder / SETTINGS)]
    command += ["--run_dir", str(folder), *task.arguments]
    if resumes:
        command += ["--ckpt_path", str(folder / LAST)]
    elif task.start is not None:
        (folder / START).write_bytes(task.start)
        command += ["--warm_start", str(folder / START)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(task.config["threads"]), "NO_COLOR": "1"}
    environment["PYTHONSAFEPATH"] = "1"  # for children of its own
    with (folder / LOG).open("a", encoding="utf-8") as log:
        # its own session: Ctrl-C in the terminal reaches only us, and is passed on once
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
    (folder / START).unlink(missing_ok=True)
    if code < 0:
        raise Killed(f"ended by signal {-code} ({signal.Signals(-code).name})")
    if code != 0:
        raise JobFailure(_find_reason(folder / LOG, code))


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
    return ours[-1] if ours else f"exit code {code}: {lines[-1] if lines else 'no output'}"
