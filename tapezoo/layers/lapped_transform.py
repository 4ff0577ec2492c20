"""A signal as M decimated bands, and back: a lapped transform of a stream with perfect reconstruction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tapezoo.layers.short_time_fourier import BlockLengthError

OVERLAPS = 2, 4
"""Lengths of the window in hops: that of the MDCT, and that of Malvar's extended lapped transform."""


class LappedTransform(nn.Module):
    """`X[m, b] = sum_n p_b[n] x[(m + 1) M - N + n]`, and the transpose back: M bands, one number of each per M samples.

    `p_b[n] = h[n] sqrt(2 / M) cos((n + (M + 1) / 2) (b + 1/2) pi / M)`, n = 0 ... N - 1, N = 2 M or 4 M. Band b lies
    between b and b + 1 times sample_rate / (2 M). The p_b and their shifts by M are orthonormal: what is cut into bands
    and put together again is the input, N - M samples late, and the bands' energies add up to the input's.

    N = 2 M is the MDCT with the sine window (Princen, Johnson, Bradley, ICASSP 1987), N = 4 M the extended lapped
    transform with `h[n] = cos((n + 1/2) pi / (2 M)) / 2 - 1 / sqrt(8)` (Malvar, IEEE Trans. Signal Processing 40,
    1992), whose bands leak less into others, for three times the latency. Every band aliases with its neighbours; the
    aliases cancel in the sum, and come forth where a band is changed alone.

    Args:
        bands: M, 2 or more.
        overlap: N / M, 2 or 4.

    Raises:
        ValueError: An argument is out of its range.
    """

    filters: Tensor

    def __init__(self, bands: int, overlap: int) -> None:
        super().__init__()
        if bands < 2:
            raise ValueError(f"bands is {bands}; 2 or more")
        if overlap not in OVERLAPS:
            raise ValueError(f"overlap is {overlap}; one of {OVERLAPS}")
        self.bands, self.overlap = bands, overlap
        self.register_buffer("filters", _filters(bands, overlap).float(), persistent=False)  # (N, M)

    @property
    def latency_samples(self) -> int:
        """N - M: of `synthesise` against `analyse`."""
        return (self.overlap - 1) * self.bands

    @property
    def past(self) -> Tensor:
        """What `analyse` takes along, at rest: (1, N - M)."""
        return torch.zeros(1, self.latency_samples)

    @property
    def tail(self) -> Tensor:
        """What `synthesise` takes along, at rest: (1, N - M)."""
        return torch.zeros(1, self.latency_samples)

    def analyse(self, input: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """The bands of a block.

        Args:
            input: The block, M samples or a multiple of it.
            past: The N - M samples before it.

        Returns:
            The bands, and the `past` for the next block.

        Raises:
            BlockLengthError: The block is no multiple of M.

        Shape:
            input: (batch, 1, samples); past: (batch, 1, N - M); bands: (batch, samples / M, M).
        """
        tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        if not tracing and (input.shape[-1] == 0 or input.shape[-1] % self.bands):
            raise BlockLengthError(
                "a block",
                found=f"{input.shape[-1]} samples",
                expected=f"a multiple of the net's bands, {self.bands}",
                fix="Collect whole hops (tapezoo.blocks), or train with another number of bands (--model.bands).",
            )
        context = torch.cat([past, input], dim=-1)
        hops = context.reshape(context.shape[0], -1, self.bands)
        views = [hops[:, first : first - self.overlap + 1 or None] for first in range(self.overlap)]
        return torch.matmul(torch.cat(views, dim=-1), self.filters), context[..., -self.latency_samples :]

    def synthesise(self, bands: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """The signal of the bands, as far as no later frame adds to it.

        Args:
            bands: As from `analyse`.
            tail: Of earlier frames, what they add to later samples.

        Returns:
            A block that is `latency_samples` late, and the `tail` for the next one.

        Shape:
            bands: (batch, frames, M); tail: (batch, 1, N - M); block: (batch, 1, frames M).
        """
        rows, others = bands.shape[0], self.overlap - 1
        hops = torch.matmul(bands, self.filters.t())  # (batch, frames, N)
        places = [
            nn.functional.pad(part, (0, 0, place, others - place))
            for place, part in enumerate(hops.chunk(self.overlap, dim=-1))
        ]  # hop `place` of frame m belongs to hop m + place
        added = torch.stack(places).sum(dim=0)
        begun = added[:, :others] + tail.reshape(rows, others, self.bands)
        signal = torch.cat([begun, added[:, others:]], dim=1).reshape(rows, 1, -1)
        return signal[..., : -self.latency_samples], signal[..., -self.latency_samples :]


def _filters(bands: int, overlap: int) -> Tensor:
    """p_b[n], (N, M), in double precision."""
    n = torch.arange(overlap * bands, dtype=torch.float64)
    b = torch.arange(bands, dtype=torch.float64)
    if overlap == 2:
        window = torch.sin((n + 0.5) * torch.pi / (2 * bands))
    else:
        window = torch.cos((n + 0.5) * torch.pi / (2 * bands)) / 2 - 8**-0.5
    waves = torch.cos((n.unsqueeze(1) + (bands + 1) / 2) * (b + 0.5) * torch.pi / bands)
    filters: Tensor = window.unsqueeze(1) * waves * (2 / bands) ** 0.5
    return filters
