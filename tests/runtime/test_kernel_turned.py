"""Products within registers are numpy's, for any width up to the kernels' vector."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tapezoo.runtime.kernels.turned import product, store_outer, turn_matrix
from tapezoo.runtime.kernels.vector import compiled, load_as, narrow, store, total


@compiled
def _multiply(like, terms, units, factor, bias, result):
    vectors = load_as(units, 0, like), load_as(factor, 0, like), load_as(bias, 0, like)
    store(result, 0, product(vectors[0], terms, 0, vectors[1], vectors[2]))


@compiled
def _outer(like, terms, rows, columns):
    store_outer(terms, 0, load_as(rows, 0, like), load_as(columns, 0, like))
    return total(load_as(rows, 0, like))


@compiled
def multiply_4(*arrays):
    _multiply(narrow(4), *arrays)


@compiled
def multiply_8(*arrays):
    _multiply(narrow(8), *arrays)


@compiled
def multiply_16(*arrays):
    _multiply(narrow(16), *arrays)


@compiled
def outer_4(*arrays):
    return _outer(narrow(4), *arrays)


@compiled
def outer_8(*arrays):
    return _outer(narrow(8), *arrays)


@compiled
def outer_16(*arrays):
    return _outer(narrow(16), *arrays)


LOOPS = {4: (multiply_4, outer_4), 8: (multiply_8, outer_8), 16: (multiply_16, outer_16)}


@pytest.mark.parametrize(("lanes", "width"), [(4, 4), (4, 3), (8, 7), (16, 16)])
def test_a_product_is_the_matrix_times_the_units_and_an_outer_product_lies_as_a_matrix_does(lanes, width):
    multiply, outer = LOOPS[lanes]
    random = np.random.default_rng(0)
    matrix = random.standard_normal((width, width)).astype(np.float32)
    units, factor, bias = random.standard_normal((3, lanes)).astype(np.float32)
    result = np.full(lanes + 1, 7, np.float32)
    multiply(turn_matrix(matrix, lanes), units, factor, bias, result)
    expected = bias.astype(np.float64)
    expected[:width] += factor[:width] * (matrix.astype(np.float64) @ units[:width])
    np.testing.assert_allclose(result[:lanes], expected, atol=3e-6)
    assert result[lanes] == 7
    terms = np.full(lanes * lanes + 1, 7, np.float32)
    assert outer(terms, factor, units) == pytest.approx(factor.sum(), abs=1e-5)
    np.testing.assert_array_equal(terms[:-1], turn_matrix(np.outer(factor, units), lanes))
    assert terms[-1] == 7
