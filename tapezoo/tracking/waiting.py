"""Delays an interruption until the store has finished a write."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def interruptions_wait() -> Iterator[None]:
    """Inside, a first SIGINT or SIGTERM is answered at the end, a second one at once.

    In the middle of a transaction KeyboardInterrupt keeps the session, and with it the database's lock, for as long as
    somebody holds the exception: how the run ended could not be stored.
    """
    if threading.current_thread() is not threading.main_thread():  # the only one that gets signals
        yield
        return
    first: list[tuple[int, FrameType | None]] = []
    answers: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def wait(signum: int, frame: FrameType | None) -> None:
        if first:  # the store does not answer, and the user will not wait
            first.clear()
            answers[signum](signum, frame)
        else:
            first.append((signum, frame))

    for number in (signal.SIGINT, signal.SIGTERM):
        answer = signal.getsignal(number)
        if callable(answer):  # not where it is ignored, or ends the process
            answers[number] = answer
            signal.signal(number, wait)
    try:
        yield
    finally:
        for signum, answer in answers.items():
            signal.signal(signum, answer)
        for signum, frame in first:
            answers[signum](signum, frame)
