"""Sixteen float32 in one variable of a numba function: what its compiler is not left to guess.

`Vec` exists inside compiled functions alone. Left to itself the compiler keeps sums of such loops in memory, since it
cannot know that two arrays do not overlap; here they stay in registers. Wider vectors than the processor's become
several of its own.

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

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTEGERS = ir.VectorType(ir.IntType(32), LANES)
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


# tanh(x) = x P(x^2) / Q(x^2) for |x| <= 9, within 2e-8 of itself, the largest error as small as it gets (Lawson's
# weights); beyond, float32 knows no number between it and 1
_TANH_REACH = 9.0
_TANH_OVER = (9.999999794e-01, 1.338102560e-01, 3.495588110e-03, 2.060908270e-05, 1.335466290e-08)
_TANH_UNDER = (1.0, 4.671434119e-01, 2.587698207e-02, 3.285634822e-04, 7.776558711e-07)

# `Vec` has no type in Python, so the functions around it have none either
compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = compile_loop


def _instruction(function: Callable[..., Any]) -> Any:
    """`function` says how a call of its name looks in the compiler's language; numba's types do not know that."""
    return intrinsic(function)


class _Vec(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


vec = _Vec()


@register_model(_Vec)
class _VecModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, _FLOATS)  # type: ignore[no-untyped-call]


def _constant(value: float) -> ir.Constant:
    return ir.Constant(_FLOATS, [float(np.float32(value))] * LANES)


def _splat(builder: Any, value: Any) -> Any:
    nothing = ir.Constant(_FLOATS, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(_INDEX, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES))


def _pointer(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    if signature.args[0].layout != "C" or signature.args[0].dtype != types.float32:
        raise TypeError(f"{signature.args[0]}: the addresses below are those of contiguous float32")
    proxy: Any = cgutils.create_struct_proxy(signature.args[0])  # type: ignore[no-untyped-call]
    array = proxy(context, builder, value=args[0])
    return builder.gep(array.data, [args[1]])


def _call(builder: Any, name: str, *args: Any) -> Any:
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * len(args))
    full_name = f"llvm.{name}.v{LANES}f32"
    function = cgutils.get_or_insert_function(builder.module, kind, full_name)  # type: ignore[no-untyped-call]
    return builder.call(function, args)


def _exp(builder: Any, x: Any) -> Any:
    """Of x, within 1e-7 of itself: 2^r exp(f), r the integer nearest to x / ln 2, f what is left (Cody, Waite)."""
    limit = _LARGEST_EXPONENT * math.log(2)
    for sign, bound in (("<", limit), (">", -limit)):
        # a NaN passes: both comparisons are true for it
        x = builder.select(builder.fcmp_unordered(sign, x, _constant(bound)), x, _constant(bound))
    r = _call(builder, "rint", builder.fmul(x, _constant(1 / math.log(2))))
    f = _call(builder, "fma", r, _constant(-_LN_2_HIGH), x)
    f = _call(builder, "fma", r, _constant(_LN_2_HIGH - math.log(2)), f)
    power = _constant(1 / math.factorial(_TAYLOR_TERMS))
    for n in reversed(range(_TAYLOR_TERMS)):
        power = _call(builder, "fma", power, f, _constant(1 / math.factorial(n)))
    bias, mantissa_bits = (ir.Constant(_INTEGERS, [value] * LANES) for value in (127, 23))
    exponent = builder.shl(builder.add(builder.fptosi(r, _INTEGERS), bias), mantissa_bits)
    return builder.fmul(power, builder.bitcast(exponent, _FLOATS))


@_instruction
def load(typing: Any, array: Any, start: Any) -> Any:
    """array[start : start + LANES]."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature, args)
        return builder.load(builder.bitcast(pointer, _FLOATS.as_pointer()), align=_ALIGNED_BYTES)

    return vec(array, types.int64), code


