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

_CONTRACT = ("contract",)  # products may be rounded with the sum they go into
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


def _instruction(function: Callable[..., Any]) -> Any:
    """`function` says how a call of its name looks in the compiler's language; numba's types do not know that."""
    return intrinsic(function)


def _constant(like: Any, value: float) -> ir.Constant:
    return ir.Constant(like.type, [value] * like.type.count)


def _splat(builder: Any, value: Any, kind: Any) -> Any:
    index, nothing = ir.IntType(32), ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(index, 0))
    return builder.shuffle_vector(
        first, nothing, ir.Constant(ir.VectorType(index, kind.count), [0] * kind.count)
    )


def _data(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    if array_type.layout != "C":
        raise TypeError(f"{array_type}: the addresses below are those of a contiguous array")
    proxy: Any = cgutils.create_struct_proxy(array_type)  # type: ignore[no-untyped-call]
    return proxy(context, builder, value=array).data


def _load(builder: Any, place: Any, kind: Any) -> Any:
    return builder.load(builder.bitcast(place, kind.as_pointer()), align=_number_bytes(kind))


def _number_bytes(kind: Any) -> int:
    return BYTES // int(kind.count)  # what numpy aligns arrays to


def _polynomial(builder: Any, x: Any, coefficients: Any) -> Any:
    sum_ = _constant(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        sum_ = builder.fadd(
            builder.fmul(sum_, x, flags=_CONTRACT), _constant(x, coefficient), flags=_CONTRACT
        )
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


@_instruction
def load(typing: Any, array: Any, start: Any) -> Any:
    """The vector at array[start]."""
    result = Lanes(array.dtype)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = _data(context, builder, signature.args[0], args[0])
        return _load(builder, builder.gep(data, [args[1]]), result.kind)

    return result(array, types.int64), code


@_instruction
def store(typing: Any, array: Any, start: Any, value: Any) -> Any:
    """The vector goes to array[start : ...]."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.gep(_data(context, builder, signature.args[0], args[0]), [args[1]])
        kind = args[2].type
        builder.store(args[2], builder.bitcast(place, kind.as_pointer()), align=_number_bytes(kind))
        return context.get_dummy_value()

    return types.void(array, types.int64, value), code


@_instruction
def ones(typing: Any, like: Any) -> Any:
    """A vector of ones."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _constant(args[0], 1.0)

    return like(like), code


@_instruction
def zeros(typing: Any, like: Any) -> Any:
    """A vector of zeros."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _constant(args[0], 0.0)

    return like(like), code


@_instruction
def tanh(typing: Any, x: Any) -> Any:
    """Of x: float32 within 6e-7 of itself, float64 to rounding."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _tanh(builder, args[0])

    return x(x), code


@_instruction
def sigmoid_of_twice(typing: Any, x: Any) -> Any:
    """1 / (1 + exp(-2 x)) = (1 + tanh(x)) / 2: who calls it halves the weights before."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        half = _constant(args[0], 0.5)
        bent = builder.fmul(_tanh(builder, args[0]), half, flags=_CONTRACT)
        return builder.fadd(bent, half, flags=_CONTRACT)

    return x(x), code


@_instruction
def add_products(
    typing: Any,
    sums: Any,
    heard: Any,
    heard_at: Any,
    heard_step: Any,
    heard_row: Any,
    weights: Any,
    weights_at: Any,
    weights_step: Any,
    weights_row: Any,
    count: Any,
) -> Any:
    """`sums[r][k] + sum_j heard[heard_at + r heard_step + j heard_row] w[k][j]`, over j < count.

    `w[k][j]` is the vector at `weights[weights_at + k weights_step + j weights_row]`. A tile of a product of matrices:
    as many rows, and vectors in each, as `sums`, a tuple of tuples, has; registers have room for twelve vectors.
    """
    rows, vectors = len(sums), len(sums[0])
    kind = sums[0][0].kind

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start, heard, heard_at, heard_step, heard_row, weights, at, step, row, count = args
        places = [
            [
                cgutils.alloca_once_value(builder, each)  # type: ignore[no-untyped-call]
                for each in cgutils.unpack_tuple(builder, parts, vectors)  # type: ignore[no-untyped-call]
            ]
            for parts in cgutils.unpack_tuple(builder, start, rows)  # type: ignore[no-untyped-call]
        ]
        heards = [builder.gep(_data(context, builder, signature.args[1], heard), [heard_at])]
        for _ in range(rows - 1):
            heards.append(builder.gep(heards[-1], [heard_step]))
        first = builder.gep(_data(context, builder, signature.args[5], weights), [at])
        with cgutils.for_range(builder, count) as loop:
            there = builder.mul(loop.index, heard_row)
            spots = [builder.gep(first, [builder.mul(loop.index, row)])]
            for _ in range(vectors - 1):
                spots.append(builder.gep(spots[-1], [step]))

            def factor(place: Any) -> Any:
                return _splat(builder, builder.load(builder.gep(place, [there])), kind)

            def add(factor: Any, terms: Any, sum_at: Any) -> None:
                product = builder.fmul(factor, terms, flags=_CONTRACT)
                builder.store(builder.fadd(product, builder.load(sum_at), flags=_CONTRACT), sum_at)

            if rows <= vectors:  # the fewer of both wait in registers, the others come one by one
                factors = [factor(place) for place in heards]
                for vector, spot in enumerate(spots):
                    terms = _load(builder, spot, kind)
                    for each, sums_of_row in zip(factors, places, strict=True):
                        add(each, terms, sums_of_row[vector])
            else:
                loaded = [_load(builder, spot, kind) for spot in spots]
                for place, sums_of_row in zip(heards, places, strict=True):
                    each = factor(place)
                    for terms, sum_at in zip(loaded, sums_of_row, strict=True):
                        add(each, terms, sum_at)
        results = [
            context.make_tuple(builder, of_row, [builder.load(place) for place in sums_of_row])
            for of_row, sums_of_row in zip(signature.return_type, places, strict=True)
        ]
        return context.make_tuple(builder, signature.return_type, results)

    number = types.int64
    return sums(sums, heard, number, number, number, weights, number, number, number, number), code


@_instruction
def add_dots(
    typing: Any,
    sums: Any,
    left: Any,
    left_at: Any,
    left_step: Any,
    right: Any,
    right_at: Any,
    right_step: Any,
    count: Any,
) -> Any:
    """`sums[r][k] + sum_n left[r][n] right[k][n]`, over the n-th vectors of `count`; see `total`.

    `left[r][n]` is the vector at `left[left_at + r left_step + n lanes]`, `right[k][n]` likewise.
    """
    rows, columns = len(sums), len(sums[0])
    kind = sums[0][0].kind

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start, left, left_at, left_step, right, right_at, right_step, count = args
        places = [
            [
                cgutils.alloca_once_value(builder, each)  # type: ignore[no-untyped-call]
                for each in cgutils.unpack_tuple(builder, parts, columns)  # type: ignore[no-untyped-call]
            ]
            for parts in cgutils.unpack_tuple(builder, start, rows)  # type: ignore[no-untyped-call]
        ]
        lefts = [builder.gep(_data(context, builder, signature.args[1], left), [left_at])]
        rights = [builder.gep(_data(context, builder, signature.args[4], right), [right_at])]
        for _ in range(rows - 1):
            lefts.append(builder.gep(lefts[-1], [left_step]))
        for _ in range(columns - 1):
            rights.append(builder.gep(rights[-1], [right_step]))
        with cgutils.for_range(builder, count) as loop:
            there = builder.mul(loop.index, ir.Constant(loop.index.type, kind.count))
            terms = [_load(builder, builder.gep(place, [there]), kind) for place in rights]
            for place, sums_of_row in zip(lefts, places, strict=True):
                factor = _load(builder, builder.gep(place, [there]), kind)
                for term, sum_at in zip(terms, sums_of_row, strict=True):
                    product = builder.fmul(factor, term, flags=_CONTRACT)
                    builder.store(builder.fadd(product, builder.load(sum_at), flags=_CONTRACT), sum_at)
        results = [
            context.make_tuple(builder, of_row, [builder.load(place) for place in sums_of_row])
            for of_row, sums_of_row in zip(signature.return_type, places, strict=True)
        ]
        return context.make_tuple(builder, signature.return_type, results)

    number = types.int64
    return sums(sums, left, number, number, right, number, number, number), code


@_instruction
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
            return getattr(builder, name)(*args, flags=_CONTRACT)

        return a(a, b), code

    return _instruction(typed)


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
