"""A tape behind a net: the code that plays it, and the loops, which are too long for source text."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tapezoo.architecture.tape import (
    HISS_MOST_DB,
    HISS_OFF_DB,
    HISTORY,
    PAST,
    PLACE_IN_MODULATION,
    PLACE_IN_NOISE,
    PLACE_IN_TRANSPORT,
)
from tapezoo.cpp.program import Program
from tapezoo.cpp.text import double_text

LOOPS = "loops.bin"
NEPERS_PER_DB = math.log(10) / 20


@dataclass(frozen=True)
class Tape:
    """What stands behind a net.

    Args:
        curves: Spline coefficients of wow and flutter in samples of delay, (points, 2); (0, 2): no delay line.
        hop_samples: From one point to the next.
        reach_samples: Largest deviation of the delay.
        sinc: (phases + 1, taps), whole vectors of 16 each; see `tapezoo.layers.delay_line.sinc_table`.
        noise: (length,); (0,): none.
        modulation: Modulation noise, likewise.
        smoothing_samples: Samples that a knob takes to a new position.
        begin: Where the curves are at rest, samples.
        noise_apart: Distance of the channels in the noise, samples.
        modulation_apart: And in the modulation noise.
    """

    curves: NDArray[np.float64]
    hop_samples: int
    reach_samples: int
    sinc: NDArray[np.float32]
    noise: NDArray[np.float32]
    modulation: NDArray[np.float32]
    smoothing_samples: int
    begin: int = 0
    noise_apart: int = 0
    modulation_apart: int = 0

    @property
    def num_controls(self) -> int:
        """Wow and flutter, modulation noise, hiss."""
        return 2 * bool(len(self.curves)) + bool(len(self.modulation)) + bool(len(self.noise))

    @property
    def past_samples(self) -> int:
        """Length of the delay line's context."""
        return 2 * self.reach_samples + self.sinc.shape[1] - 1 if len(self.curves) else 0

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the state's tensors."""
        shapes: dict[str, tuple[int, ...]] = {HISTORY: (self.num_controls, self.smoothing_samples)}
        if len(self.curves):
            shapes |= {PAST: (1, self.past_samples), PLACE_IN_TRANSPORT: ()}
        if len(self.modulation):
            shapes[PLACE_IN_MODULATION] = ()
        if len(self.noise):
            shapes[PLACE_IN_NOISE] = ()
        return shapes

    @cached_property
    def loops(self) -> bytes:
        """What the host hands in, little endian: a number that belongs to it, the curves and the noises.

        The curves have the last point before the first and the first two behind the last: four in a row are one read.
        """
        around = [self.curves[-1:], self.curves, self.curves[:2]] if len(self.curves) else []
        parts = [np.ascontiguousarray(part, "<f8").tobytes() for part in around]
        parts += [np.ascontiguousarray(part, "<f4").tobytes() for part in (self.noise, self.modulation)]
        content = b"".join(parts)
        return hashlib.sha256(content).digest()[:8] + content

    @property
    def loops_id(self) -> int:
        """The number that `loops` begins with."""
        return int.from_bytes(self.loops[:8], "little")


def with_tape(program: Program, kind: str, tape: Tape) -> str:
    """The type of the knobs of a net, those of type `kind`, and of the tape behind it."""
    program.use("glide.hpp", "line.hpp", "tape.hpp")
    program.remember(HISTORY, ("knobs", "_tape"))
    return f"WithTape<{kind}, {program.num_controls}, Glide<{tape.num_controls}, {tape.smoothing_samples}>>"


def add_tape(program: Program, tape: Tape) -> None:
    """Plays the net's output through a tape, in place."""
    # a fraction just under 1 may be rounded to 1: the row behind the last one is read with a share of 0
    phases, taps = len(tape.sinc) - 1, tape.sinc.shape[1]
    sizes = {
        "points": len(tape.curves),
        "hop": tape.hop_samples if len(tape.curves) else 1,
        "reach": tape.reach_samples,
        "past": tape.past_samples,
        "phases": phases,
        "taps": taps,
        "noise": len(tape.noise),
        "modulation": len(tape.modulation),
    }
    slope = (HISS_MOST_DB - HISS_OFF_DB) * NEPERS_PER_DB
    others = [
        f"static constexpr std::uint64_t id = 0x{tape.loops_id:016x}u;",
        f"static constexpr std::int64_t begin = {tape.begin}, noise_apart = {tape.noise_apart};",
        f"static constexpr std::int64_t modulation_apart = {tape.modulation_apart};",
        f"static constexpr double gain_first = {double_text(HISS_OFF_DB * NEPERS_PER_DB)};",
        f"static constexpr double gain_slope = {double_text(slope)};",
    ]
    sinc = np.concatenate([tape.sinc, tape.sinc[-1:]]) if len(tape.curves) else np.zeros(1)
    table = program.table("TapeNumbers", sizes, {"sinc": sinc}, others=others)
    program.member(f"Tape<{table}>", "tape")
    program.say("tape.play(out, knobs.tape, samples);")
    if len(tape.curves):
        program.remember(PAST, ("tape", ""))
        program.remember(PLACE_IN_TRANSPORT, ("tape", "_transport"))
    if len(tape.modulation):
        program.remember(PLACE_IN_MODULATION, ("tape", "_modulation"))
    if len(tape.noise):
        program.remember(PLACE_IN_NOISE, ("tape", "_noise"))


def add_no_tape(program: Program) -> None:
    """Says that there is none."""
    program.use("no_tape.hpp")
    program.members.append("NoTape tape;")
