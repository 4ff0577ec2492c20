"""A parametric equaliser whose settings are trained and follow the controls."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from tapezoo.layers.moving_equaliser import (
    chain_constants,
    equaliser_sections,
    equaliser_settings,
    play_moving,
    play_moving_or_still,
)
from tapezoo.layers.ranges import from_range
from tapezoo.layers.section_chains import run_chain
from tapezoo.layers.sections import (
    Sections,
)
from tapezoo.layers.trained_numbers import HyperParameters

EDGE = 0.45  # of the sample rate: the highest frequency of a section
LOWEST_Q = 0.3  # as in `equaliser_settings`


class ParametricEQ(nn.Module):
    """A low shelf, peaks and a high shelf in series, each with gain (dB), frequency (Hz) and Q.

    The ranges keep every section's decay well below half a second: shelves 20-500 Hz and 1.5 kHz upwards, Q 0.3-1.4;
    peaks 60 Hz-16 kHz, Q 0.3-4; gains +-15 dB. Frequencies are limited to 0.45 of the sample rate.

    While controls move, the coefficients follow them sample by sample.

    Args:
        num_controls: Number of knobs; they move all parameters (`HyperParameters`).
        peaks: Number of peaks, 0 or more; 3 (2 + peaks) numbers.
        sample_rate: Hz.

    Shape:
        input, output: (batch, 1, samples); controls: (batch, num_controls), the newest setting;
        trajectory: (batch, num_controls, 1 or samples), the path to it; state: (batch, 2 + peaks, 2).
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
        raw_hz = from_range(start_hz.clamp(max=0.8 * edge).float(), lowest, highest)
        raw_q = from_range(0.7, LOWEST_Q, self.highest_q[:, 0])
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
            traced: tuple[Tensor, Tensor] = play_moving_or_still(
                input, controls, trajectory, state, still, *numbers
            )
            return traced
        moved = (trajectory != controls.unsqueeze(-1)).any(1).any(0).nonzero()
        way = int(moved[-1]) + 1 if len(moved) else 0  # samples until all rows have arrived
        if not way:
            return run_chain(input, self.sections(controls), state, self.num_controls)
        output, state = play_moving(input[..., :way], trajectory[..., :way], state, *self._numbers())
        if way < input.shape[-1]:
            rest, state = run_chain(input[..., way:], self.sections(controls), state, self.num_controls)
            output = torch.cat([output, rest], dim=-1)
        return output, state

    def hold(self, controls: Tensor) -> None:
        """Fixes the controls at (num_controls,) and replaces them by constants."""
        self.raw, self.num_controls = self.raw.held(controls), 0

    def settings(self, controls: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """gain_db, frequency_hz and q, (sections, rows) each."""
        return equaliser_settings(self.raw(controls).transpose(0, 1), self._bounds())

    def sections(self, controls: Tensor) -> Sections:
        """The filters at these controls."""
        return equaliser_sections(self.raw(controls).transpose(0, 1), self._bounds(), self.sample_rate)

    def _bounds(self) -> list[Tensor]:
        return [self.lowest_hz, self.highest_hz, self.highest_q]

    def _numbers(self) -> tuple[list[Tensor], list[Tensor], list[Tensor], int, int]:
        """The arguments that `play_moving` needs."""
        bounds = [bound.unsqueeze(1) for bound in self._bounds()]
        count = 2 + self.peaks
        return self.raw.tensors(), bounds, chain_constants(count, bounds[0]), count, self.sample_rate

    def labels(self, controls: Tensor) -> list[str]:
        """The label of each section as a technician would write it, for the first row."""
        names = ["low shelf", *["peak"] * self.peaks, "high shelf"]
        values = torch.stack([value[:, 0] for value in self.settings(controls)], dim=1).tolist()
        return [
            f"{name} {frequency:.0f} Hz, {gain:+.1f} dB, Q {q:.2f}"
            for name, (gain, frequency, q) in zip(names, values, strict=True)
        ]
