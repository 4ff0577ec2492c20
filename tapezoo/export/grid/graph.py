"""Splits exported points into one graph and their numbers, and joins them with the numbers as inputs.

The exporter merges constants that happen to be equal, which points need not share. So every use of a constant is
taken as one of its own, and those equal at all points are merged here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from tapezoo.export.errors import GridError

FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
Numbers = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class SplitGraph:
    """One exported point.

    Args:
        model: Its graph, without the floating-point constants that nodes of it read.
        numbers: These, by use: unique names, in the order of the nodes.
        shown: What a use is called for people; may stand twice.
    """

    model: onnx.ModelProto
    numbers: Numbers
    shown: dict[str, str]


def split_graph(model: onnx.ModelProto) -> SplitGraph:
    """Takes the floating-point constants out of a graph; `model` is left as it is."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    values = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            values[node.output[0]] = node.attribute[0].t
    values = {name: tensor for name, tensor in values.items() if tensor.data_type in FLOATS}
    aliases = {name: name for name in values}
    kept = []
    ends = {value.name for value in graph.output}
    for node in graph.node:
        same = node.op_type == "Identity" and node.input[0] in aliases and node.output[0] not in ends
        if same:  # so the exporter writes a constant that equals another one
            aliases[node.output[0]] = aliases[node.input[0]]
        elif not (node.op_type == "Constant" and node.output[0] in values):
            kept.append(node)
    numbers: Numbers = {}
    shown = {}
    for place, node in _nodes_within(kept):
        for slot, name in enumerate(node.input):
            if name in aliases:
                use = f"use_{place}_{slot}"
                numbers[use] = onnx.numpy_helper.to_array(values[aliases[name]])
                shown[use] = _readable_name(name, node, slot)
                node.input[slot] = use
    inner = _find_subgraph_outputs(kept)
    left = [tensor for tensor in graph.initializer if tensor.data_type not in FLOATS or tensor.name in inner]
    inner_constants = [
        node for node in graph.node if node.op_type == "Constant" and node.output[0] in inner & set(values)
    ]
    nodes, tensors = _copy_messages(inner_constants + kept), _copy_messages(left)
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(tensors)
    return SplitGraph(result, numbers, shown)


@dataclass(frozen=True)
class JoinedGraph:
    """All points as one.

    Args:
        model: Graph with the inputs `weight_<name>` behind the others.
        weights: (points, *shape) by name, in the order of the inputs: what differs between points.
    """

    model: onnx.ModelProto
    weights: Numbers


def join_graphs(points: Sequence[SplitGraph]) -> JoinedGraph:
    """One graph for all points; numbers that are the same at every point are constants of it.

    Constants stay with onnxruntime, which packs them once for its kernels; and a point is smaller without them.

    Raises:
        GridError: The points differ in more than floating-point numbers.
    """
    first = points[0]
    for number, point in enumerate(points[1:], 1):
        if difference := _find_difference(first, point):
            raise GridError(
                "the grid",
                found=f"another graph at point {number} than at point 0: {difference}",
                expected="points that differ only in their weights",
                fix="The net's `folded` must give the same operations at every setting; export without a grid.",
            )
    model = onnx.ModelProto()
    model.CopyFrom(first.model)
    weights: Numbers = {}
    merged: dict[tuple[Any, ...], str] = {}  # what a constant is -> its name
    names: dict[str, str] = {}  # use -> input or constant of the graph
    for use, shown in first.shown.items():
        stacked = np.stack([point.numbers[use] for point in points])
        differs = any(stacked[0].tobytes() != other.tobytes() for other in stacked[1:])
        content = stacked if differs else stacked[0]
        key = (differs, stacked.dtype.str, stacked.shape, content.tobytes())
        if key not in merged:
            merged[key] = name = _free_name(shown, {*weights, *merged.values()})
            if differs:
                weights[name] = stacked
            else:
                model.graph.initializer.append(onnx.numpy_helper.from_array(stacked[0], f"constant_{name}"))
        names[use] = f"{'weight' if differs else 'constant'}_{merged[key]}"
    for _, node in _nodes_within(model.graph.node):
        node.input[:] = [names.get(name, name) for name in node.input]
    _replace_inputs(model.graph, weights)
    onnx.checker.check_model(model, full_check=True)
    return JoinedGraph(model, weights)


