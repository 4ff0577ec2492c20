"""Differentiable filters in units people know: parametric equalisers and one-pole followers, with carried state."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tapezoo.layers.recurrence import (
    BlockTables,
    FittedTables,
    block_tables,
    cut,
    fill,
    fit,
    matrix_powers,
    recur,
    recur_pieces,
)

TABLE_SAMPLES = 64  # longest piece that `recur` handles by one matrix product
HYPER_UNITS = 16
EDGE = 0.45  # of the sample rate: the highest frequency of a section


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


class HyperParameters(nn.Module):
    """A vector of trained numbers, moved by the controls: `p(controls) = p0 + W2 tanh(W1 controls + b1)`.

    Nercessian, Sarroff, Werner, "Lightweight and interpretable neural modeling of an audio distortion effect
    using hyperconditioned differentiable biquads", ICASSP 2021: a small net from the controls to the filters'
    parameters, in a space without bounds. Without controls it is p0 alone.

    Args:
        num_controls: Knobs, K.
        start: p0 at the start, (count,); `count` parameters, with controls `16 (K + 1) + 16 count` more.

    Shape:
        controls: (batch, K); result: (rows, count), rows = 1 without controls, else the batch.
    """

    def __init__(self, num_controls: int, start: Tensor) -> None:
        super().__init__()
        self.start = nn.Parameter(start.clone())
        self.hyper: nn.Module | None = None
        if num_controls:
            last = nn.Linear(HYPER_UNITS, len(start), bias=False)
            with torch.no_grad():
                last.weight.mul_(0.1)  # a fresh net hardly turns with its controls
            self.hyper = nn.Sequential(nn.Linear(num_controls, HYPER_UNITS), nn.Tanh(), last)

    def forward(self, controls: Tensor) -> Tensor:
        """The numbers at these controls."""
        if self.hyper is None:
            return self.start.unsqueeze(0)
        moved: Tensor = self.start + self.hyper(controls)
        return moved

    def along(self, trajectory: Tensor) -> Tensor:
        """The numbers while the controls move: (batch, K, samples) -> (rows, count, samples), or 1 sample."""
        if self.hyper is None:
            return self.start[None, :, None]
        moved: Tensor = self(trajectory.transpose(1, 2)).transpose(1, 2)
        return moved

    @torch.no_grad()
    def held(self, controls: Tensor) -> HyperParameters:
        """The numbers at one setting (K,), as those of a block without controls."""
        return HyperParameters(0, self(controls.unsqueeze(0))[0])


def within(raw: Tensor, reach: float) -> Tensor:
    """Any number to -`reach`..`reach`, nearly unchanged far below it: `reach tanh(raw / reach)`."""
    return reach * torch.tanh(raw / reach)


def between(raw: Tensor, lowest: Tensor | float, highest: Tensor | float) -> Tensor:
    """Any number to `lowest`..`highest` (both > 0), geometrically: `lowest (highest/lowest)^sigmoid(raw)`."""
    lowest, highest = torch.as_tensor(lowest), torch.as_tensor(highest)
    return lowest * torch.exp(torch.log(highest / lowest) * torch.sigmoid(raw))


def raw_between(value: Tensor | float, lowest: Tensor | float, highest: Tensor | float) -> Tensor:
    """The inverse of `between`, at most 98 % towards either end so that a gradient is left."""
    value, lowest, highest = (torch.as_tensor(v, dtype=torch.float32) for v in (value, lowest, highest))
    return torch.logit((torch.log(value / lowest) / torch.log(highest / lowest)).clamp(0.02, 0.98))


class StateVariable(NamedTuple):
    """Filters `y = m0 x + m1 bandpass + m2 lowpass`, (sections, rows) each."""

    g: Tensor
    """tan(pi frequency / sample_rate), > 0"""
    k: Tensor
    """damping, 1 / Q, > 0"""
    m0: Tensor
    m1: Tensor
    m2: Tensor


def trapezoidal(filters: StateVariable) -> Sections:
    """State-variable filters by the trapezoidal rule, which is the bilinear transform.

    Simper, "Solving the continuous SVF equations using trapezoidal integration and equivalent currents",
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
    a, g, k = _amplitude(gain_db), _warped(frequency_hz, sample_rate), 1 / q
    return StateVariable(g / a.sqrt(), k, torch.ones_like(g), k * (a - 1), a * a - 1)


