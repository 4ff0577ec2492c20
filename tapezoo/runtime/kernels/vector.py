"""Sixteen float32, or fewer, in one variable of a numba function: what its compiler is not left to guess.

A vector exists inside compiled functions alone. Left to itself the compiler keeps sums of such loops in memory, since
it cannot know that two arrays do not overlap; here they stay in registers. Wider vectors than the processor's become
several of its own; where one sample waits for the last, fewer lanes (`narrow`) wait for less.

The functions take flat arrays and do not check where they read: sizes are checked where a file is read. numba's cache
watches the file of the cached function alone: after a change here, remove `__pycache__` of this folder.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

from tapezoo.compiled import compiled as compile_loop

LANES = 16

_INDEX = ir.IntType(32)
_ALIGNED_BYTES = 4  # as numpy's float32 is
_LARGEST_EXPONENT = 126.0  # 2^126 and its inverse are ordinary float32
_TAYLOR_TERMS = 7  # of exp(f), |f| <= ln(2) / 2: the eighth is 5e-9 of it, a tenth of float32's own rounding
_LN_2_HIGH = 355 / 512  # nine bits: its product with any exponent is exact
_SMALL = 0.625  # below it, 1 - 2 / (1 + exp(2 x)) has lost the digits of x


def _tanh_series(terms: int = 6) -> list[float]:
    """Of `tanh(x) = x + x^3 (c_0 + c_1 x^2 + ...)` for |x| <= _SMALL: through Chebyshev's points, within 3e-9."""
    nodes = np.cos(np.pi * (np.arange(terms) + 0.5) / terms)
    u = _SMALL**2 * (nodes + 1) / 2
    x = np.sqrt(u)
    return [float(c) for c in np.polynomial.polynomial.polyfit(u, (np.tanh(x) / x - 1) / u, terms - 1)]


# tanh(x) = c x (x^2 + a_1)(x^2 + a_2)(x^2 + a_3) / ((x^2 + b_1) ... (x^2 + b_4)) for |x| <= 8, within 1.5e-7 of itself,
# the largest error as small as it gets (Lawson's weights); beyond, tanh(8) is within 2.3e-7 of 1. Factors wait for
# fewer steps than polynomials do, and these, all positive, lose no digits
_TANH_REACH = 8.0
_TANH_FACTOR = 46.472030801
_TANH_OVER = (9.8797965, 43.16674235, 205.17225549)
_TANH_UNDER = (2.4674656, 22.52785847, 85.01229233, 860.50793334)

# a vector has no type in Python, so the functions around it have none either
compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = compile_loop


def instruction(function: Callable[..., Any]) -> Any:
    """`function` says how a call of its name looks in the compiler's language; numba's types do not know that."""
    return intrinsic(function)


def _literally(function: Callable[..., Any]) -> Any:
    """As `instruction`; what it is called with is known as it is compiled."""
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
    """So many float32, to the compiler."""
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
    if signature.args[0].layout != "C" or signature.args[0].dtype != types.float32:
        raise TypeError(f"{signature.args[0]}: the addresses below are those of contiguous float32")
    proxy: Any = cgutils.create_struct_proxy(signature.args[0])  # type: ignore[no-untyped-call]
    array = proxy(context, builder, value=args[0])
    return builder.gep(array.data, [args[1]])


def operation(builder: Any, name: str, *args: Any) -> Any:
    """The compiler's own function `name` of vectors."""
    kind = ir.FunctionType(args[0].type, [args[0].type] * len(args))
    full_name = f"llvm.{name}.v{args[0].type.count}f32"
    function = cgutils.get_or_insert_function(builder.module, kind, full_name)  # type: ignore[no-untyped-call]
    return builder.call(function, args)


def _exp(builder: Any, x: Any) -> Any:
    """Of x, within 1e-7 of itself: 2^r exp(f), r the integer nearest to x / ln 2, f what is left (Cody, Waite)."""
    limit = _LARGEST_EXPONENT * math.log(2)
    for sign, bound in (("<", limit), (">", -limit)):
        # a NaN passes: both comparisons are true for it
        x = builder.select(
            builder.fcmp_unordered(sign, x, constant_like(bound, x)), x, constant_like(bound, x)
        )
    r = operation(builder, "rint", builder.fmul(x, constant_like(1 / math.log(2), x)))
    f = operation(builder, "fma", r, constant_like(-_LN_2_HIGH, x), x)
    f = operation(builder, "fma", r, constant_like(_LN_2_HIGH - math.log(2), x), f)
    power = constant_like(1 / math.factorial(_TAYLOR_TERMS), x)
    for n in reversed(range(_TAYLOR_TERMS)):
        power = operation(builder, "fma", power, f, constant_like(1 / math.factorial(n), x))
    integers = ir.VectorType(ir.IntType(32), x.type.count)
    bias, mantissa_bits = (ir.Constant(integers, [value] * x.type.count) for value in (127, 23))
    exponent = builder.shl(builder.add(builder.fptosi(r, integers), bias), mantissa_bits)
    return builder.fmul(power, builder.bitcast(exponent, x.type))


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
    """A vector of so many zeros."""
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
    """So many of an array from an index on."""
    place = builder.bitcast(_pointer(context, builder, signature, args), floats(lanes).as_pointer())
    return builder.load(place, align=_ALIGNED_BYTES)


def store_lanes(context: Any, builder: Any, signature: Any, args: Any, value: Any) -> None:
    """A vector into an array from an index on."""
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
def sigmoid(typing: Any, x: Any) -> Any:
    """1 / (1 + exp(-x)), within 3e-7 of itself."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        exp = _exp(builder, builder.fneg(args[0]))
        return builder.fdiv(constant_like(1, exp), builder.fadd(exp, constant_like(1, exp)))

    return x(x), code


@instruction
def tanh(typing: Any, x: Any) -> Any:
    """Of x, within 3e-7 of itself: a polynomial near 0, and 1 - 2 / (1 + exp(2 |x|)) with x's sign."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        [x] = args
        size = operation(builder, "fabs", x)
        exp = _exp(builder, builder.fadd(size, size))
        far = builder.fdiv(constant_like(-2, x), builder.fadd(exp, constant_like(1, x)))
        far = operation(builder, "copysign", builder.fadd(far, constant_like(1, x)), x)
        square = builder.fmul(x, x)
        *others, sum_ = (constant_like(c, x) for c in _tanh_series())
        for c in reversed(others):
            sum_ = operation(builder, "fma", sum_, square, c)
        near = operation(builder, "fma", builder.fmul(sum_, square), x, x)
        return builder.select(builder.fcmp_ordered("<", size, constant_like(_SMALL, x)), near, far)

    return x(x), code


@instruction
def soon_tanh(typing: Any, x: Any) -> Any:
    """Of x, within 6e-7 of itself, in a third of the time of `tanh` where the next step waits for it."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        [x] = args
        for sign, bound in (("<", _TANH_REACH), (">", -_TANH_REACH)):
            # a NaN passes: both comparisons are true for it
            x = builder.select(
                builder.fcmp_unordered(sign, x, constant_like(bound, x)), x, constant_like(bound, x)
            )
        a, b, c = (operation(builder, "fma", x, x, constant_like(term, x)) for term in _TANH_OVER)
        over = builder.fmul(
            builder.fmul(builder.fmul(x, constant_like(_TANH_FACTOR, x)), c), builder.fmul(a, b)
        )
        a, b, c, d = (operation(builder, "fma", x, x, constant_like(term, x)) for term in _TANH_UNDER)
        return builder.fdiv(over, builder.fmul(builder.fmul(a, d), builder.fmul(b, c)))

    return x(x), code
