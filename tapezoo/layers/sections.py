"""Second-order filters in familiar units: shelves, peaks, followers, and their responses."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Sections(NamedTuple):
    """Second-order filters as state spaces: `s[n+1] = A s[n] + B x[n]`, `y[n] = C s[n] + D x[n]`."""

    transition: Tensor
    """A (sections, rows, 2, 2); rows: 1, or the batch where controls drive the coefficients."""
    enter: Tensor
    """B (sections, rows, 2)"""
    leave: Tensor
    """C (sections, rows, 2)"""
    direct: Tensor
    """D (sections, rows)"""


class StateVariable(NamedTuple):
    """Filters `y = m0 x + m1 bandpass + m2 lowpass`, (sections, rows) each."""

    g: Tensor
    """tan(pi frequency / sample_rate), > 0"""
    k: Tensor
    """damping, 1 / Q, > 0"""
    m0: Tensor
    m1: Tensor
    m2: Tensor


def discretise(filters: StateVariable) -> Sections:
    """State-variable filters by the discretise rule, which equals the bilinear transform.

    Simper, "Solving the continuous SVF equations using discretise integration and equivalent currents",
    Cytomic 2013. Stable for every g, k > 0, whether the poles are real or a pair, and well conditioned at low
    frequencies, where the direct forms lose single precision.
    """
    g, k, m0, m1, m2 = filters
    a1 = 1 / (1 + g * (g + k))
    a2 = g * a1
    a3 = g * a2
    # with bandpass v1 = a1 s1 + a2 (x - s2), lowpass v2 = s2 + a2 s1 + a3 (x - s2); s1' = 2 v1 - s1, ...
    return Sections(
        transition=torch.stack(
            [torch.stack([2 * a1 - 1, -2 * a2], -1), torch.stack([2 * a2, 1 - 2 * a3], -1)], -2
        ),
        enter=torch.stack([2 * a2, 2 * a3], -1),
        leave=torch.stack([m1 * a1 + m2 * a2, m2 * (1 - a3) - m1 * a2], -1),
        direct=m0 + m1 * a2 + m2 * a3,
    )


def low_shelf(gain_db: Tensor, frequency_hz: Tensor, q: Tensor, sample_rate: int) -> StateVariable:
    """Bristow-Johnson's low shelf ("Cookbook formulae for audio EQ biquad filter coefficients").

    Args:
        gain_db: At 0 Hz.
        frequency_hz: Where half the gain in dB is reached, below half the sample rate.
        q: 0.707 is the steepest shelf without overshoot.
        sample_rate: Hz.

    Shape:
        all: (sections, rows).
    """
    a, g, k = _amplitude(gain_db), _warp(frequency_hz, sample_rate), 1 / q
    return StateVariable(g / a.sqrt(), k, torch.ones_like(g), k * (a - 1), a * a - 1)


def high_shelf(gain_db: Tensor, frequency_hz: Tensor, q: Tensor, sample_rate: int) -> StateVariable:
    """Bristow-Johnson's high shelf, as `low_shelf`; `gain_db` is reached at half the sample rate."""
    a, g, k = _amplitude(gain_db), _warp(frequency_hz, sample_rate), 1 / q
    return StateVariable(g * a.sqrt(), k, a * a, k * (1 - a) * a, 1 - a * a)


def peak(gain_db: Tensor, frequency_hz: Tensor, q: Tensor, sample_rate: int) -> StateVariable:
    """Bristow-Johnson's peaking filter, as `low_shelf`; `gain_db` is reached at `frequency_hz`."""
    a, g = _amplitude(gain_db), _warp(frequency_hz, sample_rate)
    k = 1 / (q * a)
    return StateVariable(g, k, torch.ones_like(g), k * (a * a - 1), torch.zeros_like(g))


def one_pole(time_samples: Tensor) -> Sections:
    """`y[n] = p y[n-1] + (1 - p) x[n]`, `p = exp(-1 / time_samples)`: a follower; 63 % of a step in that time.

    Shape:
        time_samples: (sections, rows).
    """
    p = torch.exp(-1 / time_samples)
    nought = torch.zeros_like(p)
    transition = torch.stack([torch.stack([p, nought], -1), torch.stack([nought, nought], -1)], -2)
    return Sections(transition, torch.stack([1 - p, nought], -1), torch.stack([p, nought], -1), 1 - p)


def magnitudes(
    sections: Sections, frequencies_hz: NDArray[np.float64], sample_rate: int
) -> NDArray[np.float64]:
    """|H| of each section, first row: `C (z - A)^-1 B + D` on the unit circle, (sections, frequencies)."""
    a, b, c, d = (tensor[:, 0].detach().cpu().double().numpy() for tensor in sections)
    z = np.exp(2j * np.pi * frequencies_hz / sample_rate)[:, None, None] * np.eye(2)
    inside = np.linalg.solve(z - a[:, None], np.broadcast_to(b[:, None, :, None], (len(a), len(z), 2, 1)))
    result: NDArray[np.float64] = np.abs(np.einsum("si,sfi->sf", c, inside[..., 0]) + d[:, None])
    return result


def _amplitude(gain_db: Tensor) -> Tensor:
    return torch.exp(gain_db * (math.log(10.0) / 40.0))  # the cookbook's A: the square root of the gain


def _warp(frequency_hz: Tensor, sample_rate: int) -> Tensor:
    return torch.tan(math.pi / sample_rate * frequency_hz)
