"""A causal filter of thousands of taps: by FFT for long blocks, by direct summation for short ones."""

from __future__ import annotations

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tapezoo.layers.convolution import identity_taps

MOST_TAPS = 1 << 16  # 1.5 s at 44.1 kHz
# one row, 2048 taps, one thread, ms direct, by FFT: 32 samples .13 and .14, 64 .31 and .11, 1024 of 32 rows 36 and .5
DIRECT_PRODUCTS = 1 << 16
"""Largest number of taps times samples per block that is summed directly."""


def long_convolution(context: Tensor, taps: Tensor) -> Tensor:
    """`conv1d(context, taps)` by FFT: overlap-save with one segment.

    Shape:
        context: (batch, 1, taps - 1 + samples); taps: (1, 1, taps), the last one meets the newest sample;
        output: (batch, 1, samples).
    """
    length = taps.shape[-1]
    size = scipy.fft.next_fast_len(context.shape[-1], real=True)
    spectrum = torch.fft.rfft(context, size) * torch.fft.rfft(taps.flip(-1), size)
    # the circular wrap-around falls on the first samples, which are context and discarded
    output: Tensor = torch.fft.irfft(spectrum, size)[..., length - 1 : context.shape[-1]]
    return output


class LongFilter(nn.Module):
    """`y[n] = offset + sum_k g[k] x[n - delay - k]`; starts as the identity.

    Args:
        taps: Length of g, 2 to 65536.
        delay_samples: Extra delay, to match a net in parallel with this latency.
        has_offset: Whether to add an offset: a machine's DC, which no tap can produce.
    """

    fitted: Tensor
    """Whether `fit` was ever called, in this training or an earlier one; saved with the weights."""

    def __init__(self, taps: int, delay_samples: int = 0, *, has_offset: bool) -> None:
        super().__init__()
        self.taps = nn.Parameter(identity_taps(0, taps))
        self.offset = nn.Parameter(torch.zeros(1)) if has_offset else None
        self.delay_samples = delay_samples
        self.past_samples = taps - 1 + delay_samples
        self.register_buffer("fitted", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def fit(self, taps: NDArray[np.float64], offset: float) -> None:
        """Sets the taps to a filter of this length, the current sample's coefficient first."""
        self.taps.copy_(torch.from_numpy(taps[::-1].copy()).reshape(self.taps.shape))
        if self.offset is not None:
            self.offset.fill_(offset)
        self.fitted.fill_(True)

    def coefficients(self) -> Tensor:
        """(taps,): the current sample's coefficient first."""
        return self.taps.detach()[0, 0].flip(0)

    def forward(self, input: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """The filtered block, and the `past` for the next one.

        Shape:
            input, output: (batch, 1, samples); past: (batch, 1, taps - 1 + delay_samples).
        """
        context = torch.cat([past, input], dim=-1)
        heard = context[..., : -self.delay_samples] if self.delay_samples else context
        tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        if tracing or self.taps.shape[-1] * input.shape[-1] <= DIRECT_PRODUCTS:
            output = nn.functional.conv1d(heard, self.taps)
        else:
            output = long_convolution(heard, self.taps)
        if self.offset is not None:
            output = output + self.offset
        return output, context[..., -self.past_samples :]
