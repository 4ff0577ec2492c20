"""Vectors of up to sixteen float32 in one variable of a numba function, so that vectorisation is explicit.

A vector exists inside compiled functions alone. Left to itself the compiler keeps sums of such loops in memory, since
it cannot know that two arrays do not overlap; here they stay in registers. Wider vectors than the processor's become
several of its own; where one sample depends on the last, fewer lanes (`narrow`) have a shorter latency.

The functions take flat arrays and do not check where they read: sizes are checked where a file is read. numba's cache
watches the file of the cached function alone: after a change here, remove `__pycache__` of this folder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

from tapezoo.compiled import compiled as compile_loop

LANES = 16
HOST_LANES = 16 if binding.get_host_cpu_features().get("avx512f") else 8  # of one register

_INDEX = ir.IntType(32)
_ALIGNED_BYTES = 4  # as numpy's float32 is

# a vector has no Python type, so functions that use it are not annotated
compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = compile_loop


def instruction(function: Callable[..., Any]) -> Any:
    """Makes `function` a numba intrinsic: it gives the compiler's code for a call, which numba's type stubs lack."""
    return intrinsic(function)


def _literally(function: Callable[..., Any]) -> Any:
    """As `instruction`, with arguments that are constants at compile time."""
    return intrinsic(prefer_literal=True)(function)


class _Vec(types.Type):
    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"float32x{lanes}")


vec = _Vec(LANES)


@register_model(_Vec)
class _VecModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, floats(of.lanes))  # type: ignore[no-untyped-call]


def floats(lanes: int) -> Any:
    """The compiler's type for a vector of `lanes` float32."""
    return ir.VectorType(ir.FloatType(), lanes)


def constant_like(value: float, x: Any) -> ir.Constant:
    """The constant in as many lanes as x has."""
    return ir.Constant(x.type, [float(np.float32(value))] * x.type.count)


def _splat(builder: Any, value: Any, lanes: int) -> Any:
    nothing = ir.Constant(floats(lanes), ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(_INDEX, 0))
    return shuffle(builder, first, [0] * lanes)


def shuffle(builder: Any, x: Any, lanes: list[int]) -> Any:
    """x[lanes[0]], x[lanes[1]], ..."""
    nothing = ir.Constant(x.type, ir.Undefined)
    return builder.shuffle_vector(x, nothing, ir.Constant(ir.VectorType(_INDEX, len(lanes)), lanes))


