"""Conditioners, by name: what they do to rows of features."""

from __future__ import annotations

from tapezoo.architecture import Modulation
from tapezoo.export.cpp.program import Program


def is_writable(modulation: Modulation) -> bool:
    """Whether `add_modulation` knows it."""
    return False


def add_modulation(program: Program, modulation: Modulation, name: str, rows: str) -> None:
    """Modulates `rows` in place.

    Args:
        program: Grows by it.
        modulation: Of a kind that `is_writable`.
        name: Of its member, where it needs one.
        rows: The features, rows of CHUNK.
    """
    raise NotImplementedError
