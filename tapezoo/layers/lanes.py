"""Vectors in numba functions: one variable holds as many float32 or float64 numbers as a processor register.

The compiler by itself keeps the sums of a matrix product in memory, because it cannot rule out that two arrays
overlap; here the sums stay in registers. Vectors exist only inside compiled functions, where they add, subtract and
multiply like numbers. The functions take flat arrays and do no bounds checks. numba's cache tracks only the file of
the cached function: after a change here, remove this folder's `__pycache__`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, models, overload, register_model

from tapezoo.architecture import LEAK

BYTES = 64 if binding.get_host_cpu_features().get("avx512f") else 32

CONTRACT = ("contract",)  # a product may be fused with the addition that follows it, with one rounding
# tanh(x) = c x (x^2 + a_1)(x^2 + a_2)(x^2 + a_3) / ((x^2 + b_1) ... (x^2 + b_4)) for |x| <= 8, within 1.5e-7 of tanh,
# a minimax fit (Lawson's weights); beyond 8, tanh(8) is within 2.3e-7 of 1
_REACH = 8.0
_FACTOR = 46.472030801
_OVER = np.polynomial.polynomial.polyfromroots([-9.8797965, -43.16674235, -205.17225549]) * _FACTOR
_UNDER = np.polynomial.polynomial.polyfromroots([-2.4674656, -22.52785847, -85.01229233, -860.50793334])
# for float64: tanh of x / 16 by Lambert's continued fraction, then four doublings of the argument
_REACH_DOUBLE = 20.0
_HALVINGS = 4
_LAMBERT_TERMS = 9


def _lambert() -> tuple[list[float], list[float]]:
    """Lambert's tanh(y) = y / (1 + y^2 / (3 + y^2 / (5 + ...))) as polynomials in y^2; within 1e-16 up to 20 / 16."""
    over, under = np.array([1.0]), np.array([2.0 * _LAMBERT_TERMS - 1])
    for odd in range(2 * _LAMBERT_TERMS - 3, 0, -2):  # odd + y^2 / (under / over)
        over, under = under, np.polynomial.polynomial.polyadd(odd * under, np.append(0.0, over))
    return list(over / under[0]), list(under / under[0])


def lanes_of(dtype: Any) -> int:
    """How many numbers of this numpy type a vector holds."""
    return BYTES // int(np.dtype(dtype).itemsize)


class Lanes(types.Type):
    """The type of a vector in numba."""

    def __init__(self, number: Any) -> None:
        self.number = number
        self.count = BYTES * 8 // number.bitwidth
        super().__init__(name=f"{number}x{self.count}")

    @property
    def kind(self) -> Any:
        """The type of a vector in LLVM."""
        return ir.VectorType(ir.FloatType() if self.number == types.float32 else ir.DoubleType(), self.count)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, of.kind)  # type: ignore[no-untyped-call]


def instruction(function: Callable[..., Any]) -> Any:
    """Makes `function`, which returns the LLVM code of a call, an intrinsic; numba's types cannot express that."""
    return intrinsic(function)


def _constant(like: Any, value: float) -> ir.Constant:
    return ir.Constant(like.type, [value] * like.type.count)


def splat(builder: Any, value: Any, kind: Any) -> Any:
    """A vector with the same number in all places."""
    index, nothing = ir.IntType(32), ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(index, 0))
    return builder.shuffle_vector(
        first, nothing, ir.Constant(ir.VectorType(index, kind.count), [0] * kind.count)
    )


