"""Short-time Fourier transform of a stream, and back: both take their context from the state."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from tapezoo.errors import TapezooError

LONGEST_WINDOW_SAMPLES = 2048  # exported graphs hold two matrices of N (N + 2) numbers: 17 MB each


class BlockLengthError(TapezooError):
    """A block that is not a whole number of hops."""


class ShortTimeFourier(nn.Module):
    """Frames of N samples every H samples, windowed, as N / 2 + 1 complex bins; and the sum of the frames again.

    `X[m, k] = sum_n a[n] x[(m + 1) H - N + n] e^(-2 pi i k n / N) / sqrt(N)`; an orthonormal transform, so the level of
    a bin is independent of N for noise. Frame m ends with hop m of the block. The inverse weights every frame
    with a second window s and adds the last S samples of all frames (Allen and Rabiner, Proc. IEEE 65, 1977).
    `a s` is a Hann window of S samples over S / (2 H), whose copies every H samples add up to 1: what comes back
    unchanged from the frequency domain is the input, S - H samples late.

    Where S = N, a and s are square roots of Hann windows. A shorter S has less latency with the same resolution:
    the analysis window falls within the last S / 2 samples and rises before (Mauler and Martin, "A low delay, variable
    resolution, perfect reconstruction spectral analysis-synthesis system for speech enhancement", EUSIPCO 2007).

    Frames and bins are real tensors: no exporter knows complex ones. Traced graphs have matrix products in
    place of the FFT, for the same reason; both agree to rounding.

    Args:
        window_samples: N, an even number, 2 H to 2048.
        hop_samples: H, a divisor of N.
        synthesis_samples: S, a multiple of 2 H up to N; None: N.

    Raises:
        ValueError: An argument is out of its range.
    """

    analysis: Tensor
    synthesis: Tensor
    forwards: Tensor
    backwards: Tensor

    def __init__(self, window_samples: int, hop_samples: int, synthesis_samples: int | None = None) -> None:
        super().__init__()
        last = window_samples if synthesis_samples is None else synthesis_samples
        if not (hop_samples >= 1 and 2 * hop_samples <= window_samples <= LONGEST_WINDOW_SAMPLES):
            raise ValueError(
                f"window_samples is {window_samples}; 2 hops of {hop_samples} to {LONGEST_WINDOW_SAMPLES}"
            )
        if window_samples % 2 or window_samples % hop_samples:
            raise ValueError(
                f"hop_samples is {hop_samples}, window_samples {window_samples}; an even window, a divisor of it as hop"
            )
        if not 2 * hop_samples <= last <= window_samples or last % (2 * hop_samples):
            raise ValueError(
                f"synthesis_samples is {last}; a multiple of {2 * hop_samples} up to {window_samples}"
            )
        self.window_samples, self.hop_samples, self.synthesis_samples = window_samples, hop_samples, last
        analysis, synthesis = _windows(window_samples, hop_samples, last)
        cosine, sine = _waves(window_samples)  # (N, bins)
        halved = torch.full((window_samples // 2 + 1,), 2.0, dtype=torch.float64)
        halved[0] = halved[-1] = 1.0  # all other bins stand for two, k and N - k
        inverse = torch.cat([halved * cosine, -halved * sine], dim=-1).T * synthesis  # (2 bins, N)
        for name, value in (
            ("analysis", analysis),
            ("synthesis", synthesis),
            ("forwards", torch.cat([cosine, -sine], dim=-1) * analysis.unsqueeze(-1)),
            ("backwards", inverse),
        ):
            self.register_buffer(name, value.float(), persistent=False)

    @property
    def bins(self) -> int:
        """N / 2 + 1: from 0 Hz to half the sample rate."""
        return self.window_samples // 2 + 1

    @property
    def latency_samples(self) -> int:
        """S - H: of `synthesise` against `analyse`."""
        return self.synthesis_samples - self.hop_samples

    @property
    def past(self) -> Tensor:
        """What `analyse` takes along, at rest: (1, N - H)."""
        return torch.zeros(1, self.window_samples - self.hop_samples)

    @property
    def tail(self) -> Tensor:
        """What `synthesise` takes along, at rest: (1, S - H)."""
        return torch.zeros(1, self.latency_samples)

    def analyse(self, input: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """The frames that end in a block.

        Args:
            input: The block, one hop or more.
            past: The N - H samples before it.

        Returns:
            The spectra, real parts then imaginary parts, and the `past` for the next block.

        Raises:
            BlockLengthError: The block is not a whole number of hops.

        Shape:
            input: (batch, 1, samples); past: (batch, 1, N - H); spectra: (batch, 2, samples / H, bins).
        """
        exporting: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        hop, overlap = self.hop_samples, self.window_samples // self.hop_samples
        if not exporting and (input.shape[-1] == 0 or input.shape[-1] % hop):
            raise BlockLengthError(
                "a block",
                found=f"{input.shape[-1]} samples",
                expected=f"a multiple of the net's hop_samples, {hop}",
                fix="Collect whole hops (tapezoo.blocks), or train with another hop_samples.",
            )
        context = torch.cat([past, input], dim=-1)
        hops = context.reshape(context.shape[0], -1, hop)
        views = [hops[:, first : first - overlap + 1 or None] for first in range(overlap)]
        frames = torch.cat(views, dim=-1)  # (batch, frames, N)
        if exporting:
            spectra = torch.matmul(frames, self.forwards)
            real, imaginary = spectra[..., : self.bins], spectra[..., self.bins :]
        else:
            transformed = torch.fft.rfft(frames * self.analysis, norm="ortho")
            real, imaginary = transformed.real, transformed.imag
        return torch.stack([real, imaginary], dim=1), context[..., hop - self.window_samples :]

    def synthesise(self, spectra: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of the frames, as far as no later frame adds to it.

        Args:
            spectra: As from `analyse`; imaginary parts at 0 Hz and half the sample rate count as 0.
            tail: Of earlier frames, what they add to later samples.

        Returns:
            A block that is `latency_samples` late, and the `tail` for the next one.

        Shape:
            spectra: (batch, 2, frames, bins); tail: (batch, 1, S - H); block: (batch, 1, frames H).
        """
        exporting: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        last, hop = self.synthesis_samples, self.hop_samples
        if exporting:
            parts = torch.cat([spectra[:, 0], spectra[:, 1]], dim=-1)
            frames = torch.matmul(parts, self.backwards[:, -last:])
        else:
            whole = torch.fft.irfft(
                torch.complex(spectra[:, 0], spectra[:, 1]), n=self.window_samples, norm="ortho"
            )
            frames = whole[..., -last:] * self.synthesis[-last:]
        rows, count, overlap = frames.shape[0], frames.shape[1], last // hop
        hops = frames.reshape(rows, count, overlap, hop)
        places = [pad(hops[:, :, place], (0, 0, place, overlap - 1 - place)) for place in range(overlap)]
        added = torch.stack(places).sum(dim=0)  # hop `place` of frame m belongs to hop m + place
        begun = added[:, : overlap - 1] + tail.reshape(rows, overlap - 1, hop)
        signal = torch.cat([begun, added[:, overlap - 1 :]], dim=1).reshape(rows, 1, -1)
        return signal[..., : -self.latency_samples], signal[..., -self.latency_samples :]


def _windows(window: int, hop: int, last: int) -> tuple[Tensor, Tensor]:
    """(a, s), each (N,): square roots of Hann's halves, and what makes `a s` a Hann window of the last S samples."""
    half = last // 2
    rise = torch.sin(torch.pi / 2 * torch.arange(window - half, dtype=torch.float64) / (window - half))
    fall = torch.cos(torch.pi / 2 * torch.arange(half, dtype=torch.float64) / half)
    analysis = torch.cat([rise, fall])
    product = torch.zeros(window, dtype=torch.float64)
    product[-last:] = torch.hann_window(last, dtype=torch.float64) * (2 * hop / last)
    return analysis, product / analysis.clamp_min(torch.finfo(torch.float32).tiny)


def _waves(window: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of 2 pi k n / N, over sqrt(N), each (N, N / 2 + 1)."""
    n, k = torch.arange(window), torch.arange(window // 2 + 1)
    phase = 2 * torch.pi * (n.unsqueeze(-1) * k % window).double() / window  # k n modulo N is exact
    return torch.cos(phase) * window**-0.5, torch.sin(phase) * window**-0.5
