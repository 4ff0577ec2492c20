"""The contents of an ONNX file, read without a runtime: nothing in it is run, and no other file is opened.

The field numbers are those of onnx.proto3. Only what decides whether a stranger's graph may be opened is read; all
else is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle.onnx_values import (
    BFLOAT16,
    ELEMENTS,
    FLOAT16,
    FLOATS,
    LISTED,
    SMALL_VALUES,
    all_finite,
    floats_finite,
    join_halves,
    small_values,
    whole_numbers,
)
from tapezoo.bundle.protobuf import fields, integer, message, text

FIELD_LIMIT = 1 << 22  # of a file, each some microseconds; the largest graph here has 60,000
# AttributeProto.AttributeType -> the field that holds the value: float, int, tensor, floats, ints
VALUES_OF_ATTRIBUTE = {1: 2, 2: 3, 4: 5, 6: 7, 7: 8}
SINGLE = {1, 2, 4}
EXTERNAL = 1  # TensorProto.DataLocation
DEPTH_LIMIT = 64  # of graphs inside graphs; protobuf's own readers stop at 100 messages


@dataclass(frozen=True)
class Port:
    """An input or output: dtype by numpy's name, sizes as numbers, None where they are free."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass
class Node:
    """One operator.

    Args:
        op: Its type.
        inputs: Names, "" for one that is left out.
        outputs: Likewise.
        attributes: Numbers by name, flat; those that are tensors only where they are small.
        bodies: Graphs inside it, by the attribute's name.
    """

    op: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    attributes: dict[str, NDArray[Any]] = field(default_factory=dict)
    bodies: dict[str, Graph] = field(default_factory=dict)


