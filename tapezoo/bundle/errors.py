"""What can be wrong with a bundle, one class per fault; `file` is the bundle's path of the file at fault."""

from __future__ import annotations

from pathlib import Path

from tapezoo.errors import TapezooError
from tapezoo.terminal import plain as plain

GET_AGAIN = "Fetch or export the bundle again."


class BundleError(TapezooError):
    """A bundle that cannot be trusted."""

    def __init__(self, root: Path, file: str, *, found: str, expected: str, fix: str = GET_AGAIN) -> None:
        super().__init__(str(root / file), found=found, expected=expected, fix=fix)
        self.file = file

    @classmethod
    def about(cls, root: Path, file: str, found: str, expected: str) -> BundleError:
        """The fault with the usual advice."""
        return cls(root, file, found=found, expected=expected)


class NotABundleError(BundleError):
    """No manifest and no hashes: something else altogether."""


class MissingFileError(BundleError):
    """A file the manifest or SHA256SUMS lists is not there."""


class UnreadableFileError(BundleError):
    """A file the system does not let us read."""


class ExtraFileError(BundleError):
    """A file nobody lists, or a link, which could lead anywhere."""


class ChangedFileError(BundleError):
    """A file whose content is not what was sealed."""


class MalformedFileError(BundleError):
    """A file whose content breaks the format, whoever sealed it."""


class UnknownSchemaError(BundleError):
    """A manifest of a schema version this tapezoo does not read."""


class OversizedFileError(BundleError):
    """A file larger than anything that belongs into a bundle."""


class NonFiniteError(BundleError):
    """NaN or infinite numbers where weights, states or sound should be."""


class ForbiddenContentError(BundleError):
    """A graph that reaches outside its file, or asks for operators that no runtime here has, or for endless work."""


class ExhaustingBundleError(BundleError):
    """A bundle that takes more memory or time to verify than its size and sound account for, or ends the process."""


class ContradictionError(BundleError):
    """A graph that is not what the manifest says of it."""
