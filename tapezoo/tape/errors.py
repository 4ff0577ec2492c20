"""What is refused here."""

from __future__ import annotations

from tapezoo.errors import TapezooError


class TapeError(TapezooError):
    """Recordings from which nothing can be learned of what is random in a machine."""
