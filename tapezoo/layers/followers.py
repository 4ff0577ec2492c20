"""Envelope and signal followers with time constants in milliseconds, which change a signal by its own recent past."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from tapezoo.layers.ranges import from_range, limit, to_range
from tapezoo.layers.responses import Response
from tapezoo.layers.section_chains import run_followers
from tapezoo.layers.sections import one_pole
from tapezoo.layers.trained_numbers import HyperParameters

SHORTEST_MS, LONGEST_MS = 0.01, 50.0  # ten times the longest is half a second: the memory fades
GAIN_REACH = 4.0  # nepers, 35 dB: the most that the level can raise or lower the gain
LEVEL_REACH = 1.5  # input range of the displayed curves, in units of full scale
LEVEL_POINTS = 200


class Followers(nn.Module, ABC):
    """F followers `m_k[n] = p_k m_k[n-1] + (1 - p_k) s_k[n]`, `p_k = exp(-1 / tau_k)`, and their effect on the signal.

    A subclass defines the input of follower k (s_k) and how the m_k change the signal. The time constants
    tau_k are trained within 0.01 to 50 ms.

    While controls move, the tau_k use the newest setting from the start of each block; m_k remains continuous.
    The other numbers follow the controls sample by sample.

    Args:
        num_controls: Number of knobs; they move all numbers (`HyperParameters`).
        start: Initial values of each follower's numbers other than its time constant, (numbers, F).
        shortest_ms: Initial time constant of the first follower.
        longest_ms: Initial time constant of the last follower; the others are spaced geometrically.
        sample_rate: Hz.

    Shape:
        input, output: (batch, 1, samples); controls: (batch, num_controls), the newest setting;
        trajectory: (batch, num_controls, 1 or samples), the path to it; state: (batch, F, 2).
    """

    def __init__(
        self, num_controls: int, start: Tensor, shortest_ms: float, longest_ms: float, sample_rate: int
    ) -> None:
        super().__init__()
        self.num_controls, self.followers, self.sample_rate = num_controls, start.shape[1], sample_rate
        times_ms = torch.from_numpy(np.geomspace(shortest_ms, longest_ms, self.followers)).float()
        raw = torch.cat([from_range(times_ms, SHORTEST_MS, LONGEST_MS).unsqueeze(0), start])
        self.numbers = HyperParameters(num_controls, raw.flatten())

    def forward(
        self, input: Tensor, controls: Tensor, trajectory: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The processed block, and the state after it."""
        time_ms, *_ = self.settings(controls)  # (rows, F, 1)
        # (rows, F, 1 or samples) each
        _, *numbers = torch.split(self.numbers.along(trajectory), self.followers, dim=1)
        heard = self.listen(input, *numbers)  # (batch, F, samples)
        sections = one_pole(time_ms.squeeze(-1).transpose(0, 1) * (1e-3 * self.sample_rate))
        followed, after = run_followers(heard, sections, state, self.num_controls)
        return self.bend(input, heard, followed, *numbers), after

    def hold(self, controls: Tensor) -> None:
        """Fixes the controls at (num_controls,) and replaces them by constants."""
        self.numbers, self.num_controls = self.numbers.held(controls), 0

    def settings(self, controls: Tensor) -> list[Tensor]:
        """Time constants in ms, then the subclass's numbers, (rows, F, 1) each."""
        raw = self.numbers(controls).unsqueeze(-1)
        times, *numbers = raw.split(self.followers, dim=1)
        return [to_range(times, SHORTEST_MS, LONGEST_MS), *numbers]

    @abstractmethod
    def listen(self, input: Tensor, *numbers: Tensor) -> Tensor:
        """s_k, (batch, F, samples)."""

    @abstractmethod
    def bend(self, input: Tensor, heard: Tensor, followed: Tensor, *numbers: Tensor) -> Tensor:
        """The output from the input, s_k and m_k."""

    @abstractmethod
    def responses(self, controls: Tensor) -> list[Response]:
        """The behaviour of each follower, at controls (1, num_controls)."""