def data_of(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    """The address of a contiguous array's first number."""
    if array_type.layout != "C":
        raise TypeError(f"{array_type}: the addresses below are those of a contiguous array")
    proxy: Any = cgutils.create_struct_proxy(array_type)  # type: ignore[no-untyped-call]
    return proxy(context, builder, value=array).data


def vector_at(builder: Any, place: Any, kind: Any) -> Any:
    """The vector that starts at a number's address. Like all functions that take a `builder`, it emits LLVM code."""
    return builder.load(builder.bitcast(place, kind.as_pointer()), align=_number_bytes(kind))


def vector_to(builder: Any, place: Any, value: Any) -> None:
    """Stores `value` at a number's address."""
    builder.store(value, builder.bitcast(place, value.type.as_pointer()), align=_number_bytes(value.type))


def _number_bytes(kind: Any) -> int:
    return BYTES // int(kind.count)  # the alignment of numpy's arrays


def _polynomial(builder: Any, x: Any, coefficients: Any) -> Any:
    sum_ = _constant(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        sum_ = builder.fadd(builder.fmul(sum_, x, flags=CONTRACT), _constant(x, coefficient), flags=CONTRACT)
    return sum_


def _clamped(builder: Any, x: Any, reach: float) -> Any:
    for sign, bound in (("<", reach), (">", -reach)):
        # NaN passes through: both comparisons are true for NaN
        x = builder.select(builder.fcmp_unordered(sign, x, _constant(x, bound)), x, _constant(x, bound))
    return x


def _tanh(builder: Any, x: Any) -> Any:
    if isinstance(x.type.element, ir.FloatType):
        x = _clamped(builder, x, _REACH)
        square = builder.fmul(x, x)
        over = builder.fmul(x, _polynomial(builder, square, list(_OVER)))
        return builder.fdiv(over, _polynomial(builder, square, list(_UNDER)))
    y = builder.fmul(_clamped(builder, x, _REACH_DOUBLE), _constant(x, 2.0**-_HALVINGS))
    square = builder.fmul(y, y)
    first, second = _lambert()
    over = builder.fmul(y, _polynomial(builder, square, first))
    under = _polynomial(builder, square, second)
    for _ in range(_HALVINGS):  # tanh(2 y) = 2 tanh(y) / (1 + tanh(y)^2)
        product = builder.fmul(over, under)
        under = builder.fadd(builder.fmul(under, under), builder.fmul(over, over))
        over = builder.fadd(product, product)
    return builder.fdiv(over, under)


@instruction
def load(typing: Any, array: Any, start: Any) -> Any:
    """The vector at array[start]."""
    result = Lanes(array.dtype)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = data_of(context, builder, signature.args[0], args[0])
        return vector_at(builder, builder.gep(data, [args[1]]), result.kind)

    return result(array, types.int64), code


@instruction
def store(typing: Any, array: Any, start: Any, value: Any) -> Any:
    """Stores the vector in array[start : ...]."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.gep(data_of(context, builder, signature.args[0], args[0]), [args[1]])
        vector_to(builder, place, args[2])
        return context.get_dummy_value()

    return types.void(array, types.int64, value), code


@instruction
def spread(typing: Any, array: Any, start: Any) -> Any:
    """The number at array[start], in all places of a vector."""
    result = Lanes(array.dtype)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = data_of(context, builder, signature.args[0], args[0])
        return splat(builder, builder.load(builder.gep(data, [args[1]])), result.kind)

    return result(array, types.int64), code


@instruction
def where_positive(typing: Any, x: Any, then: Any, otherwise: Any) -> Any:
    """`then` where x > 0, else `otherwise`, also where x is NaN."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], _constant(args[0], 0.0)), args[1], args[2])

    return x(x, then, otherwise), code


@instruction
def ones(typing: Any, like: Any) -> Any:
    """A vector of ones."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _constant(args[0], 1.0)

    return like(like), code


@instruction
def zeros(typing: Any, like: Any) -> Any:
    """A vector of zeros."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _constant(args[0], 0.0)

    return like(like), code


@instruction
def tanh(typing: Any, x: Any) -> Any:
    """The tanh of x: float32 within 6e-7, float64 to rounding."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _tanh(builder, args[0])

    return x(x), code


@instruction
def sigmoid_of_twice(typing: Any, x: Any) -> Any:
    """1 / (1 + exp(-2 x)) = (1 + tanh(x)) / 2: the sigmoid, if the caller has halved the weights."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        half = _constant(args[0], 0.5)
        bent = builder.fmul(_tanh(builder, args[0]), half, flags=CONTRACT)
        return builder.fadd(bent, half, flags=CONTRACT)

    return x(x), code


@instruction
def leaky_relu(typing: Any, x: Any) -> Any:
    """The number itself above 0, `LEAK` of it below; NaN stays NaN."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        small = builder.fmul(args[0], _constant(args[0], LEAK))
        above = builder.fcmp_ordered(">", args[0], _constant(args[0], 0.0))
        return builder.select(above, args[0], small)

    return x(x), code


@instruction
def leaky_slope(typing: Any, x: Any) -> Any:
    """The slope of `leaky_relu`, from its argument or, since the two have one sign, its result."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        above = builder.fcmp_ordered(">", args[0], _constant(args[0], 0.0))
        return builder.select(above, _constant(args[0], 1.0), _constant(args[0], LEAK))

    return x(x), code


@instruction
def total(typing: Any, x: Any) -> Any:
    """The sum of a vector's numbers; the order of summation is not defined."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = args[0].type
        name = f"llvm.vector.reduce.fadd.v{kind.count}f{32 if kind.element == ir.FloatType() else 64}"
        reduce = builder.module.declare_intrinsic(
            name, fnty=ir.FunctionType(kind.element, [kind.element, kind])
        )
        return builder.call(reduce, [ir.Constant(kind.element, 0.0), args[0]], fastmath=("reassoc",))

    return x.number(x), code


def _arithmetic(name: str) -> Any:
    def typed(typing: Any, a: Any, b: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, name)(*args, flags=CONTRACT)

        return a(a, b), code

    return instruction(typed)


_add, _subtract, _multiply = (_arithmetic(name) for name in ("fadd", "fsub", "fmul"))


@overload(operator.add)
def _plus(a, b):  # type: ignore[no-untyped-def]
    return (lambda a, b: _add(a, b)) if isinstance(a, Lanes) and a == b else None


@overload(operator.sub)
def _minus(a, b):  # type: ignore[no-untyped-def]
    return (lambda a, b: _subtract(a, b)) if isinstance(a, Lanes) and a == b else None


@overload(operator.mul)
def _times(a, b):  # type: ignore[no-untyped-def]
    return (lambda a, b: _multiply(a, b)) if isinstance(a, Lanes) and a == b else None
