"""What is measured of a signal while it plays: its loudness, crest factor and spectral centroid, for every sample."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tapezoo.layers.conditioner import State
from tapezoo.layers.recurrence import BlockTables, block_tables, matrix_powers, recur

WINDOW_S = 0.05  # a period of 20 Hz
FLOOR_POWER = 1e-10  # -100 dB re full scale, so that silence has a value
PIECE_SAMPLES = 64
CENTROID_TAPS = 512
DESIGN_POINTS = 1 << 16


class Feature(nn.Module, ABC):
    """A causal measure of the last W samples of a signal; W is the power of two nearest to 50 ms.

    Every value is made from its own W samples, so it is the same for any block length, and nothing older is left in it.

    Args:
        sample_rate: Hz.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    low: ClassVar[float]
    """The value, in `unit`, that becomes position 0; lower ones do too."""
    high: ClassVar[float]
    """The value that becomes position 1."""

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.window_samples: int = 2 ** max(1, round(math.log2(WINDOW_S * sample_rate)))

    @property
    @abstractmethod
    def receptive_field(self) -> int | None:
        """Input samples that one value depends on; None: unbounded."""

    @abstractmethod
    def rest(self) -> State:
        """The state at rest, without the batch dimension."""

    @abstractmethod
    def measure(self, input: Tensor, state: State) -> tuple[Tensor, State]:
        """The value at every sample in `unit`, and the state after the block.

        Shape:
            input, value: (batch, 1, samples).
        """

    def forward(self, input: Tensor, state: State) -> tuple[Tensor, State]:
        """`measure`, its value as a position of a control, 0..1."""
        value, after = self.measure(input, state)
        return self.position(value), after

    def position(self, value: Tensor) -> Tensor:
        """`value` in `unit` -> 0..1, as a control."""
        return ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)

    def mean_square(self, context: Tensor) -> Tensor:
        """Of the last W samples, from a signal that begins W - 1 samples before the block."""
        return sliding_sum(context.square(), self.window_samples) / self.window_samples


