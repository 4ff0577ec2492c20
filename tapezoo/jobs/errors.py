"""Errors that keep trainings from starting."""

from tapezoo.errors import TapezooError


class JobError(TapezooError):
    """A folder that is not for these trainings, or no engine to run them."""
