"""As many numbers as a register of the processor holds, in one variable of a numba function: float32 or float64.

Left to itself the compiler keeps the sums of a matrix product in memory, since it cannot know that two arrays do not
overlap; here they stay in registers. Vectors exist inside compiled functions alone, and add, subtract and multiply as
numbers do. The functions take flat arrays and do not check where they read. numba's cache watches the file of the
cached function alone: after a change here, remove `__pycache__` of this folder.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, models, overload, register_model

BYTES = 64 if binding.get_host_cpu_features().get("avx512f") else 32

CONTRACT = ("contract",)  # products may be rounded with the sum they go into
# tanh(x) = c x (x^2 + a_1)(x^2 + a_2)(x^2 + a_3) / ((x^2 + b_1) ... (x^2 + b_4)) for |x| <= 8, within 1.5e-7 of itself,
# the largest error as small as it gets (Lawson's weights); beyond, tanh(8) is within 2.3e-7 of 1
_REACH = 8.0
_FACTOR = 46.472030801
_OVER = np.polynomial.polynomial.polyfromroots([-9.8797965, -43.16674235, -205.17225549]) * _FACTOR
_UNDER = np.polynomial.polynomial.polyfromroots([-2.4674656, -22.52785847, -85.01229233, -860.50793334])
# for float64, of x / 16 by Lambert's continued fraction, then doubled four times
_REACH_DOUBLE = 20.0
_HALVINGS = 4
_LAMBERT_TERMS = 9


def _lambert() -> tuple[list[float], list[float]]:
    """Of tanh(y) = y / (1 + y^2 / (3 + y^2 / (5 + ...))), as polynomials in y^2; within 1e-16 up to 20 / 16."""
    over, under = np.array([1.0]), np.array([2.0 * _LAMBERT_TERMS - 1])
    for odd in range(2 * _LAMBERT_TERMS - 3, 0, -2):  # odd + y^2 / (under / over)
        over, under = under, np.polynomial.polynomial.polyadd(odd * under, np.append(0.0, over))
    return list(over / under[0]), list(under / under[0])


def lanes_of(dtype: Any) -> int:
    """How many numbers of a numpy type a vector holds."""
    return BYTES // int(np.dtype(dtype).itemsize)


class Lanes(types.Type):
    """The type of a vector, to numba."""

    def __init__(self, number: Any) -> None:
        self.number = number
        self.count = BYTES * 8 // number.bitwidth
        super().__init__(name=f"{number}x{self.count}")

    @property
    def kind(self) -> Any:
        """The type of a vector, to the compiler."""
        return ir.VectorType(ir.FloatType() if self.number == types.float32 else ir.DoubleType(), self.count)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, of.kind)  # type: ignore[no-untyped-call]


def instruction(function: Callable[..., Any]) -> Any:
    """`function` says how a call of its name looks in the compiler's language; numba's types do not know that."""
    return intrinsic(function)


def _constant(like: Any, value: float) -> ir.Constant:
    return ir.Constant(like.type, [value] * like.type.count)


def splat(builder: Any, value: Any, kind: Any) -> Any:
    """A vector that holds one number in all places."""
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
    """What lies at a number's address and behind it, in the compiler's language as all that takes a `builder`."""
    return builder.load(builder.bitcast(place, kind.as_pointer()), align=_number_bytes(kind))


def vector_to(builder: Any, place: Any, value: Any) -> None:
    """Stores `value` at a number's address."""
    builder.store(value, builder.bitcast(place, value.type.as_pointer()), align=_number_bytes(value.type))


def _number_bytes(kind: Any) -> int:
    return BYTES // int(kind.count)  # what numpy aligns arrays to


def _polynomial(builder: Any, x: Any, coefficients: Any) -> Any:
    sum_ = _constant(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        sum_ = builder.fadd(builder.fmul(sum_, x, flags=CONTRACT), _constant(x, coefficient), flags=CONTRACT)
    return sum_


def _clamped(builder: Any, x: Any, reach: float) -> Any:
    for sign, bound in (("<", reach), (">", -reach)):
        # a NaN passes: both comparisons are true for it
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
    """The vector goes to array[start : ...]."""

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
    """`then` where x is above zero, else `otherwise`, also where x is not a number."""

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
    """Of x: float32 within 6e-7 of itself, float64 to rounding."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _tanh(builder, args[0])

    return x(x), code


@instruction
def sigmoid_of_twice(typing: Any, x: Any) -> Any:
    """1 / (1 + exp(-2 x)) = (1 + tanh(x)) / 2: who calls it halves the weights before."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        half = _constant(args[0], 0.5)
        bent = builder.fmul(_tanh(builder, args[0]), half, flags=CONTRACT)
        return builder.fadd(bent, half, flags=CONTRACT)

    return x(x), code


@instruction
def total(typing: Any, x: Any) -> Any:
    """The sum of a vector's numbers, in any order."""

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