class Loudness(Feature):
    """`-0.691 + 10 log10(mean square of the K-weighted signal)`, LUFS; ITU-R BS.1770-4 with a window of W samples.

    A "momentary" loudness with a window of 50 instead of 400 ms, and no gate. A sine of 997 Hz at full scale has -3.01.
    """

    name, unit, low, high = "loudness", "LUFS", -60.0, 0.0

    def __init__(self, sample_rate: int) -> None:
        super().__init__(sample_rate)
        tables = _k_tables(sample_rate)
        for name, table in zip(BlockTables._fields, tables, strict=True):
            self.register_buffer(name, table, persistent=False)

    @property
    def receptive_field(self) -> int | None:
        """See `Feature.receptive_field`: the filters have feedback."""
        return None

    def rest(self) -> State:
        """See `Feature.rest`."""
        # double precision: a high-pass at 38 Hz in direct form loses the single one
        filters = torch.zeros(2, 1, 2, dtype=torch.float64)
        return {"filters": filters, "weighted": torch.zeros(1, self.window_samples - 1)}

    def measure(self, input: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Feature.measure`."""
        weighted, after = input.double().transpose(0, 1), []  # (1, batch, samples)
        for index in range(2):
            each = BlockTables(*(self.get_buffer(name)[index : index + 1] for name in BlockTables._fields))
            weighted, left = recur(weighted, each, state["filters"][:, index].unsqueeze(0))
            after.append(left[0])
        context = torch.cat([state["weighted"], weighted.transpose(0, 1).to(input.dtype)], dim=-1)
        power = self.mean_square(context) + FLOOR_POWER
        kept = context[..., 1 - self.window_samples :]
        return -0.691 + 10 * torch.log10(power), {"filters": torch.stack(after, dim=1), "weighted": kept}


class Crest(Feature):
    """`20 log10(peak / RMS)` of the last W samples, dB: 0 of a square wave, 3.01 of a sine, more of an attack."""

    name, unit, low, high = "crest", "dB", 0.0, 24.0

    @property
    def receptive_field(self) -> int | None:
        """See `Feature.receptive_field`."""
        return self.window_samples

    def rest(self) -> State:
        """See `Feature.rest`."""
        return {"past": torch.zeros(1, self.window_samples - 1)}

    def measure(self, input: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Feature.measure`."""
        context = torch.cat([state["past"], input], dim=-1)
        peak = sliding_max(context.square(), self.window_samples)
        crest = (peak + FLOOR_POWER) / (self.mean_square(context) + FLOOR_POWER)
        return 10 * torch.log10(crest), {"past": context[..., 1 - self.window_samples :]}


class Centroid(Feature):
    """`sum f |X(f)|^2 / sum |X(f)|^2` of the last W samples, Hz, without a transform: the ratio of two powers.

    The power of a signal behind a filter with `|G(f)|^2 = f` is the sum above the line. G is a minimum-phase filter of
    512 taps. Its position is logarithmic, from 20 Hz to 20 kHz; silence is at 0.
    """

    name, unit, low, high = "centroid", "Hz", 20.0, 20000.0
    taps: Tensor

    def __init__(self, sample_rate: int) -> None:
        super().__init__(sample_rate)
        self.register_buffer("taps", _rising_taps(CENTROID_TAPS).flip(0).reshape(1, 1, -1), persistent=False)

    @property
    def receptive_field(self) -> int | None:
        """See `Feature.receptive_field`."""
        return self.window_samples + CENTROID_TAPS - 1

    def rest(self) -> State:
        """See `Feature.rest`."""
        window = torch.zeros(1, self.window_samples - 1)
        return {"heard": torch.zeros(1, CENTROID_TAPS - 1), "past": window, "rising": window.clone()}

    def measure(self, input: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Feature.measure`."""
        heard = torch.cat([state["heard"], input], dim=-1)
        context = torch.cat([state["past"], input], dim=-1)
        filtered = torch.cat([state["rising"], nn.functional.conv1d(heard, self.taps)], dim=-1)
        power, rising = self.mean_square(context), self.mean_square(filtered)
        centroid_hz = 0.5 * self.sample_rate * rising / (power + FLOOR_POWER)
        kept = 1 - self.window_samples
        after = {
            "heard": heard[..., 1 - CENTROID_TAPS :],
            "past": context[..., kept:],
            "rising": filtered[..., kept:],
        }
        return centroid_hz, after

    def position(self, value: Tensor) -> Tensor:
        """See `Feature.position`: by octaves."""
        octaves = torch.log2(value.clamp(self.low, self.high) / self.low)
        return octaves / math.log2(self.high / self.low)


_CLASSES: dict[str, type[Feature]] = {each.name: each for each in (Loudness, Crest, Centroid)}
FEATURES = tuple(_CLASSES)


def feature(name: str, sample_rate: int) -> Feature:
    """The feature with this name.

    Args:
        name: One of `FEATURES`.
        sample_rate: Hz.

    Raises:
        ValueError: No feature has this name.
    """
    if name not in _CLASSES:
        raise ValueError(f"no feature {name!r}; there are {', '.join(FEATURES)}")
    return _CLASSES[name](sample_rate)


def sliding_sum(signal: Tensor, window_samples: int) -> Tensor:
    """Of every `window_samples` (a power of two) neighbours, by doubling: no rounding error is handed on."""
    reach = 1
    while reach < window_samples:
        signal = signal[..., :-reach] + signal[..., reach:]
        reach *= 2
    return signal


def sliding_max(signal: Tensor, window_samples: int) -> Tensor:
    """As `sliding_sum`, the largest."""
    reach = 1
    while reach < window_samples:
        signal = torch.maximum(signal[..., :-reach], signal[..., reach:])
        reach *= 2
    return signal


def _k_tables(sample_rate: int) -> BlockTables:
    """Of the two K-weighting filters, in transposed direct form II (see `recur`)."""
    from tapezoo.loudness import k_weighting  # scipy, which a net without this feature need not wait for

    b0, b1, b2, _, a1, a2 = torch.from_numpy(k_weighting(sample_rate)).unbind(1)  # (2,) each
    one, nothing = torch.ones_like(a1), torch.zeros_like(a1)
    rows = [torch.stack([-a1, one], -1), torch.stack([-a2, nothing], -1)]
    powers = matrix_powers(torch.stack(rows, -2).unsqueeze(1), PIECE_SAMPLES)
    enter = torch.stack([b1 - a1 * b0, b2 - a2 * b0], -1).unsqueeze(1)
    return block_tables(powers, enter, torch.stack([one, nothing], -1).unsqueeze(1), b0)


def _rising_taps(taps: int) -> Tensor:
    """A minimum-phase filter whose power rises in proportion to the frequency, to 1 at half the sample rate.

    By the real cepstrum (Oppenheim, Schafer, "Discrete-time signal processing", section 13.5.4).
    """
    power = np.maximum(np.arange(DESIGN_POINTS // 2 + 1), 0.25) / (DESIGN_POINTS // 2)  # not 0 at 0 Hz: a log
    cepstrum = np.fft.irfft(0.5 * np.log(power))
    cepstrum[1 : DESIGN_POINTS // 2] *= 2
    cepstrum[DESIGN_POINTS // 2 + 1 :] = 0
    response = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))
    return torch.from_numpy(response[:taps]).float()
