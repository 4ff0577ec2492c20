"""What stops playing: the engine, or the audio it is given."""

from __future__ import annotations

from tapezoo.errors import TapezooError


class EngineError(TapezooError):
    """An engine that does not exist, cannot play its file, or whose output is not finite."""


class NoSignalError(ValueError):
    """An array that is no audio. What it is, and what is expected, in words."""

    def __init__(self, found: str, fix: str) -> None:
        super().__init__(f"{found}: {fix}")
        self.found, self.fix = found, fix