def _pointer(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return _place(context, builder, signature.args[0], *args[:2])


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    if kind.layout != "C" or kind.dtype != types.float32:
        raise TypeError(f"{kind}: the addresses below are those of contiguous float32")
    proxy: Any = cgutils.create_struct_proxy(kind)  # type: ignore[no-untyped-call]
    return builder.gep(proxy(context, builder, value=array).data, [index])


def _load(builder: Any, place: Any, kind: Any) -> Any:
    return builder.load(builder.bitcast(place, kind.as_pointer()), align=_ALIGNED_BYTES)


def operation(builder: Any, name: str, *args: Any) -> Any:
    """The compiler's own function `name` of vectors."""
    kind = ir.FunctionType(args[0].type, [args[0].type] * len(args))
    full_name = f"llvm.{name}.v{args[0].type.count}f32"
    function = cgutils.get_or_insert_function(builder.module, kind, full_name)  # type: ignore[no-untyped-call]
    return builder.call(function, args)


@instruction
def load(typing: Any, array: Any, start: Any) -> Any:
    """array[start : start + LANES]."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return load_lanes(context, builder, signature, args, LANES)

    return vec(array, types.int64), code


@instruction
def load_as(typing: Any, array: Any, start: Any, like: Any) -> Any:
    """As `load`, as many as `like` has."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return load_lanes(context, builder, signature, args, like.lanes)

    return like(array, types.int64, like), code


@instruction
def store(typing: Any, array: Any, start: Any, value: Any) -> Any:
    """array[start : ...] = value."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        store_lanes(context, builder, signature, args[:2], args[2])
        return context.get_dummy_value()

    return types.void(array, types.int64, value), code


@instruction
def spread(typing: Any, array: Any, index: Any) -> Any:
    """array[index] in every lane."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _splat(builder, builder.load(_pointer(context, builder, signature, args)), LANES)

    return vec(array, types.int64), code


@instruction
def fill(typing: Any, value: Any) -> Any:
    """A float32 in every lane."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _splat(builder, args[0], LANES)

    return vec(types.float32), code


@instruction
def fill_as(typing: Any, value: Any, like: Any) -> Any:
    """As `fill`, as many lanes as `like` has."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _splat(builder, args[0], like.lanes)

    return like(types.float32, like), code


@_literally
def narrow(typing: Any, lanes: Any) -> Any:
    """A vector of `lanes` zeros."""
    kind = _Vec(lanes.literal_value)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(floats(kind.lanes), [0.0] * kind.lanes)

    return kind(lanes), code


@instruction
def lanes_of(typing: Any, x: Any) -> Any:
    """How many lanes x has: a constant."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(ir.IntType(64), x.lanes)

    return types.int64(x), code


def load_lanes(context: Any, builder: Any, signature: Any, args: Any, lanes: int) -> Any:
    """Loads `lanes` values of an array from an index on."""
    return _load(builder, _pointer(context, builder, signature, args), floats(lanes))


def store_lanes(context: Any, builder: Any, signature: Any, args: Any, value: Any) -> None:
    """Stores a vector into an array from an index on."""
    place = builder.bitcast(_pointer(context, builder, signature, args), value.type.as_pointer())
    builder.store(value, place, align=_ALIGNED_BYTES)


def add_pairs(builder: Any, parts: list[Any]) -> Any:
    """The sum of vectors or of numbers, a power of two of them."""
    while len(parts) > 1:
        half = len(parts) // 2
        parts = [builder.fadd(a, b) for a, b in zip(parts[:half], parts[half:], strict=True)]
    return parts[0]


@instruction
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """A b + c, rounded once."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return operation(builder, "fma", *args)

    return a(a, a, a), code


@instruction
def add(typing: Any, a: Any, b: Any) -> Any:
    """A + b."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fadd(*args)

    return a(a, a), code


@instruction
def sub(typing: Any, a: Any, b: Any) -> Any:
    """A - b."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fsub(*args)

    return a(a, a), code


@instruction
def mul(typing: Any, a: Any, b: Any) -> Any:
    """A b."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fmul(*args)

    return a(a, a), code


@instruction
def total(typing: Any, x: Any) -> Any:
    """The sum of all lanes, as a number."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = [ir.Constant(_INDEX, lane) for lane in range(x.lanes)]
        return add_pairs(builder, [builder.extract_element(args[0], lane) for lane in lanes])

    return types.float32(x), code


@instruction
def div(typing: Any, a: Any, b: Any) -> Any:
    """A / b."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fdiv(*args)

    return a(a, a), code


@_literally
def add_tile(  # one name each, as numba wants them
    typing: Any,
    vectors: Any,
    like: Any,
    sums: Any,
    at: Any,
    begin: Any,
    begin_at: Any,
    x: Any,
    x_at: Any,
    x_step: Any,
    count: Any,
    weights: Any,
    w: Any,
    row: Any,
) -> Any:
    """`sums[at + j] = begin[begin_at + j] + sum_k x[x_at + k x_step] weights[w + k row + j]`, over k < count.

    For j < `vectors` times the lanes of `like`. The sums stay in registers, which have room for twelve.
    """
    number, lanes = vectors.literal_value, like.lanes

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x_step, count, row = args[8], args[9], args[12]
        kind, steps = floats(lanes), [ir.Constant(row.type, vector * lanes) for vector in range(number)]
        first_sum, first_begin, first_x, first_weight = (
            _place(context, builder, signature.args[index], args[index], args[index + 1])
            for index in (2, 4, 6, 10)
        )
        held = [
            cgutils.alloca_once_value(  # type: ignore[no-untyped-call]
                builder, _load(builder, builder.gep(first_begin, [step]), kind)
            )
            for step in steps
        ]
        with cgutils.for_range(builder, count) as loop:
            value = builder.load(builder.gep(first_x, [builder.mul(loop.index, x_step)]))
            factor = _splat(builder, value, lanes)
            there = builder.gep(first_weight, [builder.mul(loop.index, row)])
            for step, place in zip(steps, held, strict=True):
                term = _load(builder, builder.gep(there, [step]), kind)
                builder.store(operation(builder, "fma", factor, term, builder.load(place)), place)
        for step, place in zip(steps, held, strict=True):
            to = builder.bitcast(builder.gep(first_sum, [step]), kind.as_pointer())
            builder.store(builder.load(place), to, align=_ALIGNED_BYTES)
        return context.get_dummy_value()

    n = types.int64
    places = (sums, n, begin, n, x, n, n, n, weights, n, n)
    return types.void(vectors, like, *places), code
