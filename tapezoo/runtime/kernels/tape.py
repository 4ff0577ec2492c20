"""A tape behind a kernel, see `tapezoo.taped.Taped`: one channel of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from tapezoo.architecture.tape import (
    HISS_MOST_DB,
    HISS_OFF_DB,
    HISTORY,
    PAST,
    PLACE_IN_MODULATION,
    PLACE_IN_NOISE,
    PLACE_IN_TRANSPORT,
)
from tapezoo.bundle import StateArrays
from tapezoo.bundle.play import Audio
from tapezoo.runtime.kernels.channel import Channel
from tapezoo.runtime.kernels.file import KernelFile
from tapezoo.runtime.kernels.glide import HistoryGlide
from tapezoo.runtime.kernels.tape_loop import play_tape
from tapezoo.runtime.kernels.vector import LANES

KERNEL = "taped"  # so that a reader that knows no tape refuses the file
NONLINEARITY = "nonlinearity"  # the setting that names the kernel before the tape
CHUNK_SAMPLES = 512
LONGEST_SAMPLES = 1 << 26  # of a loop; a delay line is far shorter
NEPERS_PER_DB = math.log(10) / 20


class TapedChannel:
    """See `Channel`.

    Arrays of the file beside those of the nonlinearity: "tape.curves" and "tape.curves_rest" (points, 2), which add up
    to the spline coefficients of wow and flutter in samples, and "tape.sinc" (phases + 1, taps); "tape.noise" (N,);
    "tape.modulation" (M,). Settings: "tape_hop_samples", "tape_reach_samples" and "tape_smoothing_samples".

    Args:
        inner: The channel of the nonlinearity.
        file: The weights.

    Raises:
        ValueError: Arrays that do not fit together, or a delay that reaches further than the delay line.
    """

    def __init__(self, inner: Channel, file: KernelFile) -> None:
        self._inner, self._known = inner, file.num_controls
        self._curves, self._sinc = np.zeros((0, 2)), np.zeros(0, np.float32)
        self._hop = self._reach = self._past = taps = 0
        if "tape.curves" in file.arrays:
            taps = self._read_transport(file)
        self._noise = np.zeros(0, np.float32)
        if "tape.noise" in file.arrays:
            self._noise = file.array("tape.noise", None)
        self._modulation = np.zeros(0, np.float32)
        if "tape.modulation" in file.arrays:
            self._modulation = file.array("tape.modulation", None)
        own = 2 * bool(len(self._curves)) + bool(len(self._modulation)) + bool(len(self._noise))
        if not own:
            raise ValueError("a tape with neither transport nor noise")
        slope = (HISS_MOST_DB - HISS_OFF_DB) * NEPERS_PER_DB
        self._numbers = np.array(
            [self._hop, self._reach, taps, HISS_OFF_DB * NEPERS_PER_DB, slope, -1, 0, -1, 0], np.float64
        )
        self._heard = np.zeros(self._past + CHUNK_SAMPLES, np.float32)
        smoothing_samples = int(file.settings["tape_smoothing_samples"])
        if not 0 < smoothing_samples <= LONGEST_SAMPLES:
            raise ValueError(f"a glide of {smoothing_samples} samples")
        self._glide = HistoryGlide(own, smoothing_samples, CHUNK_SAMPLES)
        self._path = np.zeros((own, CHUNK_SAMPLES), np.float32)
        self._stands = False  # the whole path is where the knobs are
        self._places = np.zeros(3, np.int64)

    def load(self, state: StateArrays) -> None:
        """See `Channel.load`; a row without a place in the noise is the first one, see `begun_rows`."""
        self._inner.load(state)
        self._glide.load({HistoryGlide.NAME: state[HISTORY]})
        self._stands = False
        if len(self._curves):
            self._heard[: self._past] = state[PAST].reshape(self._past)
            self._places[0] = int(state[PLACE_IN_TRANSPORT]) % (self._hop * (len(self._curves) - 3))
        if len(self._noise):
            self._places[1] = abs(int(state[PLACE_IN_NOISE])) % len(self._noise)
        if len(self._modulation):
            self._places[2] = abs(int(state[PLACE_IN_MODULATION])) % len(self._modulation)

    def save(self) -> StateArrays:
        """See `Channel.save`."""
        state = {**self._inner.save(), HISTORY: self._glide.save()[HistoryGlide.NAME]}
        if len(self._curves):
            state[PAST] = self._heard[np.newaxis, : self._past].copy()
            state[PLACE_IN_TRANSPORT] = self._places[0].copy()
        if len(self._noise):
            state[PLACE_IN_NOISE] = self._places[1].copy()
        if len(self._modulation):
            state[PLACE_IN_MODULATION] = self._places[2].copy()
        return state

    def play(self, input: Audio, controls: Audio, output: Audio) -> None:
        """See `Channel.play`."""
        self.aim(controls)
        self.bind(np.ascontiguousarray(input), output)()

    def aim(self, controls: Audio) -> None:
        """See `Channel.aim`."""
        if len(controls) != self._known + len(self._path):
            raise ValueError(f"{len(controls)} controls for a kernel with {self._known + len(self._path)}")
        self._stands = False
        self._inner.aim(controls[: self._known])
        self._glide.aim(controls[self._known :])

    def bind(self, input: Audio, output: Audio) -> Callable[[], object]:
        """See `Channel.bind`."""
        chunks = [
            self._bind_chunk(input[start : start + CHUNK_SAMPLES], output[start : start + CHUNK_SAMPLES])
            for start in range(0, len(input), CHUNK_SAMPLES)
        ]
        return chunks[0] if len(chunks) == 1 else partial(_play_all, chunks)

    def _bind_chunk(self, input: Audio, output: Audio) -> Callable[[], object]:
        chunk = self._heard[self._past : self._past + len(input)] if len(self._curves) else output
        net, path = self._inner.bind(input, chunk), self._path[:, : len(input)]
        tape = partial(
            play_tape,
            self._numbers,
            self._curves,
            self._sinc,
            self._noise,
            self._modulation,
            self._path,
            self._heard,
            self._places,
            output,
        )

        def play_with_tape() -> None:
            net()
            if not self._stands:
                self._follow(path)
            tape()

        return play_with_tape

    def _follow(self, path: Audio) -> None:
        self._stands = self._glide.has_arrived
        self._glide.follow(self._path if self._stands else path)

    def _read_transport(self, file: KernelFile) -> int:
        """Reads curves and sinc; returns the taps."""
        coarse = file.array("tape.curves", None, 2)
        points = len(coarse)
        curves = coarse.astype(np.float64) + file.array("tape.curves_rest", points, 2)
        self._hop, self._reach = (int(file.settings[f"tape_{name}_samples"]) for name in ("hop", "reach"))
        most = max(float(np.abs(curve).max()) for curve in (*curves.T, curves.sum(1)))
        if (
            points < 4
            or not 0 < self._hop * points <= LONGEST_SAMPLES
            or not most <= self._reach <= LONGEST_SAMPLES
        ):
            raise ValueError(
                f"{points} points every {self._hop} samples that reach {most:g} of {self._reach}"
            )
        sinc = file.array("tape.sinc", None, None)
        if len(sinc) < 2 or sinc.shape[1] % LANES:
            raise ValueError(f"a sinc of shape {sinc.shape}")
        # a fraction of just under 1 may be rounded to 1: the row behind the last is read at a weight of 0
        self._sinc = np.concatenate([sinc, sinc[-1:]]).reshape(-1)
        self._curves = np.concatenate([curves[-1:], curves, curves[:2]])
        taps = int(sinc.shape[1])
        self._past = 2 * self._reach + taps - 1
        return taps


def _play_all(chunks: list[Callable[[], object]]) -> None:
    for play in chunks:
        play()