def _replace_inputs(graph: onnx.GraphProto, weights: Mapping[str, NDArray[Any]]) -> None:
    """Weights come last; "controls" go: a folded net has none."""
    inputs = [value for value in graph.input if value.name != "controls"]
    if any("controls" in node.input for node in graph.node):
        # (batch, 0) is read for its first size alone
        nodes = [
            onnx.helper.make_node("Shape", ["input"], ["controls_rows"], start=0, end=1),
            onnx.helper.make_node("Concat", ["controls_rows", "controls_none"], ["controls_shape"], axis=0),
            onnx.helper.make_node("ConstantOfShape", ["controls_shape"], ["controls"]),
            *_copy_messages(graph.node),
        ]
        del graph.node[:]
        graph.node.extend(nodes)
        graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(1, np.int64), "controls_none"))
    for name, stacked in weights.items():
        kind = onnx.helper.np_dtype_to_tensor_dtype(stacked.dtype)
        inputs.append(onnx.helper.make_tensor_value_info(f"weight_{name}", kind, stacked.shape[1:]))
    inputs = _copy_messages(inputs)
    del graph.input[:]
    graph.input.extend(inputs)


def _find_difference(one: SplitGraph, other: SplitGraph) -> str | None:
    """What is not the same in two points besides their numbers, for people."""
    left, right = one.model.graph, other.model.graph
    if len(left.node) != len(right.node):
        return f"{len(right.node)} operations, not {len(left.node)}"
    for position, (a, b) in enumerate(zip(left.node, right.node, strict=True)):
        if a.SerializeToString(deterministic=True) != b.SerializeToString(deterministic=True):
            return f"operation {position}, {b.op_type} {b.name!r}, is not as {a.op_type} {a.name!r} there"
    for part in ("initializer", "input", "output"):
        texts = [
            [value.SerializeToString(deterministic=True) for value in getattr(graph, part)]
            for graph in (left, right)
        ]
        if texts[0] != texts[1]:
            return f"another {'constant that is not a weight' if part == 'initializer' else part}"
    for use, value in one.numbers.items():
        found = other.numbers[use]
        if (value.shape, value.dtype) != (found.shape, found.dtype):
            return f"{one.shown[use]} is {found.dtype} {found.shape}, not {value.dtype} {value.shape}"
    return None


def _readable_name(name: str, node: onnx.NodeProto, slot: int) -> str:
    """A parameter's own name; for what the exporter made of parameters, where it is used."""
    text = name if name.startswith("net.") else f"{node.name or node.op_type}_{slot}"
    words = [word for word in re.split(r"[^A-Za-z0-9]+", text) if word]
    return "_".join(words[1:] if words[0] == "net" and len(words) > 1 else words)


def _free_name(name: str, taken: set[str]) -> str:
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def _nodes_within(nodes: Sequence[onnx.NodeProto], of: str = "") -> Iterator[tuple[str, onnx.NodeProto]]:
    """All nodes, also those in bodies of loops, which read constants of the graph around them; each with its place."""
    for position, node in enumerate(nodes):
        place = f"{of}{position}"
        yield place, node
        for attribute in node.attribute:
            for number, body in enumerate([attribute.g, *attribute.graphs]):
                yield from _nodes_within(body.node, f"{place}_{number}_")


def _find_subgraph_outputs(nodes: Sequence[onnx.NodeProto]) -> set[str]:
    """What bodies of loops give as it is: a constant may be among it."""
    return {
        value.name
        for _, node in _nodes_within(nodes)
        for attribute in node.attribute
        for body in [attribute.g, *attribute.graphs]
        for value in body.output
    }


def _copy_messages(messages: Any) -> list[Any]:
    """Of protobuf messages, which are views into their list."""
    copies = []
    for message in messages:
        copy = type(message)()
        copy.CopyFrom(message)
        copies.append(copy)
    return copies
