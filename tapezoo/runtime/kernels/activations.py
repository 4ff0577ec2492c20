"""Activations of the kernels' vectors: tanh, the logistic function, powers of two, and what they are made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]

from tapezoo.runtime.kernels.vector import constant_like, instruction, operation

LOGISTIC = -1 / math.log(2)  # the logistic function of y is 1 / (1 + 2^(LOGISTIC y))
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
# the largest error as small as it gets (Lawson's weights); beyond, tanh(8) is within 2.3e-7 of 1. A product of
# factors has a shorter dependency chain than a polynomial, and these, all positive, lose no digits
_TANH_REACH = 8.0
_TANH_FACTOR = 46.472030801
_TANH_OVER = (9.8797965, 43.16674235, 205.17225549)
_TANH_UNDER = (2.4674656, 22.52785847, 85.01229233, 860.50793334)
# multiplied out: the fewest operations, for where latency does not matter
_TANH_OVER_TERMS = (46.472030801, 11999.951754, 525605.948, 4066376.23)
_TANH_UNDER_TERMS = (1.0, 970.5155503, 96842.9232, 1881060.1, 4066376.82)
_GATED_EXPONENT = 60.0  # the ratio's lower part times 2^60 is an ordinary float32
_ROUNDER = 12582912.0  # 1.5 x 2^23: what is added to it becomes a whole number
_ROUNDER_BITS = 0x4B400000
# 2^f - 1 = f (c_0 + c_1 f + ...), |f| <= 1 / 2, within 2e-7
_POWER_TERMS = (0.69314718246, 0.24022647738, 0.05550332367, 0.00961843785, 0.0013398875, 0.0001535335)


def _exp(builder: Any, x: Any) -> Any:
    """exp(x), relative error at most 1e-7: 2^r exp(f), r the integer nearest x / ln 2, f the rest (Cody, Waite)."""
    x = _held(builder, x, _LARGEST_EXPONENT * math.log(2))
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


def _power_of_two(builder: Any, x: Any, largest: float) -> Any:
    """2^x, relative error at most 2e-7; x is clamped to ±largest."""
    x = _held(builder, x, largest)
    rounded = builder.fadd(x, constant_like(_ROUNDER, x))
    f = builder.fsub(x, builder.fsub(rounded, constant_like(_ROUNDER, x)))
    integers = ir.VectorType(ir.IntType(32), x.type.count)
    bias, mantissa_bits = (
        ir.Constant(integers, [value] * x.type.count) for value in (127 - _ROUNDER_BITS, 23)
    )
    exponent = builder.shl(builder.add(builder.bitcast(rounded, integers), bias), mantissa_bits)
    power = builder.bitcast(exponent, x.type)
    square = builder.fmul(f, f)
    a, b, c, d, e, g = (constant_like(term, x) for term in _POWER_TERMS)
    low, high, top = (
        operation(builder, "fma", second, f, first) for first, second in ((a, b), (c, d), (e, g))
    )
    series = operation(builder, "fma", operation(builder, "fma", top, square, high), square, low)
    return operation(builder, "fma", builder.fmul(series, f), power, power)


def _held(builder: Any, x: Any, bound: float) -> Any:
    """Clamped to ±bound; NaN passes: both comparisons are true for it."""
    for sign, limit in (("<", bound), (">", -bound)):
        x = builder.select(
            builder.fcmp_unordered(sign, x, constant_like(limit, x)), x, constant_like(limit, x)
        )
    return x


def _tanh_ratio(builder: Any, x: Any) -> tuple[Any, Any]:
    """tanh(x) as a ratio, see `_TANH_OVER`, in the fewest steps."""
    x = _held(builder, x, _TANH_REACH)
    square = builder.fmul(x, x)
    sums = []
    for first, *others in (_TANH_OVER_TERMS, _TANH_UNDER_TERMS):
        sum_ = constant_like(first, x)
        for term in others:
            sum_ = operation(builder, "fma", sum_, square, constant_like(term, x))
        sums.append(sum_)
    return builder.fmul(x, sums[0]), sums[1]


def _soon_tanh_ratio(builder: Any, x: Any) -> tuple[Any, Any]:
    """The same with lower latency, for where the next sample depends on it: more operations in a shorter chain."""
    x = _held(builder, x, _TANH_REACH)
    a, b, c = (operation(builder, "fma", x, x, constant_like(term, x)) for term in _TANH_OVER)
    over = builder.fmul(builder.fmul(builder.fmul(x, constant_like(_TANH_FACTOR, x)), c), builder.fmul(a, b))
    a, b, c, d = (operation(builder, "fma", x, x, constant_like(term, x)) for term in _TANH_UNDER)
    return over, builder.fmul(builder.fmul(a, d), builder.fmul(b, c))


@instruction
def tanh(typing: Any, x: Any) -> Any:
    """Tanh of x, relative error at most 3e-7: a polynomial near 0, and 1 - 2 / (1 + exp(2 |x|)) with x's sign."""

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
    """Tanh of x, relative error at most 6e-7, in a third of the time of `tanh` where the next sample depends on it."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fdiv(*_soon_tanh_ratio(builder, args[0]))

    return x(x), code


@instruction
def quick_tanh(typing: Any, x: Any) -> Any:
    """Tanh of x, relative error at most 6e-7, in the fewest operations."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fdiv(*_tanh_ratio(builder, args[0]))

    return x(x), code


@instruction
def gated(typing: Any, a: Any, b: Any) -> Any:
    """tanh(a) times the logistic function of b, with one division; relative error at most 9e-7, or absolute 1e-18."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        over, under = _tanh_ratio(builder, args[0])
        scaled = builder.fmul(args[1], constant_like(LOGISTIC, args[1]))
        power = _power_of_two(builder, scaled, _GATED_EXPONENT)
        return builder.fdiv(over, operation(builder, "fma", under, power, under))

    return a(a, a), code


@instruction
def power_of_two(typing: Any, x: Any) -> Any:
    """2^x, relative error at most 2e-7; x is clamped to ±60."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _power_of_two(builder, args[0], _GATED_EXPONENT)

    return x(x), code


@instruction
def gate_tanh(typing: Any, a: Any, power: Any) -> Any:
    """tanh(a) / (1 + power), with one division, for where the next sample depends on it."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        over, under = _soon_tanh_ratio(builder, args[0])
        return builder.fdiv(over, operation(builder, "fma", under, args[1], under))

    return a(a, a), code
