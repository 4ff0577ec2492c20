"""Errors of a training; callers and the recorder of a run catch both."""

from __future__ import annotations

from tapezoo.errors import TapezooError


class TrainingError(TapezooError):
    """A training cannot begin, continue or end as requested."""


class NonFiniteLossError(TrainingError):
    """A loss or a monitored figure became NaN or infinite."""