def high_shelf(gain_db: Tensor, frequency_hz: Tensor, q: Tensor, sample_rate: int) -> StateVariable:
    """Bristow-Johnson's high shelf, as `low_shelf`; `gain_db` is reached at half the sample rate."""
    a, g, k = _amplitude(gain_db), _warped(frequency_hz, sample_rate), 1 / q
    return StateVariable(g * a.sqrt(), k, a * a, k * (1 - a) * a, 1 - a * a)


def peak(gain_db: Tensor, frequency_hz: Tensor, q: Tensor, sample_rate: int) -> StateVariable:
    """Bristow-Johnson's peaking filter, as `low_shelf`; `gain_db` is reached at `frequency_hz`."""
    a, g = _amplitude(gain_db), _warped(frequency_hz, sample_rate)
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


def joint_tables(sections: Sections) -> BlockTables:
    """The tables of all sections at once: filter `i rows + j` is section i for row j."""
    # not `flatten`, whose ONNX form fixes the number of rows
    powers = matrix_powers(sections.transition.reshape(-1, 1, 2, 2), TABLE_SAMPLES)
    enter, leave = sections.enter.reshape(-1, 1, 2), sections.leave.reshape(-1, 1, 2)
    return block_tables(powers, enter, leave, sections.direct.reshape(-1))


def run_chain(input: Tensor, sections: Sections, state: Tensor, num_controls: int) -> tuple[Tensor, Tensor]:
    """All sections over a block, one after the other.

    Args:
        input: The block.
        sections: In the order of the signal.
        state: (s1, s2) of every section before the block.
        num_controls: 0: the whole batch shares the coefficients; else each row has its own.

    Shape:
        input, output: (batch, 1, samples); state: (batch, sections, 2).
    """
    count, rows = sections.transition.shape[0], sections.transition.shape[1]
    tables = joint_tables(sections)
    # (filters, rows, samples): the batch is the filters where it has coefficients of its own, else the rows
    across = 2 if num_controls else 1
    before = state.transpose(0, 1).unsqueeze(across).unsqueeze(3)  # (sections, filters, rows, 1, 2)
    signal = input if num_controls else input.transpose(0, 1)
    pieces = cut(signal, tables)
    signal, fitted = fill(signal, pieces), fit(tables, pieces)
    after = []
    for index in range(count):
        own = FittedTables(*(table[index * rows : (index + 1) * rows] for table in fitted))
        signal, left = recur_pieces(signal, own, pieces, before[index])
        after.append(left)
    output = signal[..., : pieces.samples]
    left = torch.stack(after).squeeze(3).squeeze(across).transpose(0, 1)
    return output if num_controls else output.transpose(0, 1), left


def run_followers(
    signals: Tensor, sections: Sections, state: Tensor, num_controls: int
) -> tuple[Tensor, Tensor]:
    """Each section over a signal of its own.

    Args:
        signals: The block, one channel per section.
        sections: As many as channels.
        state: Before the block.
        num_controls: As for `run_chain`.

    Shape:
        signals, output: (batch, sections, samples); state: (batch, sections, 2).
    """
    channels, samples = signals.shape[1], signals.shape[2]
    if num_controls:
        by_row = Sections(*(tensor.transpose(0, 1) for tensor in sections))
        apart = signals.reshape(-1, 1, samples)  # (batch sections, 1, samples)
        output, after = recur(apart, joint_tables(by_row), state.reshape(-1, 1, 1, 2))
        return output.reshape(-1, channels, samples), after.reshape(-1, channels, 2)
    output, after = recur(signals.transpose(0, 1), joint_tables(sections), state.transpose(0, 1).unsqueeze(2))
    return output.transpose(0, 1), after.squeeze(2).transpose(0, 1)


