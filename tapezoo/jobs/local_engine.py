"""Trainings on this machine, several side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from tapezoo.jobs import process
from tapezoo.jobs.task import Task
from tapezoo.measure.comparison import Outcome


def run_side_by_side(
    tasks: Sequence[Task],
    out: Path,
    workers: int,
    ended: Callable[[Task, Outcome], None],
    waiting: Callable[[int], None],
    lock: int,
) -> None:
    """Trains every task in a process of its own, some of them at a time, in their order.

    Args:
        tasks: Not finished yet.
        out: The folder of all of them.
        workers: How many at a time, 1 or more.
        ended: Called with each task as it ends, after its files are in place.
        waiting: Called now and then with the number of tasks under way or waiting.
        lock: Holds `out`, see `lock_folder`.

    Raises:
        KeyboardInterrupt: After the trainings have stopped.
    """
    stopping = threading.Event()

    def watch() -> None:
        if stopping.is_set():
            raise KeyboardInterrupt

    def run(task: Task) -> Outcome:
        watch()  # once stopping, no further task begins
        return process.run_task(task, out / task.name, watch, [lock])

    with ThreadPoolExecutor(workers) as pool:
        running: dict[Future[Outcome], Task] = {pool.submit(run, task): task for task in tasks}
        try:
            while running:
                waiting(len(running))
                done, _ = wait(running, process.POLL_S, FIRST_COMPLETED)
                for future in done:
                    ended(running.pop(future), future.result())
        except BaseException:
            stopping.set()  # and the pool waits for them
            raise
