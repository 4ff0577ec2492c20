"""Errors that keep a render from starting."""

from __future__ import annotations

from tapezoo.data.errors import SoundFileError
from tapezoo.errors import TapezooError


class RenderError(TapezooError):
    """An automation file or an output that cannot be used: nothing was written."""


def not_finite(otherwise: str) -> SoundFileError:
    """What to raise where a model's output is NaN or infinite.

    Args:
        otherwise: What to do if a lower input does not help, as the end of a sentence.
    """
    return SoundFileError(
        "the model's output",
        found="NaN or infinity",
        expected="finite samples",
        fix=f"Lower --input-gain-db, or {otherwise}.",
    )