@_instruction
def store(typing: Any, array: Any, start: Any, value: Any) -> Any:
    """array[start : start + LANES] = value."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature, args)
        builder.store(args[2], builder.bitcast(pointer, _FLOATS.as_pointer()), align=_ALIGNED_BYTES)
        return context.get_dummy_value()

    return types.void(array, types.int64, vec), code


@_instruction
def spread(typing: Any, array: Any, index: Any) -> Any:
    """array[index] in every lane."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _splat(builder, builder.load(_pointer(context, builder, signature, args)))

    return vec(array, types.int64), code


@_instruction
def fill(typing: Any, value: Any) -> Any:
    """A float32 in every lane."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _splat(builder, args[0])

    return vec(types.float32), code


@_instruction
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """A b + c, rounded once."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _call(builder, "fma", *args)

    return vec(vec, vec, vec), code


@_instruction
def add(typing: Any, a: Any, b: Any) -> Any:
    """A + b."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fadd(*args)

    return vec(vec, vec), code


@_instruction
def sub(typing: Any, a: Any, b: Any) -> Any:
    """A - b."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fsub(*args)

    return vec(vec, vec), code


@_instruction
def mul(typing: Any, a: Any, b: Any) -> Any:
    """A b."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fmul(*args)

    return vec(vec, vec), code


@_instruction
def total(typing: Any, x: Any) -> Any:
    """The sum of all lanes, as a number."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        parts = [builder.extract_element(args[0], ir.Constant(_INDEX, lane)) for lane in range(LANES)]
        while len(parts) > 1:
            half = len(parts) // 2
            parts = [builder.fadd(a, b) for a, b in zip(parts[:half], parts[half:], strict=True)]
        return parts[0]

    return types.float32(vec), code


@_instruction
def sigmoid(typing: Any, x: Any) -> Any:
    """1 / (1 + exp(-x)), within 3e-7 of itself."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        exp = _exp(builder, builder.fneg(args[0]))
        return builder.fdiv(_constant(1), builder.fadd(exp, _constant(1)))

    return vec(vec), code


@_instruction
def tanh(typing: Any, x: Any) -> Any:
    """Of x, within 3e-7 of itself: a polynomial near 0, and 1 - 2 / (1 + exp(2 |x|)) with x's sign."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        [x] = args
        size = _call(builder, "fabs", x)
        exp = _exp(builder, builder.fadd(size, size))
        far = builder.fdiv(_constant(-2), builder.fadd(exp, _constant(1)))
        far = _call(builder, "copysign", builder.fadd(far, _constant(1)), x)
        square = builder.fmul(x, x)
        *others, sum_ = (_constant(c) for c in _tanh_series())
        for c in reversed(others):
            sum_ = _call(builder, "fma", sum_, square, c)
        near = _call(builder, "fma", builder.fmul(sum_, square), x, x)
        return builder.select(builder.fcmp_ordered("<", size, _constant(_SMALL)), near, far)

    return vec(vec), code


@_instruction
def soon_tanh(typing: Any, x: Any) -> Any:
    """Of x, within 4e-7 of itself, in half the time of `tanh` where the next step waits for it."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        [x] = args
        for sign, bound in (("<", _TANH_REACH), (">", -_TANH_REACH)):
            # a NaN passes: both comparisons are true for it
            x = builder.select(builder.fcmp_unordered(sign, x, _constant(bound)), x, _constant(bound))
        u = builder.fmul(x, x)
        square = builder.fmul(u, u)
        fourth = builder.fmul(square, square)

        def polynomial(terms: tuple[float, ...]) -> Any:
            a, b, c, d, e = (_constant(term) for term in terms)
            low, high = _call(builder, "fma", u, b, a), _call(builder, "fma", u, d, c)
            return _call(builder, "fma", fourth, e, _call(builder, "fma", square, high, low))

        over, under = polynomial(_TANH_OVER), polynomial(_TANH_UNDER)
        return builder.fdiv(builder.fmul(x, over), under)

    return vec(vec), code
