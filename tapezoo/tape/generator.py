"""The contract of what makes a random signal: a pure function of its state, which counts what was made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tapezoo.tape.errors import TapeError
from tapezoo.tape.synthesis import Line

State = dict[str, Tensor]
MOST_SEED = (1 << 31) - 1
MOST_LINES = 32
LINES = ("line_turns", "line_amplitudes")  # the buffers that hold them
OF_LINES = 1 << 62  # in place of a block's number, where the phases of the lines are drawn


class Generator(nn.Module, ABC):
    """`block, state = generator(state)`: the next block of a signal that never ends, from nothing but the state.

    The state holds the seed, how many blocks were made, and the end of the last one. So the signal is the same
    however it is fetched, and another seed gives another one.

    What is periodic in the signal, a capstan or the mains, is not random: it is measured (`set_lines`), kept out of
    what `fill` is trained to make, and added to it, with phases that the seed draws.

    Args:
        window_points: Length of what the generator makes at once, its context included.
        context_points: How much of a window is known from the one before.

    Raises:
        TapeError: A context that leaves less than half of a window.
    """

    scale: Tensor
    line_turns: Tensor
    line_amplitudes: Tensor

    def __init__(self, window_points: int, context_points: int) -> None:
        super().__init__()
        if not 1 <= context_points <= window_points // 4:
            raise TapeError(
                "--model.context_points",
                found=str(context_points),
                expected=f"1 to {window_points // 4}, a quarter of the window",
                fix="Correct it.",
            )
        self.window_points, self.context_points = window_points, context_points
        self.register_buffer("scale", torch.ones(()))
        """Standard deviation of the signal without its lines, in its unit: `fill` works on what has 1."""
        self.register_buffer("line_turns", torch.zeros(MOST_LINES, dtype=torch.float64))
        """Of each line, per point."""
        self.register_buffer("line_amplitudes", torch.zeros(MOST_LINES, dtype=torch.float64))

    @property
    def block_points(self) -> int:
        """Length of a block."""
        return self.window_points - self.context_points

    def set_lines(self, lines: Sequence[Line], rate_hz: float) -> None:
        """What is periodic in the signal; of more than 32 lines the first.

        Args:
            lines: Of the signal.
            rate_hz: Its points per second.
        """
        self.line_turns.zero_()
        self.line_amplitudes.zero_()
        for number, line in enumerate(lines[:MOST_LINES]):
            self.line_turns[number] = line.frequency_hz / rate_hz
            self.line_amplitudes[number] = line.amplitude

    def lines(self, seed: int, first: int, points: int, period: int | None = None) -> Tensor:
        """The periodic part of the signal of this seed.

        Args:
            seed: Of the signal.
            first: Its point at which this begins.
            points: How many.
            period: Of a loop: every line is moved to the next rate of which it holds whole turns, and left out where
                that is 0, which would be an offset; None: none is.

        Shape:
            returns: (points,).
        """
        turns = self.line_turns if period is None else (self.line_turns * period).round() / period
        phases = torch.from_numpy(_numbers(seed, OF_LINES).random(MOST_LINES))
        place = torch.arange(first, first + points, dtype=torch.float64)
        angle = 2 * np.pi * ((place[:, None] * turns) % 1 + phases)
        return (angle.sin() @ torch.where(turns > 0, self.line_amplitudes, 0)).float()

    @abstractmethod
    def fill(self, known: Tensor, is_known: Tensor, random: np.random.Generator) -> Tensor:
        """A window that agrees with what is known of it; random numbers come from `random` alone.

        Shape:
            known: (batch, 1, window_points), 0 where nothing is known.
            is_known: The same, 1 where it is, else 0.
        """

    def initial_state(self, seed: int) -> State:
        """The state before the first block.

        Args:
            seed: 0 to 2^31 - 1; another one, another signal.
        """
        return {
            "seed": torch.tensor(seed),
            "blocks": torch.tensor(0),
            "before": torch.zeros(self.context_points),
        }

    @torch.no_grad()
    def forward(self, state: State) -> tuple[Tensor, State]:
        """The next block, (block_points,) in the signal's unit, and the state after it."""
        first = int(state["blocks"]) * self.block_points
        block, after = self.aperiodic(state)
        return block + self.lines(int(state["seed"]), first, self.block_points), after

    @torch.no_grad()
    def aperiodic(self, state: State) -> tuple[Tensor, State]:
        """The same without the lines."""
        known, is_known = self._nothing()
        if state["blocks"] > 0:
            known[..., : self.context_points], is_known[..., : self.context_points] = state["before"], 1
        window = self.fill(known, is_known, _random(state))[0, 0]
        after = {
            "seed": state["seed"],
            "blocks": state["blocks"] + 1,
            "before": window[-self.context_points :],
        }
        return window[self.context_points :] * self.scale, after

    @torch.no_grad()
    def join(self, loop: Tensor, points: int, state: State) -> Tensor:
        """What leads from the end of a signal without lines to its beginning.

        Args:
            loop: (window_points / 2 or more,), in the signal's unit.
            points: How many are wanted, 1 to window_points - 2 * context_points.
            state: Of the block that this is.

        Shape:
            returns: (points,).
        """
        known, is_known = self._nothing()
        first, last = self.context_points, self.context_points + points
        known[..., :first] = loop[-first:] / self.scale
        known[..., last:] = loop[: self.window_points - last] / self.scale
        is_known[..., :first] = is_known[..., last:] = 1
        window = self.fill(known, is_known, _random(state))[0, 0]
        return window[first:last] * self.scale

    def _nothing(self) -> tuple[Tensor, Tensor]:
        return torch.zeros(1, 1, self.window_points), torch.zeros(1, 1, self.window_points)


def _random(state: State) -> np.random.Generator:
    return _numbers(int(state["seed"]), int(state["blocks"]))


def _numbers(seed: int, block: int) -> np.random.Generator:
    """Of one block alone: counter-based (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011)."""
    return np.random.Generator(np.random.Philox(key=[seed, block]))


def make_loop(generator: Generator, points: int, seed: int) -> Tensor:
    """A signal of any length that begins anew without a seam where it ends.

    Args:
        generator: What makes it.
        points: At least two windows.
        seed: See `Generator.initial_state`.

    Shape:
        returns: (points,).

    Raises:
        TapeError: Too short.
    """
    least, longest_join = 2 * generator.window_points, generator.window_points - 2 * generator.context_points
    if points < least:
        raise TapeError(
            "a loop",
            found=f"{points} points",
            expected=f"{least} at least, two windows",
            fix="Ask for a longer one.",
        )
    state, left = generator.initial_state(seed), points
    made = torch.zeros(0)
    while left > longest_join:
        block, state = generator.aperiodic(state)
        made = torch.cat([made, block[: left - longest_join // 2]])  # something is left to be joined
        left = points - len(made)
    loop = torch.cat([made, generator.join(made, left, state)])
    return loop + generator.lines(seed, 0, points, period=points)