class ParametricEQ(nn.Module):
    """Low shelf, peaks, high shelf, one after the other; each with gain (dB), frequency (Hz) and Q.

    The ranges keep every memory well below half a second: shelves 20-500 Hz and from 1.5 kHz, Q .3-1.4;
    peaks 60 Hz-16 kHz, Q .3-4; gains +-15 dB. Frequencies stop at 0.45 of the sample rate.

    Args:
        num_controls: Knobs, which move all parameters (`HyperParameters`).
        peaks: How many, 0 or more; 3 (2 + peaks) numbers.
        sample_rate: Hz.

    Shape:
        input, output: (batch, 1, samples); controls: (batch, num_controls); state: (batch, 2 + peaks, 2).
    """

    MAX_GAIN_DB = 15.0
    lowest_hz: Tensor
    highest_hz: Tensor
    highest_q: Tensor

    def __init__(self, num_controls: int, peaks: int, sample_rate: int) -> None:
        super().__init__()
        self.num_controls, self.peaks, self.sample_rate = num_controls, peaks, sample_rate
        edge = EDGE * sample_rate
        lowest = torch.tensor([20.0, *[60.0] * peaks, 1500.0]).clamp(max=0.1 * sample_rate)
        highest = torch.tensor([500.0, *[16000.0] * peaks, 18000.0]).clamp(max=edge)
        self.register_buffer("lowest_hz", lowest.unsqueeze(1), persistent=False)  # (sections, 1)
        self.register_buffer("highest_hz", highest.unsqueeze(1), persistent=False)
        self.register_buffer(
            "highest_q", torch.tensor([1.4, *[4.0] * peaks, 1.4]).unsqueeze(1), persistent=False
        )
        start_hz = torch.tensor([100.0, *np.geomspace(250.0, 8000.0, peaks + 2)[1:-1], 6000.0])
        raw_hz = raw_between(start_hz.clamp(max=0.8 * edge).float(), lowest, highest)
        raw_q = raw_between(0.7, 0.3, self.highest_q[:, 0])
        self.raw = HyperParameters(num_controls, torch.cat([torch.zeros(2 + peaks), raw_hz, raw_q]))

    def forward(self, input: Tensor, controls: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The equalised block, and the state after it."""
        return run_chain(input, self.sections(controls), state, self.num_controls)

    def hold(self, controls: Tensor) -> None:
        """Turns what the controls do into constants, with them at (num_controls,)."""
        self.raw, self.num_controls = self.raw.held(controls), 0

    def settings(self, controls: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """gain_db, frequency_hz and q, (sections, rows) each."""
        gain, frequency, q = self.raw(controls).transpose(0, 1).chunk(3)  # (sections, rows) each
        return (
            self.MAX_GAIN_DB * torch.tanh(gain),
            between(frequency, self.lowest_hz, self.highest_hz),
            between(q, 0.3, self.highest_q),
        )

    def sections(self, controls: Tensor) -> Sections:
        """The filters at these controls."""
        gain_db, frequency_hz, q = self.settings(controls)
        low, middle, high = slice(0, 1), slice(1, 1 + self.peaks), slice(1 + self.peaks, 2 + self.peaks)
        kinds = (
            low_shelf(gain_db[low], frequency_hz[low], q[low], self.sample_rate),
            peak(gain_db[middle], frequency_hz[middle], q[middle], self.sample_rate),
            high_shelf(gain_db[high], frequency_hz[high], q[high], self.sample_rate),
        )
        return trapezoidal(StateVariable(*(torch.cat(parts) for parts in zip(*kinds, strict=True))))

    def labels(self, controls: Tensor) -> list[str]:
        """What a technician would write beside each section, for the first row."""
        names = ["low shelf", *["peak"] * self.peaks, "high shelf"]
        values = torch.stack([value[:, 0] for value in self.settings(controls)], dim=1).tolist()
        return [
            f"{name} {frequency:.0f} Hz, {gain:+.1f} dB, Q {q:.2f}"
            for name, (gain, frequency, q) in zip(names, values, strict=True)
        ]


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


def _warped(frequency_hz: Tensor, sample_rate: int) -> Tensor:
    return torch.tan(math.pi / sample_rate * frequency_hz)
