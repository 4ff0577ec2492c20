"""The normal equations of a state transition net, from which a Gauss-Newton step is solved."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tapezoo.layers.transition_loops import compiled

Array = NDArray[np.float64]


class NormalEquations(NamedTuple):
    """Normal equations of the error of a path.

    Args:
        error: Sum of the squared errors.
        matrix: J'J, J the derivative of the path with respect to the parameters, (P, P).
        slope: J' (target - path), (P,).
    """

    error: float
    matrix: Array
    slope: Array


class Heard(NamedTuple):
    """The data that a net is fitted on, row by row, all float64.

    Args:
        inputs: Inputs of the first layer, with a free place for M, (rows, samples, inputs).
        place: Index of M among the inputs.
        step: Factor on the net's output, (rows, samples).
        turn: Factor on M at the net's input, (rows, samples).
        before: True output of the previous sample, (rows, samples).
        target: True output, (rows, samples).
        scale: Weight of each row's errors, (rows,).
    """

    inputs: Array
    place: int
    step: Array
    turn: Array
    before: Array
    target: Array
    scale: Array

    def in_scale(self, scale: Array) -> Heard:
        """The same data for nets whose output is divided by `scale`, (rows,)."""
        rows = scale[:, np.newaxis]
        return self._replace(before=self.before / rows, target=self.target / rows)


def normal_equations(
    heard: Heard, parameters: Array, width: int, layers: int, rollout: int, limit: float
) -> NormalEquations:
    """Starts from the true output every `rollout` samples, and computes the derivative of the path by every parameter.

    The derivative is propagated forward with the path: `s[n] = (1 + step dnet/dM) s[n-1] + step dnet/dp`. With some
    fifty parameters this costs as much as the gradients of about ten batches, and gives a step that includes the
    curvature.

    Args:
        heard: The data to fit.
        parameters: Weights and biases, layer by layer, the head's last, (P,).
        width: Units of a layer.
        layers: Number of layers with a tanh.
        rollout: Samples per roll-out, 1 or more; 1 is teacher forcing.
        limit: M is limited to +- this.
    """
    size = len(parameters)
    matrix, slope = np.zeros((size, size)), np.zeros(size)
    error = _accumulate(
        heard.inputs,
        heard.place,
        heard.step,
        heard.turn,
        heard.before,
        heard.target,
        heard.scale,
        parameters,
        width,
        layers,
        rollout,
        limit,
        matrix,
        slope,
    )
    return NormalEquations(error, matrix + np.tril(matrix, -1).T, slope)


@compiled
def _accumulate(  # type: ignore[no-untyped-def]
    inputs, place, step, turn, before, target, scale, parameters, width, layers, rollout, limit, matrix, slope
):
    rows, samples, count = inputs.shape
    size = len(parameters)
    first_bias = width * count
    hidden = first_bias + width
    head = hidden + (layers - 1) * width * (width + 1)
    s, d = np.zeros(size), np.zeros(size)
    x, units, sums = np.zeros(count), np.zeros((layers, width)), np.zeros((layers, width))
    error = 0.0
    for row in range(rows):
        M = 0.0
        for n in range(samples):
            if n % rollout == 0:
                M = before[row, n]
                for i in range(size):  # a slice would be set by code that takes seconds to compile
                    s[i] = 0.0
            for i in range(count):
                x[i] = inputs[row, n, i]
            x[place] = turn[row, n] * M
            for k in range(width):
                z = parameters[first_bias + k]
                for i in range(count):
                    z += parameters[k * count + i] * x[i]
                units[0, k] = math.tanh(z)
            for layer in range(1, layers):
                at = hidden + (layer - 1) * width * (width + 1)
                for k in range(width):
                    z = parameters[at + width * width + k]
                    for j in range(width):
                        z += parameters[at + k * width + j] * units[layer - 1, j]
                    units[layer, k] = math.tanh(z)
            change = parameters[head + width]
            for k in range(width):
                change += parameters[head + k] * units[layers - 1, k]
                d[head + k] = units[layers - 1, k]
                sums[layers - 1, k] = parameters[head + k] * (1.0 - units[layers - 1, k] ** 2)
            d[head + width] = 1.0
            for layer in range(layers - 1, 0, -1):
                at = hidden + (layer - 1) * width * (width + 1)
                for j in range(width):
                    z = 0.0
                    for k in range(width):
                        z += parameters[at + k * width + j] * sums[layer, k]
                    sums[layer - 1, j] = z * (1.0 - units[layer - 1, j] ** 2)
                for k in range(width):
                    for j in range(width):
                        d[at + k * width + j] = sums[layer, k] * units[layer - 1, j]
                    d[at + width * width + k] = sums[layer, k]
            by_M = 0.0
            for k in range(width):
                for i in range(count):
                    d[k * count + i] = sums[0, k] * x[i]
                d[first_bias + k] = sums[0, k]
                by_M += sums[0, k] * parameters[k * count + place]
            factor = step[row, n]
            kept = 1.0 + factor * turn[row, n] * by_M
            M += factor * change
            if limit < M or -limit > M:  # M is at its limit, whatever the parameters are
                M = limit if limit < M else -limit
                kept = factor = 0.0
            missed = (target[row, n] - M) * scale[row]
            error += missed * missed
            for p in range(size):
                s[p] = kept * s[p] + factor * d[p]
            weight = scale[row] * scale[row]
            missed *= scale[row]
            for p in range(size):
                slope[p] += missed * s[p]
                here = weight * s[p]
                line = matrix[p]
                for q in range(p + 1):
                    line[q] += here * s[q]
    return error
