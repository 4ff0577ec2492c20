"""Protobuf's wire format (protobuf.dev/programming-guides/encoding), as far as ONNX files use it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types; the others, groups, are in no ONNX file


def fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """(field number, whole number or bytes) of one message.

    Raises:
        ValueError: It is none; so do the others here.
    """
    position = 0
    while position < len(data):
        key, position = varint(data, position)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, position = varint(data, position)
            yield number, value
            continue
        if wire == BYTES:
            length, position = varint(data, position)
        elif wire in (FIXED32, FIXED64):
            length = 4 if wire == FIXED32 else 8
        else:
            raise ValueError(f"wire type {wire}")
        if number == 0 or position + length > len(data):
            raise ValueError("a field that ends after the end of the file")
        yield number, data[position : position + length]
        position += length


def varint(data: memoryview, position: int) -> tuple[int, int]:
    """The whole number at `position`, and where the next field begins."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
    raise ValueError("a number that does not end")


def varints(data: memoryview) -> Iterator[int]:
    """Packed whole numbers."""
    position = 0
    while position < len(data):
        value, position = varint(data, position)
        yield value


def message(value: Any) -> memoryview:
    """A field's value as bytes."""
    if not isinstance(value, memoryview):
        raise ValueError("a number where a message should be")
    return value


def integer(value: Any) -> int:
    """A field's value as a whole number."""
    if not isinstance(value, int):
        raise ValueError("bytes where a number should be")
    return value


def text(value: Any) -> str:
    """A field's value as text."""
    return bytes(message(value)).decode("utf-8")
