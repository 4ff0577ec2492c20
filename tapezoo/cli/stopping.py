"""SIGTERM, which `docker stop` and schedulers send, ends a verb as Ctrl-C does: half a result is cleared away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_TERMINATED = 128 + signal.SIGTERM


class Stop:
    """What a signal asked for: raised where the signal arrives, and kept.

    Python prints and drops an exception in `__del__` or in the callback of a weak reference. A long loop therefore
    calls `raise_again` between its steps.
    """

    def __init__(self) -> None:
        self._asked: int | None = None

    def answer(self, signum: int, frame: FrameType | None = None) -> None:
        """Raises KeyboardInterrupt for SIGINT, SystemExit(143) for SIGTERM; a signal's handler."""
        self._asked = signum
        self.raise_again()

    def raise_again(self) -> None:
        """Raises what the last signal asked for; nothing where none came."""
        if self._asked == signal.SIGINT:
            raise KeyboardInterrupt
        if self._asked is not None:
            raise SystemExit(EXIT_TERMINATED)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Inside, SIGTERM raises SystemExit(143), so that every `finally` runs, and both signals are remembered.

    Only the main thread gets signals. Where SIGINT is ignored or answered by somebody else it stays so.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, stop.answer)}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, stop.answer)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
