"""Faults of a bundle, and packages that this machine lacks to read it."""

from __future__ import annotations

from pathlib import Path

from tapezoo.errors import TapezooError
from tapezoo.terminal import plain as plain

GET_AGAIN = "Fetch or export the bundle again."


class BundleError(TapezooError):
    """A bundle that cannot be trusted or played; `file` is the bundle's path of the file at fault."""

    def __init__(self, root: Path, file: str, *, found: str, expected: str, fix: str = GET_AGAIN) -> None:
        super().__init__(str(root / file), found=found, expected=expected, fix=fix)
        self.file = file

    @classmethod
    def about(cls, root: Path, file: str, found: str, expected: str) -> BundleError:
        """The fault with the usual advice."""
        return cls(root, file, found=found, expected=expected)


class NotInstalledError(TapezooError):
    """A package is missing that a part of this bundle needs; the bundle may be fine."""
