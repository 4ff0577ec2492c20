"""The numbers in an ONNX file: which are shapes and counts, and whether all floats are finite."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle.protobuf import varints

ELEMENTS = {1: "float32", 6: "int32", 7: "int64", 10: "float16", 11: "float64"}  # TensorProto.DataType
FLOAT16, BFLOAT16 = 10, 16
# what shapes and counts are made of, by data type; and how many values these may have: larger ones are weights
SMALL_KINDS = {1: "<f4", 6: "<i4", 7: "<i8", 9: "|b1", 11: "<f8"}
SMALL_VALUES = 64
# TensorProto's fields of values that are no raw bytes, by data type, and what those of floats hold
LISTED = {1: 4, 6: 5, 7: 7, 9: 5, 11: 10}
FLOATS = {4: "<f4", 10: "<f8"}
HALVES_LIMIT_BYTES = 1 << 24


def whole_numbers(value: Any) -> NDArray[Any]:
    """Whole numbers, one or packed, as many as shapes have; they are signed."""
    values = islice(varints(value), SMALL_VALUES + 1) if isinstance(value, memoryview) else [value]
    return np.array(list(values), "<u8").astype("<i8")


def join_halves(listed: Sequence[Any]) -> bytes:
    """Half-precision floats that stand as whole numbers, as raw bytes."""
    if sum(len(value) for value in listed if isinstance(value, memoryview)) > HALVES_LIMIT_BYTES:
        raise ValueError("weights in half precision that are not stored as raw bytes")
    halves = [
        half for value in listed for half in (varints(value) if isinstance(value, memoryview) else [value])
    ]
    return np.array(halves, "<u8").astype("<u2").tobytes()


def small_values(kind: int, raw: bytes, listed: Sequence[Any]) -> NDArray[Any] | None:
    """A tensor's values, flat, where they may be a shape or a count; None: weights, or of another type."""
    if kind not in SMALL_KINDS:
        return None
    dtype = np.dtype(SMALL_KINDS[kind])
    if len(raw) % dtype.itemsize:
        raise ValueError("a tensor that ends in the middle of a value")
    if raw:  # as onnx does: raw bytes, where there are some
        parts = [np.frombuffer(raw, dtype)]
    else:
        some = listed[: SMALL_VALUES + 1]
        parts = [np.frombuffer(v, dtype) if LISTED[kind] in FLOATS else whole_numbers(v) for v in some]
    values = np.concatenate(parts) if parts else np.zeros(0)
    return values if 0 < len(values) <= SMALL_VALUES else None


def all_finite(kind: int, raw: bytes) -> bool:
    """Whether raw bytes of this data type hold neither NaN nor infinity."""
    if kind == BFLOAT16:  # the upper half of a float32
        return floats_finite((np.frombuffer(raw, "<u2").astype("<u4") << 16).tobytes(), "<f4")
    dtype = np.dtype(ELEMENTS.get(kind, "int8")).newbyteorder("<")
    return dtype.kind != "f" or floats_finite(raw, dtype.str)


def floats_finite(value: Any, dtype: str) -> bool:
    """The same of floats by numpy's name of their type.

    Raises:
        ValueError: A whole number stands there.
    """
    if isinstance(value, int):
        raise ValueError("a whole number where floats should be")
    return bool(np.isfinite(np.frombuffer(value, dtype)).all())
