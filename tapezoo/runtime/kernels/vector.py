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
from typing import Any, cast

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

LANES = 16

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTEGERS = ir.VectorType(ir.IntType(32), LANES)
_INDEX = ir.IntType(32)
_ALIGNED_BYTES = 4  # as numpy's float32 is
_LARGEST_EXPONENT = 126.0  # 2^126 and its inverse are ordinary float32
_TAYLOR_TERMS = 6  # of 2^f, |f| <= 1/2: the seventh is 1.2e-7 of it, float32's own rounding


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as machine code, cached beside it on disk; a read-only installation compiles anew in each process.

    It lets go of the interpreter while it runs. NaN and infinity keep their meaning.
    """
    try:
        return cast(Callable[..., Any], numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # numba finds no writable cache folder ("no locator available")
        return cast(Callable[..., Any], numba.njit(nogil=True, error_model="numpy")(function))


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


def _inverse_of_one_plus_exp(builder: Any, x: Any, scale: float) -> Any:
    """1 / (1 + exp(scale x)): with t = scale x / ln 2 and r its nearest integer, exp is 2^r 2^(t - r)."""
    t = builder.fmul(x, _constant(scale / math.log(2)))
    for sign, bound in (("<", _LARGEST_EXPONENT), (">", -_LARGEST_EXPONENT)):
        # a NaN passes: both comparisons are true for it
        t = builder.select(builder.fcmp_unordered(sign, t, _constant(bound)), t, _constant(bound))
    r = _call(builder, "rint", t)
    f = builder.fsub(t, r)
    power = _constant(math.log(2) ** _TAYLOR_TERMS / math.factorial(_TAYLOR_TERMS))
    for n in reversed(range(_TAYLOR_TERMS)):
        power = _call(builder, "fma", power, f, _constant(math.log(2) ** n / math.factorial(n)))
    bias, mantissa_bits = (ir.Constant(_INTEGERS, [value] * LANES) for value in (127, 23))
    exponent = builder.shl(builder.add(builder.fptosi(r, _INTEGERS), bias), mantissa_bits)
    exp = builder.fmul(power, builder.bitcast(exponent, _FLOATS))
    return builder.fdiv(_constant(1), builder.fadd(exp, _constant(1)))


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
    """1 / (1 + exp(-x)), within 3e-7."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _inverse_of_one_plus_exp(builder, args[0], -1.0)

    return vec(vec), code


@_instruction
def tanh(typing: Any, x: Any) -> Any:
    """2 sigmoid(2 x) - 1, within 6e-7 of tanh."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        half = _inverse_of_one_plus_exp(builder, args[0], -2.0)
        return _call(builder, "fma", half, _constant(2), _constant(-1))

    return vec(vec), code
