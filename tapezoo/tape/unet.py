"""A one-dimensional U-Net that looks at a signal at several rates, told the noise level that it is to take off."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from tapezoo.tape.errors import TapeError

EMBEDDED = 32  # values of the noise level's embedding
FREQUENCIES = 16
MOST_CHANNELS, MOST_LAYERS = 1024, 64
HALF = 2**-0.5  # keeps the variance of a sum


class UNet(nn.Module):
    """After Mikkonen et al., "Neural modeling of magnetic tape recorders" (DAFx 2023): a block at every rate on the
    way down and up.

    Their published sizes are channels 8, 16, 16, 16, 16, strides 2, 2, 4, 4 and eight layers. Convolutions are two-
    dimensional with a height of 1: in torch's channels-last layout those train 2.5 times as fast on a CPU as its one-
    dimensional ones with so few channels.

    Args:
        window_points: Length of the signal; a multiple of the product of the strides. No layer reaches further.
        inputs: Signals that go in.
        channels: Of the blocks, from the full rate down.
        strides: By which the rate falls from block to block; one less than channels.
        layers: Dilated layers of each block, 1 or more; their reach doubles.
        taps: Of a layer, odd.

    Raises:
        TapeError: Sizes that do not fit together.

    Shape:
        signal: (batch, inputs, samples), a multiple of the product of the strides.
        level: (batch,), of the noise; about -1 to 1.
        returns: (batch, 1, samples).
    """

    frequencies: Tensor

    def __init__(
        self,
        window_points: int,
        inputs: int,
        channels: Sequence[int],
        strides: Sequence[int],
        layers: int,
        taps: int = 5,
    ) -> None:
        super().__init__()
        _check(window_points, channels, strides, layers)
        self.register_buffer("frequencies", torch.randn(FREQUENCIES))
        self.embedding = nn.Sequential(
            nn.Linear(2 * FREQUENCIES, EMBEDDED), nn.GELU(), nn.Linear(EMBEDDED, EMBEDDED), nn.GELU()
        )
        self.first = _convolution(inputs, channels[0], taps)
        steps = list(zip(channels[:-1], channels[1:], strides, strict=True))
        lengths = [window_points // math.prod(strides[:number]) for number in range(len(steps))]
        wides = list(zip(channels[:-1], lengths, strict=True))
        self.down = nn.ModuleList(Block(wide, wide, layers, taps, length) for wide, length in wides)
        self.slower = nn.ModuleList(nn.Conv2d(here, below, (1, by), (1, by)) for here, below, by in steps)
        self.faster = nn.ModuleList(
            nn.ConvTranspose2d(below, here, (1, by), (1, by)) for here, below, by in steps
        )
        self.up = nn.ModuleList(Block(2 * wide, wide, layers, taps, length) for wide, length in wides)
        self.last = _convolution(channels[0], 1, taps)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, signal: Tensor, level: Tensor) -> Tensor:
        """See the class."""
        turns = 2 * math.pi * level[:, None] * self.frequencies
        embedded = self.embedding(torch.cat([turns.sin(), turns.cos()], dim=1))
        features = self.first(signal.unsqueeze(2).contiguous(memory_format=torch.channels_last))
        beside = []
        for block, slower in zip(self.down, self.slower, strict=True):
            features = block(features, embedded)
            beside.append(features)
            features = slower(features)
        for block, faster in zip(reversed(self.up), reversed(self.faster), strict=True):
            features = block(torch.cat([faster(features), beside.pop()], dim=1), embedded)
        output: Tensor = self.last(gelu(features)).squeeze(2)
        return output


def _check(window_points: int, channels: Sequence[int], strides: Sequence[int], layers: int) -> None:
    by = math.prod(strides)
    for name, value, is_fine, expected in (
        ("channels", channels, len(channels) == len(strides) + 1, "one more than the strides"),
        (
            "channels",
            channels,
            all(1 <= wide <= MOST_CHANNELS for wide in channels),
            f"1 to {MOST_CHANNELS} each",
        ),
        ("strides", strides, len(strides) > 0 and min(strides) >= 2, "2 or more each, one at least"),
        ("layers", layers, 1 <= layers <= MOST_LAYERS, f"1 to {MOST_LAYERS}"),
        (
            "window_points",
            window_points,
            window_points % max(by, 1) == 0,
            f"a multiple of {by}, of all strides",
        ),
    ):
        if not is_fine:
            raise TapeError(
                f"--{'data' if name == 'window_points' else 'model'}.{name}",
                found=str(value),
                expected=expected,
                fix="Correct it.",
            )


class Block(nn.Module):
    """A gain from the noise level, a mix of channels, and dilated layers that each add to what they were given.

    Args:
        inputs: Channels that go in.
        channels: That come out.
        layers: How many; where the reach would pass the signal, it begins anew.
        taps: Of a layer.
        length: Of the signal.
    """

    def __init__(self, inputs: int, channels: int, layers: int, taps: int, length: int) -> None:
        super().__init__()
        self.gain = nn.Linear(EMBEDDED, inputs)
        self.mix = nn.Conv2d(inputs, channels, 1)
        self.past = nn.Conv2d(inputs, channels, 1) if inputs != channels else nn.Identity()
        doublings = max(1, math.ceil(math.log2(length / (taps // 2))))
        self.layers = nn.ModuleList(
            _convolution(channels, channels, taps, 2 ** (number % doublings)) for number in range(layers)
        )
        self.gates = nn.Parameter(torch.ones(layers, channels, 1, 1))

    def forward(self, features: Tensor, embedded: Tensor) -> Tensor:
        """(batch, inputs, 1, samples) -> (batch, channels, 1, samples)."""
        own = self.mix(gelu(features * (1 + self.gain(embedded)[:, :, None, None])))
        for layer, gate in zip(self.layers, self.gates, strict=True):
            own = HALF * (own + gate * layer(gelu(own)))
        output: Tensor = HALF * (own + self.past(features))
        return output


def _convolution(inputs: int, outputs: int, taps: int, dilation: int = 1) -> nn.Conv2d:
    reach = dilation * (taps // 2)
    return nn.Conv2d(inputs, outputs, (1, taps), padding=(0, reach), dilation=(1, dilation))
