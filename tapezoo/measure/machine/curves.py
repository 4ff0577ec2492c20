"""Measures as plain values for files."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MOST_POINTS = 5000  # of a curve in a file: the gain of a tone over seconds has one per sample


def curves_json(measured: DataclassInstance) -> dict[str, Any]:
    """A dataclass of measures, with lists for arrays, None for what is not finite, and long curves thinned."""
    document: dict[str, Any] = _plain(asdict(measured))
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value[:: -(-value.shape[0] // MOST_POINTS)].tolist() if value.size else [])
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
