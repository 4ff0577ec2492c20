"""What cannot be listened to, and results that do not belong together."""

from __future__ import annotations

from tapezoo.errors import TapezooError


class ListeningError(TapezooError):
    """A listening test that cannot be made as it was asked for."""


class ResultsError(TapezooError):
    """Results of a listening test that cannot be read, or that belong to another test."""
