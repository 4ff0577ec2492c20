"""What a render cannot begin with."""

from __future__ import annotations

from tapezoo.errors import TapezooError


class RenderError(TapezooError):
    """An automation file or an output that cannot be used: nothing was written."""
