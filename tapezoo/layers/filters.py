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
    recur_changing,
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
        self.hyper: nn.Sequential | None = None
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

    def tensors(self) -> list[Tensor]:
        """p0, W1, b1 and W2, with controls."""
        assert self.hyper is not None
        first, last = self.hyper[0], self.hyper[-1]
        weights = first.get_parameter("weight"), first.get_parameter("bias"), last.get_parameter("weight")
        return [self.start, *weights]

    @torch.no_grad()
    def held(self, controls: Tensor) -> HyperParameters:
        """The numbers at one setting (K,), as those of a block without controls."""
        return HyperParameters(0, self(controls.unsqueeze(0))[0])


def within(raw: Tensor, reach: float) -> Tensor:
    """Any number to -`reach`..`reach`, nearly unchanged far below it: `reach tanh(raw / reach)`."""
    return reach * torch.tanh(raw / reach)


def between(raw: Tensor, lowest: Tensor | float, highest: Tensor | float) -> Tensor:
    """Any number to `lowest`..`highest` (both > 0), geometrically: `lowest (highest/lowest)^sigmoid(raw)`."""
    return _between(raw, torch.as_tensor(lowest), torch.as_tensor(highest))


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

    While controls move, the coefficients follow them sample by sample.

    Args:
        num_controls: Knobs, which move all parameters (`HyperParameters`).
        peaks: How many, 0 or more; 3 (2 + peaks) numbers.
        sample_rate: Hz.

    Shape:
        input, output: (batch, 1, samples); controls: (batch, num_controls), where they go;
        trajectory: (batch, num_controls, 1 or samples), the way there; state: (batch, 2 + peaks, 2).
    """

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

    def forward(
        self, input: Tensor, controls: Tensor, trajectory: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The equalised block, and the state after it."""
        if not self.num_controls:
            return run_chain(input, self.sections(controls), state, 0)
        if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
            still = run_chain(input, self.sections(controls), state, self.num_controls)
            numbers = self._numbers()
            traced: tuple[Tensor, Tensor] = _moving_or_still(
                input, controls, trajectory, state, still, *numbers
            )
            return traced
        moved = (trajectory != controls.unsqueeze(-1)).any(1).any(0).nonzero()
        way = int(moved[-1]) + 1 if len(moved) else 0  # samples until all rows are there
        if not way:
            return run_chain(input, self.sections(controls), state, self.num_controls)
        output, state = _moving(input[..., :way], trajectory[..., :way], state, *self._numbers())
        if way < input.shape[-1]:
            rest, state = run_chain(input[..., way:], self.sections(controls), state, self.num_controls)
            output = torch.cat([output, rest], dim=-1)
        return output, state

    def hold(self, controls: Tensor) -> None:
        """Turns what the controls do into constants, with them at (num_controls,)."""
        self.raw, self.num_controls = self.raw.held(controls), 0

    def settings(self, controls: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """gain_db, frequency_hz and q, (sections, rows) each."""
        return _settings(self.raw(controls).transpose(0, 1), self._bounds())

    def sections(self, controls: Tensor) -> Sections:
        """The filters at these controls."""
        return _sections(self.raw(controls).transpose(0, 1), self._bounds(), self.sample_rate)

    def _bounds(self) -> list[Tensor]:
        return [self.lowest_hz, self.highest_hz, self.highest_q]

    def _numbers(self) -> tuple[list[Tensor], list[Tensor], list[Tensor], int, int]:
        """What `_moving` needs."""
        bounds = [bound.unsqueeze(1) for bound in self._bounds()]
        count = 2 + self.peaks
        return self.raw.tensors(), bounds, _chain(count, bounds[0]), count, self.sample_rate

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


def _chain(count: int, like: Tensor) -> list[Tensor]:
    """Constants that join `count` sections to one filter, whose state is all theirs and a 1.

    Returns:
        gaps (count + 1, 1 + count, count): 1 where the third, a section, lies before the first, one of them or what
        leaves the last, and behind the second, the input or one of them.
        earlier (count + 1, 1 + count): 1 where the second comes before the first.
        diagonal (count, 1, count, 1): 1 where both are the same.
        corner (2 count + 1, 2 count + 1): the 1 stays.
    """
    place = torch.arange(count + 1, device=like.device)
    after, source = place[:, None], place[None, :]
    gaps = (source[..., None] <= place[:count]) & (place[:count] < after[..., None])
    corner = torch.zeros(2 * count + 1, 2 * count + 1)
    corner[-1, -1] = 1.0
    parts = (gaps, source <= after, torch.eye(count)[:, None, :, None], corner)
    return [part.to(like) for part in parts]


# what follows is scripted where a graph is traced: plain functions of tensors


def _between(raw: Tensor, lowest: Tensor, highest: Tensor) -> Tensor:
    return lowest * torch.exp(torch.log(highest / lowest) * torch.sigmoid(raw))


def _settings(numbers: Tensor, bounds: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """gain_db, frequency_hz and q, (sections, ...) each, from the numbers of an equaliser (3 sections, ...)."""
    gain, frequency, q = numbers.chunk(3)
    return (
        15.0 * torch.tanh(gain),
        _between(frequency, bounds[0], bounds[1]),
        _between(q, torch.tensor(0.3), bounds[2]),
    )


def _sections(numbers: Tensor, bounds: list[Tensor], sample_rate: int) -> Sections:
    gain_db, frequency_hz, q = _settings(numbers, bounds)
    low = low_shelf(gain_db[:1], frequency_hz[:1], q[:1], sample_rate)
    middle = peak(gain_db[1:-1], frequency_hz[1:-1], q[1:-1], sample_rate)
    high = high_shelf(gain_db[-1:], frequency_hz[-1:], q[-1:], sample_rate)
    return trapezoidal(
        StateVariable(
            torch.cat([low.g, middle.g, high.g]),
            torch.cat([low.k, middle.k, high.k]),
            torch.cat([low.m0, middle.m0, high.m0]),
            torch.cat([low.m1, middle.m1, high.m1]),
            torch.cat([low.m2, middle.m2, high.m2]),
        )
    )


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _moving_or_still(
    input: Tensor,
    controls: Tensor,
    trajectory: Tensor,
    state: Tensor,
    still: tuple[Tensor, Tensor],
    hyper: list[Tensor],
    bounds: list[Tensor],
    chain: list[Tensor],
    count: int,
    sample_rate: int,
) -> tuple[Tensor, Tensor]:
    """`_moving` where any control moves in this block, else `still`: a graph decides as it plays."""
    if bool((trajectory != controls.unsqueeze(-1)).any()):
        return _moving(input, trajectory, state, hyper, bounds, chain, count, sample_rate)
    return still


def _moving(
    input: Tensor,
    trajectory: Tensor,
    state: Tensor,
    hyper: list[Tensor],
    bounds: list[Tensor],
    chain: list[Tensor],
    count: int,
    sample_rate: int,
) -> tuple[Tensor, Tensor]:
    """An equaliser whose coefficients are new at every sample, see `ParametricEQ.forward`.

    Trapezoidal state-variable filters stay stable while they change: the transition of any of them is a contraction.

    Shape:
        trajectory: (batch, K, samples); the others as there.
    """
    bent = torch.tanh(torch.nn.functional.linear(trajectory.transpose(1, 2), hyper[1], hyper[2]))
    numbers = hyper[0] + torch.nn.functional.linear(bent, hyper[3])  # (batch, samples, 3 sections)
    sections = _sections(numbers.permute(2, 0, 1), bounds, sample_rate)
    # what is before each section of the chain, and after the last one, of the input and of every section
    gaps, earlier, diagonal, corner = chain[0], chain[1], chain[2], chain[3]
    passed = 1 + gaps * (sections.direct.permute(1, 2, 0).unsqueeze(2).unsqueeze(2) - 1)
    passed = passed.prod(-1) * earlier  # (batch, samples, count + 1, 1 + count)
    rows, size = input.shape[0], 2 * count + 1
    own = passed[..., 1:].unsqueeze(-1) * sections.leave.permute(1, 2, 0, 3).unsqueeze(2)
    own = own.reshape(rows, -1, count + 1, 2 * count)  # (batch, samples, count + 1, states)
    heard = torch.cat([own, passed[..., :1] * input.transpose(1, 2).unsqueeze(-1)], dim=-1)
    entered = sections.enter.permute(1, 2, 0, 3).unsqueeze(-1) * heard[:, :, :-1].unsqueeze(3)
    kept = sections.transition.permute(1, 2, 0, 3, 4).unsqueeze(4) * diagonal
    kept = torch.nn.functional.pad(kept.reshape(rows, -1, 2 * count, 2 * count), [0, 1])
    step = torch.nn.functional.pad(entered.reshape(rows, -1, 2 * count, size) + kept, [0, 0, 0, 1]) + corner
    start = torch.cat([state.reshape(-1, 2 * count), torch.ones_like(state[:, 0, :1])], dim=1)
    output, after = recur_changing(step, heard[:, :, -1], start, size)
    return output.unsqueeze(1), after[:, : 2 * count].reshape(-1, count, 2)


def _amplitude(gain_db: Tensor) -> Tensor:
    return torch.exp(gain_db * (math.log(10.0) / 40.0))  # the cookbook's A: the square root of the gain


def _warped(frequency_hz: Tensor, sample_rate: int) -> Tensor:
    return torch.tan(math.pi / sample_rate * frequency_hz)
