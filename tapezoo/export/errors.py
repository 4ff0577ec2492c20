"""Why nothing was exported."""

from __future__ import annotations

from tapezoo.errors import TapezooError


class ExportError(TapezooError):
    """A net, a target or audio that cannot be exported; no bundle was written."""

    @classmethod
    def about_target(cls, name: str, found: str, fix: str) -> ExportError:
        """The fault of the target called `name`."""
        return cls(f"export target {name!r}", found=found, expected="a net that it can represent", fix=fix)


class ParityError(ExportError):
    """A target, or a point of a grid, that does not sound like the net."""


class GridError(ExportError):
    """A grid that cannot be sampled or built as it was asked for."""
