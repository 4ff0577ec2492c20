"""Tiles of vectors: matrix products whose sums stay in registers.

A tile is a tuple of rows, each a tuple of vectors (`tapezoo.layers.lanes`). The registers hold twelve sums and the
factors being multiplied.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types

from tapezoo.layers.lanes import CONTRACT, Lanes, data_of, instruction, splat, vector_at, vector_to


def tile_loader(rows: int, vectors: int) -> Any:
    """An instruction `(array, start, step) -> tile`: row `row` holds the vectors from array[start + row step] on."""

    def load_rows(typing: Any, array: Any, start: Any, step: Any) -> Any:
        kind = Lanes(array.dtype)
        tile: Any = types.UniTuple(types.UniTuple(kind, vectors), rows)  # type: ignore[no-untyped-call]

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            place = builder.gep(data_of(context, builder, signature.args[0], args[0]), [args[1]])
            found = []
            for _ in range(rows):
                parts = [
                    vector_at(
                        builder,
                        builder.gep(place, [ir.Constant(args[1].type, n * kind.kind.count)]),
                        kind.kind,
                    )
                    for n in range(vectors)
                ]
                found.append(context.make_tuple(builder, tile.dtype, parts))
                place = builder.gep(place, [args[2]])
            return context.make_tuple(builder, tile, found)

        return tile(array, types.int64, types.int64), code

    return instruction(load_rows)


@instruction
def store_tile(typing: Any, array: Any, start: Any, step: Any, tile: Any) -> Any:
    """Stores the tile's rows from array[start + row step] on."""
    kind = tile[0][0].kind

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.gep(data_of(context, builder, signature.args[0], args[0]), [args[1]])
        for row in cgutils.unpack_tuple(builder, args[3], len(tile)):  # type: ignore[no-untyped-call]
            for n, each in enumerate(cgutils.unpack_tuple(builder, row, len(tile[0]))):  # type: ignore[no-untyped-call]
                vector_to(builder, builder.gep(place, [ir.Constant(args[1].type, n * kind.count)]), each)
            place = builder.gep(place, [args[2]])
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64, tile), code


@instruction
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

    `w[k][j]` is the vector at `weights[weights_at + k weights_step + j weights_row]`. One tile of a matrix product.
    `sums` is a tuple of tuples and sets the number of rows and of vectors per row; the registers hold twelve vectors.
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
        heards = [builder.gep(data_of(context, builder, signature.args[1], heard), [heard_at])]
        for _ in range(rows - 1):
            heards.append(builder.gep(heards[-1], [heard_step]))
        first = builder.gep(data_of(context, builder, signature.args[5], weights), [at])
        with cgutils.for_range(builder, count) as loop:
            there = builder.mul(loop.index, heard_row)
            spots = [builder.gep(first, [builder.mul(loop.index, row)])]
            for _ in range(vectors - 1):
                spots.append(builder.gep(spots[-1], [step]))

            def factor(place: Any) -> Any:
                return splat(builder, builder.load(builder.gep(place, [there])), kind)

            def add(factor: Any, terms: Any, sum_at: Any) -> None:
                product = builder.fmul(factor, terms, flags=CONTRACT)
                builder.store(builder.fadd(product, builder.load(sum_at), flags=CONTRACT), sum_at)

            if rows <= vectors:  # the smaller side stays in registers, the other is loaded vector by vector
                factors = [factor(place) for place in heards]
                for vector, spot in enumerate(spots):
                    terms = vector_at(builder, spot, kind)
                    for each, sums_of_row in zip(factors, places, strict=True):
                        add(each, terms, sums_of_row[vector])
            else:
                loaded = [vector_at(builder, spot, kind) for spot in spots]
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


@instruction
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
    """`sums[r][k] + sum_n left[r][n] right[k][n]`, over n < `count` vectors; see `total`.

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
        lefts = [builder.gep(data_of(context, builder, signature.args[1], left), [left_at])]
        rights = [builder.gep(data_of(context, builder, signature.args[4], right), [right_at])]
        for _ in range(rows - 1):
            lefts.append(builder.gep(lefts[-1], [left_step]))
        for _ in range(columns - 1):
            rights.append(builder.gep(rights[-1], [right_step]))
        with cgutils.for_range(builder, count) as loop:
            there = builder.mul(loop.index, ir.Constant(loop.index.type, kind.count))
            terms = [vector_at(builder, builder.gep(place, [there]), kind) for place in rights]
            for place, sums_of_row in zip(lefts, places, strict=True):
                factor = vector_at(builder, builder.gep(place, [there]), kind)
                for term, sum_at in zip(terms, sums_of_row, strict=True):
                    product = builder.fmul(factor, term, flags=CONTRACT)
                    builder.store(builder.fadd(product, builder.load(sum_at), flags=CONTRACT), sum_at)
        results = [
            context.make_tuple(builder, of_row, [builder.load(place) for place in sums_of_row])
            for of_row, sums_of_row in zip(signature.return_type, places, strict=True)
        ]
        return context.make_tuple(builder, signature.return_type, results)

    number = types.int64
    return sums(sums, left, number, number, right, number, number, number), code
