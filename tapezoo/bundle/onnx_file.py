"""What an ONNX file says of itself, read without a runtime: nothing of it is run, no other file is opened.

The wire format is protobuf's (protobuf.dev/programming-guides/encoding), the field numbers are those of onnx.proto3.
Only what decides whether a stranger's graph may be opened is read; all else is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types; the others, groups, are in no ONNX file
ELEMENTS = {1: "float32", 6: "int32", 7: "int64", 10: "float16", 11: "float64"}  # TensorProto.DataType
FLOAT16, BFLOAT16 = 10, 16
EXTERNAL = 1  # TensorProto.DataLocation
DEPTH_LIMIT = 64  # of graphs inside graphs; protobuf's own readers stop at 100 messages


@dataclass(frozen=True)
class Port:
    """An input or output: dtype by numpy's name, sizes as numbers, None where they are free."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass
class OnnxFacts:
    """What was found.

    Args:
        inputs: Of the main graph, in its order, without those that only name an initialiser.
        outputs: Likewise.
        metadata: Its properties.
        domains: Of all operators, "" for ONNX's own.
        external: Names of tensors whose values lie in other files.
        non_finite: Names of tensors with NaN or infinite values.
        functions: Names of functions that the file defines itself.
    """

    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    domains: set[str] = field(default_factory=set)
    external: list[str] = field(default_factory=list)
    non_finite: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)


def read_onnx(data: bytes) -> OnnxFacts:
    """Reads a serialized ModelProto.

    Raises:
        ValueError: It is none.
    """
    facts = OnnxFacts()
    graphs = []
    for number, value in _fields(memoryview(data)):
        if number == 7:
            graphs.append(_message(value))
        elif number == 14:
            entry = {key: _text(part) for key, part in _fields(_message(value)) if key in (1, 2)}
            facts.metadata[entry.get(1, "")] = entry.get(2, "")
        elif number in (20, 25):  # training_info, functions: nothing that plays needs them
            facts.functions.append("training" if number == 20 else _named(_message(value), 1))
    if len(graphs) != 1:  # two would be merged into one by protobuf
        raise ValueError(f"{len(graphs)} graphs where one should be")
    _read_graph(graphs[0], facts, depth=0)
    return facts


def _read_graph(data: memoryview, facts: OnnxFacts, depth: int) -> None:
    if depth > DEPTH_LIMIT:
        raise ValueError("graphs inside graphs without an end")
    inputs, outputs, initializers = [], [], set()
    for number, value in _fields(data):
        if number == 1:
            _read_node(_message(value), facts, depth)
        elif number == 5:
            initializers.add(_read_tensor(_message(value), facts))
        elif number == 15:
            facts.functions.append("a sparse tensor")  # no exporter here writes one
        elif number == 11:
            inputs.append(_port(_message(value)))
        elif number == 12:
            outputs.append(_port(_message(value)))
    if depth == 0:
        facts.inputs = [port for port in inputs if port.name not in initializers]
        facts.outputs = outputs


def _read_node(data: memoryview, facts: OnnxFacts, depth: int) -> None:
    facts.domains.add("")
    for number, value in _fields(data):
        if number == 7:
            facts.domains.add(_text(value))
        elif number in (1, 2, 3, 4):  # names: onnxruntime trips over its own message on any that is no text
            _text(value)
        elif number == 5:
            for inner, part in _fields(_message(value)):
                if inner in (5, 10):  # tensors
                    _read_tensor(_message(part), facts)
                elif inner in (6, 11):  # graphs: bodies of If, Loop, Scan
                    _read_graph(_message(part), facts, depth + 1)
                elif inner in (2, 7):  # numbers
                    if not _floats_finite(part, "<f4"):
                        facts.non_finite.append("an attribute")
                elif inner in (22, 23):
                    facts.functions.append("a sparse tensor")


def _read_tensor(data: memoryview, facts: OnnxFacts) -> str:
    kind, name, raw = 0, "", b""
    halves: list[int] = []
    finite, external = True, False
    for number, value in _fields(data):
        if number == 2:
            kind = _integer(value)
        elif number == 8:
            name = _text(value)
        elif number == 9:
            raw = bytes(_message(value))
        elif number in (4, 10):  # float_data, double_data: packed, or one by one
            finite = finite and _floats_finite(value, "<f4" if number == 4 else "<f8")
        elif number == 5:  # where halves may stand as whole numbers
            halves += _varints(value) if isinstance(value, memoryview) else [value]
        elif number == 13 or (number == 14 and _integer(value) == EXTERNAL):
            external = True
    if kind in (FLOAT16, BFLOAT16) and halves:
        raw += np.array(halves, "<u8").astype("<u2").tobytes()
    if external:
        facts.external.append(name)
    if not (finite and _all_finite(kind, raw)):
        facts.non_finite.append(name)
    return name


def _all_finite(kind: int, raw: bytes) -> bool:
    if kind == BFLOAT16:  # the upper half of a float32
        return _floats_finite((np.frombuffer(raw, "<u2").astype("<u4") << 16).tobytes(), "<f4")
    dtype = np.dtype(ELEMENTS.get(kind, "int8")).newbyteorder("<")
    return dtype.kind != "f" or _floats_finite(raw, dtype.str)


def _floats_finite(value: Any, dtype: str) -> bool:
    if isinstance(value, int):
        raise ValueError("a whole number where floats should be")
    return bool(np.isfinite(np.frombuffer(value, dtype)).all())


def _port(data: memoryview) -> Port:
    name, types = "", []
    for number, value in _fields(data):
        if number == 1:
            name = _text(value)
        elif number == 2:
            types.append(_message(value))
    if len(types) != 1:
        raise ValueError(f"the input or output {name!r}, which has {len(types)} types")
    tensors = [_message(value) for number, value in _fields(types[0]) if number == 1]
    others = [
        number for number, _ in _fields(types[0]) if number in (4, 5, 8, 9)
    ]  # sequences, maps, optionals
    if len(tensors) != 1 or others:
        raise ValueError(f"the input or output {name!r}, which is no tensor")
    kind, shape = 0, []
    for number, value in _fields(tensors[0]):
        if number == 1:
            kind = _integer(value)
        elif number == 2:
            shape += [_size(_message(part)) for inner, part in _fields(_message(value)) if inner == 1]
    return Port(name, ELEMENTS.get(kind, f"type {kind}"), tuple(shape))


def _size(data: memoryview) -> int | None:
    sizes = [_integer(value) if number == 1 else None for number, value in _fields(data) if number in (1, 2)]
    return sizes[-1] if sizes else None


def _named(data: memoryview, wanted: int) -> str:
    return next((_text(value) for number, value in _fields(data) if number == wanted), "")


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """(field number, whole number or bytes) of one message."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == BYTES:
            length, position = _varint(data, position)
        elif wire in (FIXED32, FIXED64):
            length = 4 if wire == FIXED32 else 8
        else:
            raise ValueError(f"wire type {wire}")
        if number == 0 or position + length > len(data):
            raise ValueError("a field that ends behind the end of the file")
        yield number, data[position : position + length]
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
    raise ValueError("a number without an end")


def _varints(data: memoryview) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = _varint(data, position)
        yield value


def _message(value: Any) -> memoryview:
    if not isinstance(value, memoryview):
        raise ValueError("a number where a message should be")
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int):
        raise ValueError("bytes where a number should be")
    return value


def _text(value: Any) -> str:
    return bytes(_message(value)).decode("utf-8")
