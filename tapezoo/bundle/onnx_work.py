"""What a graph takes of memory and time, as far as it says so itself: sizes and counts that are constants in it.

A graph may compute a size, or hear it, and no reader can foresee that: `tapezoo.runtime.apart` bounds what it does.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle.onnx_file import Graph, Node
from tapezoo.bundle.onnx_values import SMALL_VALUES

VALUES_LIMIT = 1 << 26  # in all tensors whose sizes are constants; as many as a state may have
ROUNDS_LIMIT = 1 << 20  # of loops; the rounds of one inside another multiply
NO_LIMIT = (1 << 63) - 1  # how torch writes a loop that ends by its condition
Values = NDArray[Any]  # flat

# operator -> the input that holds the size of its result, or the factor by which it grows
SIZED_BY_INPUT: Mapping[str, tuple[int, ...]] = {
    "AffineGrid": (1,),
    "BlackmanWindow": (0,),
    "CenterCropPad": (1,),
    "Col2Im": (1,),
    "ConstantOfShape": (0,),
    "DFT": (1,),
    "Expand": (1,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "MaxUnpool": (2,),
    "MelWeightMatrix": (0,),
    "OneHot": (1,),
    "Resize": (1, 2, 3),
    "Tile": (1,),
    "Upsample": (1,),
}
GROWING = {"Resize", "Tile", "Upsample"}
SIZED_BY_ATTRIBUTE = ("shape", "output_shape", "sample_size", "scales", "pooled_shape", "output_height")
SAME = {"Identity", "Cast", "Unsqueeze", "Squeeze", "Reshape", "Flatten"}
ARITHMETIC: Mapping[str, Callable[[Values, Values], Values]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Max": np.maximum,
    "Min": np.minimum,
    "Pow": np.power,
}


@dataclass(frozen=True)
class Known:
    """What is known of a tensor: its values, where they are few constants, and how many it has."""

    values: Values | None = None
    count: int = 1


UNKNOWN = Known()
Names = ChainMap[str, Known]


class _Budget:
    """Counts what constant sizes add up to."""

    def __init__(self) -> None:
        self._values = 0

    def take(self, node: Node, values: int, rounds: int) -> None:
        self._values += values * rounds
        if self._values > VALUES_LIMIT:
            size = f"{values} values" if rounds == 1 else f"{values} values {rounds} times"
            raise ValueError(f"an operator {node.op} that makes {size}, over {VALUES_LIMIT} altogether")


def check_work(graph: Graph) -> None:
    """Refuses tensors and loops that are larger than those of any net here, where the graph says so itself.

    Raises:
        ValueError: With what was found.
    """
    _check(graph, ChainMap(), 1, _Budget())


def _check(graph: Graph, outer: Names, rounds: int, budget: _Budget) -> None:
    names = outer.new_child(dict.fromkeys(graph.inputs, UNKNOWN))  # whatever is called so outside
    names.update({name: Known(values, len(values)) for name, values in graph.constants.items()})
    for node in graph.nodes:
        count = _count(node, names)
        budget.take(node, count, rounds)
        for name in node.outputs:
            names[name] = Known(_values(node, names), max(count, 1))
        inner = rounds * _rounds(node, names) if node.op == "Loop" else rounds
        if inner > ROUNDS_LIMIT:
            raise ValueError(f"a loop of {inner} rounds, over {ROUNDS_LIMIT}")
        for body in node.bodies.values():
            _check(body, names, inner, budget)


def _look_up(node: Node, number: int, names: Names) -> Known:
    return names.get(node.inputs[number], UNKNOWN) if number < len(node.inputs) else UNKNOWN


def _values(node: Node, names: Names) -> Values | None:
    """The result, where it follows from constants in a step or two; without its shape, which sizes do not need."""
    known = [names.get(name, UNKNOWN).values for name in node.inputs]
    if node.op == "Constant":
        return next((found for found in node.attributes.values() if len(found)), None)
    if node.op in SAME:
        return known[0] if known else None
    values = [found for found in known if found is not None]
    if not values or len(values) < len(known):
        return None
    if node.op == "Concat":
        return np.concatenate(values)[:SMALL_VALUES]
    if node.op == "ConstantOfShape":
        count = _product(values[0])
        fill = node.attributes.get("value", np.zeros(1, np.int64))
        return np.repeat(fill[:1], count) if count <= SMALL_VALUES else None
    if node.op in ARITHMETIC and len({len(found) for found in values} - {1}) <= 1:
        with np.errstate(all="ignore"):
            result = values[0]
            for other in values[1:]:
                result = ARITHMETIC[node.op](result, other)
        return result
    return None


def _count(node: Node, names: Names) -> int:
    """How many values the result has at least, where constants say so; 0: they do not."""
    if node.op == "Range":
        ends = [_look_up(node, number, names).values for number in range(3)]
        start, stop, step = (None if end is None or not len(end) else float(end[0]) for end in ends)
        if start is None or stop is None or not step:
            return 0
        return _whole((stop - start) / step)
    counts = [0]
    grown = _look_up(node, 0, names).count if node.op in GROWING else 1
    for number in SIZED_BY_INPUT.get(node.op, ()):
        sizes = _look_up(node, number, names).values
        counts.append(0 if sizes is None else _product(sizes) * (1 if number == 3 else grown))
    for name in SIZED_BY_ATTRIBUTE:
        if name in node.attributes:
            counts.append(_product(node.attributes[name]) * grown)
    pads = node.attributes.get("pads", _look_up(node, 1, names).values if node.op == "Pad" else None)
    if pads is not None:
        sides = [1 + max(_whole(begin) + _whole(end), 0) for begin, end in _pairs(pads)]
        counts.append(prod(sides))
    return max(counts)


def _pairs(pads: Values) -> list[tuple[float, float]]:
    half = len(pads) // 2
    return list(zip(pads[:half].tolist(), pads[half : 2 * half].tolist(), strict=True))


def _rounds(node: Node, names: Names) -> int:
    """Of a loop, where a constant says so; 1: nobody knows.

    Raises:
        ValueError: It has no end.
    """
    limit = _look_up(node, 0, names).values
    rounds = NO_LIMIT if limit is None or not len(limit) else _whole(limit[0])
    named = bool(node.inputs and node.inputs[0])
    if rounds < NO_LIMIT:
        return rounds
    if (limit is not None or not named) and any(_is_endless(body) for body in node.bodies.values()):
        raise ValueError("a loop that does not end")
    return 1


def _is_endless(body: Graph) -> bool:
    """Whether the condition to go on is never computed: a constant, the one before, or one from outside."""
    made_by = {name: node for node in body.nodes for name in node.outputs}
    name = body.outputs[0] if body.outputs else ""
    for _ in range(len(body.nodes)):
        node = made_by.get(name)
        if node is None or node.op not in SAME or not node.inputs:
            break
        name = node.inputs[0]
    return name not in made_by or made_by[name].op == "Constant"


def _product(sizes: Values) -> int:
    return prod(max(_whole(size), 0) for size in sizes.tolist())


def _whole(number: float) -> int:
    try:
        return int(number)
    except (ValueError, OverflowError):  # NaN, infinity
        return NO_LIMIT