class Lag(Followers):
    """`v = u + sum_k beta_k (m_k - s_k)`, `s_k = tanh(c_k u)`: the signal trails its own saturated past.

    A level-dependent lag, as the magnetisation of a tape or a core lags behind its field. It is zero for slow
    signals, whose static curve is left to the nonlinearity. The initial time constants are 0.03 to 3 ms.
    Parallel Hammerstein branches (Schetzen, "The Volterra and Wiener theories of nonlinear systems", 1980).

    Args:
        num_controls: Number of knobs.
        followers: Number of followers, F; 3 F numbers: tau_k, log c_k and beta_k.
        sample_rate: Hz.
    """

    def __init__(self, num_controls: int, followers: int, sample_rate: int) -> None:
        log_slope = torch.linspace(0.5, 3.0, followers)
        start = torch.stack([log_slope, torch.zeros(followers)])
        super().__init__(num_controls, start, 0.03, 3.0, sample_rate)

    def listen(self, input: Tensor, *numbers: Tensor) -> Tensor:
        """See `Followers.listen`."""
        log_slope, _ = numbers
        return torch.tanh(log_slope.exp() * input)

    def bend(self, input: Tensor, heard: Tensor, followed: Tensor, *numbers: Tensor) -> Tensor:
        """See `Followers.bend`."""
        _, amount = numbers
        return input + (amount * (followed - heard)).sum(dim=1, keepdim=True)

    def responses(self, controls: Tensor) -> list[Response]:
        """What each follower subtracts at once and returns over tau: `beta_k tanh(c_k u)` against u."""
        time_ms, log_slope, amount = (number[0] for number in self.settings(controls))  # (F, 1) each
        level = torch.linspace(-LEVEL_REACH, LEVEL_REACH, LEVEL_POINTS, device=controls.device)
        curves = amount * torch.tanh(log_slope.exp() * level)  # (F, points)
        return _lines("lag", level, curves, [f"trails by {time:.3g} ms" for time in time_ms[:, 0].tolist()])


class Level(Followers):
    """`v = u exp(g) + sum_k beta_k m_k`, `g = 4 tanh(sum_k kappa_k m_k / 4)`, `s_k = |u|`: gain driven by the level.

    The level moves gain and bias: a compressor (kappa < 0), or the bias shift of a stage whose supply or coupling
    capacitor follows the level. Attack and release of one follower share a time constant; several followers give
    several time constants. The initial ones are 1 to 20 ms. The gain stays within 35 dB of 1, however loud the
    input. Comunita, Steinmetz, Reiss 2025 drive such a gain and offset with a recurrent controller.

    Args:
        num_controls: Number of knobs.
        followers: Number of followers, F; 3 F numbers: tau_k, kappa_k and beta_k.
        sample_rate: Hz.
    """

    def __init__(self, num_controls: int, followers: int, sample_rate: int) -> None:
        super().__init__(num_controls, torch.zeros(2, followers), 1.0, 20.0, sample_rate)

    def listen(self, input: Tensor, *numbers: Tensor) -> Tensor:
        """See `Followers.listen`."""
        return input.abs().expand(-1, self.followers, -1)

    def bend(self, input: Tensor, heard: Tensor, followed: Tensor, *numbers: Tensor) -> Tensor:
        """See `Followers.bend`."""
        gain, bias = ((number * followed).sum(dim=1, keepdim=True) for number in numbers)
        return input * limit(gain, GAIN_REACH).exp() + bias

    def responses(self, controls: Tensor) -> list[Response]:
        """Output against steady input u: `u exp(g) + beta_k |u|` with `kappa_k |u|` in g, for each follower alone."""
        time_ms, gain, bias = (number[0] for number in self.settings(controls))  # (F, 1) each
        level = torch.linspace(-LEVEL_REACH, LEVEL_REACH, LEVEL_POINTS, device=controls.device)
        curves = level * limit(gain * level.abs(), GAIN_REACH).exp() + bias * level.abs()  # (F, points)
        return _lines("level", level, curves, [f"after {time:.3g} ms" for time in time_ms[:, 0].tolist()])


def _lines(block: str, level: Tensor, curves: Tensor, labels: list[str]) -> list[Response]:
    x, each = level.cpu().double().numpy(), curves.detach().cpu().double().numpy()
    return [Response(block, label, "curve", x, y) for label, y in zip(labels, each, strict=True)]
