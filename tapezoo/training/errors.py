"""What goes wrong with a training: both are caught, by callers and by the recorder of a run."""

from __future__ import annotations

from tapezoo.errors import TapezooError


class TrainingError(TapezooError):
    """A training that cannot begin, go on or end as it was asked for."""


class NonFiniteLossError(TrainingError):
    """A loss or a monitored figure became NaN or infinite."""