@dataclass
class Graph:
    """Operators in their order, small stored tensors (flat) by name, and the graph's own inputs and outputs."""

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


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
        graph: The main graph.
        fields_left: How much more may be read.
    """

    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    domains: set[str] = field(default_factory=set)
    external: list[str] = field(default_factory=list)
    non_finite: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    graph: Graph = field(default_factory=Graph)
    fields_left: int = FIELD_LIMIT

    def fields(self, data: memoryview) -> Iterator[tuple[int, Any]]:
        """(field number, value) of one message, as long as the file has not too many.

        Raises:
            ValueError: It has, or it is no message.
        """
        for found in fields(data):
            self.fields_left -= 1
            if self.fields_left < 0:
                raise ValueError(f"more than {FIELD_LIMIT} parts")
            yield found


def read_onnx(data: bytes) -> OnnxFacts:
    """Reads a serialized ModelProto.

    Raises:
        ValueError: It is none.
    """
    facts = OnnxFacts()
    graphs = []
    for number, value in facts.fields(memoryview(data)):
        if number == 7:
            graphs.append(message(value))
        elif number == 14:
            entry = {key: text(part) for key, part in facts.fields(message(value)) if key in (1, 2)}
            facts.metadata[entry.get(1, "")] = entry.get(2, "")
        elif number in (20, 25):  # training_info, functions: nothing that plays needs them
            facts.functions.append("training" if number == 20 else _read_name(message(value), 1, facts))
    if len(graphs) != 1:  # two would be merged into one by protobuf
        raise ValueError(f"{len(graphs)} graphs where one should be")
    facts.graph = _read_graph(graphs[0], facts, depth=0)
    return facts


def _read_graph(data: memoryview, facts: OnnxFacts, depth: int) -> Graph:
    if depth > DEPTH_LIMIT:
        raise ValueError("graphs nested too deeply")
    graph = Graph()
    inputs, outputs, initializers = [], [], set()
    for number, value in facts.fields(data):
        if number == 1:
            graph.nodes.append(_read_node(message(value), facts, depth))
        elif number == 5:
            name, small = _read_tensor(message(value), facts)
            initializers.add(name)
            if small is not None:
                graph.constants[name] = small
        elif number == 15:
            facts.functions.append("a sparse tensor")  # no exporter here writes one
        elif number == 11:
            inputs.append(_port(message(value), facts))
        elif number == 12:
            outputs.append(_port(message(value), facts))
    if depth == 0:
        facts.inputs = [port for port in inputs if port.name not in initializers]
        facts.outputs = outputs
    graph.inputs = [port.name for port in inputs]
    graph.outputs = [port.name for port in outputs]
    return graph


def _read_node(data: memoryview, facts: OnnxFacts, depth: int) -> Node:
    facts.domains.add("")
    node, names = Node(), set[str]()
    for number, value in facts.fields(data):
        if number == 7:
            facts.domains.add(text(value))
        elif number == 1:
            node.inputs.append(text(value))
        elif number == 2:
            node.outputs.append(text(value))
        elif number == 4:
            node.op = text(value)
        elif number == 3:  # its name: onnxruntime fails in its own error message if it is not valid text
            text(value)
        elif number == 5:
            _read_attribute(message(value), node, names, facts, depth)
    return node


def _read_attribute(data: memoryview, node: Node, names: set[str], facts: OnnxFacts, depth: int) -> None:
    name, kind = "", 0
    found: dict[int, list[NDArray[Any]]] = {}
    single = set()
    for number, part in facts.fields(data):
        if number == 1:
            name = text(part)
        elif number == 20:
            kind = integer(part)
        elif number in (5, 10):  # tensors
            small = _read_tensor(message(part), facts)[1]
            found.setdefault(number, []).append(np.zeros(0) if small is None else small)
        elif number in (6, 11):  # graphs: bodies of If, Loop, Scan
            node.bodies[name or str(len(node.bodies))] = _read_graph(message(part), facts, depth + 1)
        elif number in (2, 7):  # floats
            if not floats_finite(part, "<f4"):
                facts.non_finite.append("an attribute")
            found.setdefault(number, []).append(np.frombuffer(part, "<f4")[:SMALL_VALUES])
        elif number in (3, 8):  # whole numbers
            found.setdefault(number, []).append(whole_numbers(part))
        elif number in (22, 23):
            facts.functions.append("a sparse tensor")
        if number in (5, 6) and number in single:  # two would be merged into one by protobuf
            raise ValueError("an attribute with two values")
        single.add(number)
    if name in names:
        raise ValueError(f"two attributes {name!r}")
    names.add(name)
    values = found.get(VALUES_OF_ATTRIBUTE.get(kind, 0), [])
    if values:
        node.attributes[name] = np.concatenate(values[-1:] if kind in SINGLE else values[:SMALL_VALUES])


def _read_tensor(data: memoryview, facts: OnnxFacts) -> tuple[str, NDArray[Any] | None]:
    """The name, and the values, flat, where they may be a shape or a count."""
    kind, name, raw = 0, "", b""
    listed: dict[int, list[Any]] = {}  # by field, as they stand
    finite, external = True, False
    for number, value in facts.fields(data):
        if number == 2:
            kind = integer(value)
        elif number == 8:
            name = text(value)
        elif number == 9:
            raw = bytes(message(value))
        elif number in (4, 5, 7, 10):  # packed, or one by one
            if number in FLOATS:
                finite = finite and floats_finite(value, FLOATS[number])
            listed.setdefault(number, []).append(value)
        elif number == 13 or (number == 14 and integer(value) == EXTERNAL):
            external = True
    if kind in (FLOAT16, BFLOAT16):  # may stand as whole numbers
        raw += join_halves(listed.get(5, []))
    if external:
        facts.external.append(name)
    if not (finite and all_finite(kind, raw)):
        facts.non_finite.append(name)
    return name, small_values(kind, raw, listed.get(LISTED.get(kind, 0), []))


def _port(data: memoryview, facts: OnnxFacts) -> Port:
    name, types = "", []
    for number, value in facts.fields(data):
        if number == 1:
            name = text(value)
        elif number == 2:
            types.append(message(value))
    if len(types) != 1:
        raise ValueError(f"the input or output {name!r}, which has {len(types)} types")
    tensors = [message(value) for number, value in facts.fields(types[0]) if number == 1]
    others = [
        number for number, _ in facts.fields(types[0]) if number in (4, 5, 8, 9)
    ]  # sequences, maps, optionals
    if len(tensors) != 1 or others:
        raise ValueError(f"the input or output {name!r}, which is not a tensor")
    kind, shape = 0, []
    for number, value in facts.fields(tensors[0]):
        if number == 1:
            kind = integer(value)
        elif number == 2:
            shape += [
                _size(message(part), facts) for inner, part in facts.fields(message(value)) if inner == 1
            ]
    return Port(name, ELEMENTS.get(kind, f"type {kind}"), tuple(shape))


def _size(data: memoryview, facts: OnnxFacts) -> int | None:
    sizes = [
        integer(value) if number == 1 else None for number, value in facts.fields(data) if number in (1, 2)
    ]
    return sizes[-1] if sizes else None


def _read_name(data: memoryview, wanted: int, facts: OnnxFacts) -> str:
    return next((text(value) for number, value in facts.fields(data) if number == wanted), "")
