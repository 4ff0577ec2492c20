"""A machine's noise on a render: a loop of it, added block by block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapezoo.render.errors import RenderError
from tapezoo.render.soundfiles import Interleaved, inspect, read_blocks

MOST_S = 3600.0  # of a loop, which is held in memory
READ_SAMPLES = 1 << 16


class NoiseLoop:
    """Noise that begins anew where it ends.

    Args:
        noise: (samples,), full scale is +-1.
        gain_db: Of it.
    """

    def __init__(self, noise: NDArray[np.float32], gain_db: float = 0.0) -> None:
        self.noise = np.float32(10 ** (gain_db / 20)) * noise

    def add(self, blocks: Iterator[Interleaved]) -> Iterator[Interleaved]:
        """Every channel has a part of the loop of its own, so that the noise of one is not that of another.

        Shape:
            blocks: (samples, channels) each.
        """
        done, length = 0, len(self.noise)
        for block in blocks:
            channels = block.shape[1]
            starts = np.arange(channels) * (length // channels)
            places = (done + np.arange(len(block))[:, None] + starts) % length
            yield (block + self.noise[places]).astype(block.dtype)
            done += len(block)


def read_noise(path: Path, sample_rate: int, gain_db: float) -> NoiseLoop:
    """The first channel of a sound file of an hour at most, resampled as a loop.

    Args:
        path: The file.
        sample_rate: Of the render, Hz.
        gain_db: Of the noise.

    Raises:
        SoundFileError: It cannot be read.
        RenderError: It is too long.
    """
    layout = inspect(path)
    if layout.samples > MOST_S * layout.sample_rate:
        raise RenderError(
            str(path),
            found=f"{layout.samples / layout.sample_rate:.0f} s",
            expected=f"a loop of noise, {MOST_S:g} s at most",
            fix="`tapezoo generate` makes one.",
        )
    noise = np.concatenate([block[:, 0] for block in read_blocks(path, READ_SAMPLES)])
    if layout.sample_rate != sample_rate:
        noise = _resampled(noise, layout.sample_rate, sample_rate)
    return NoiseLoop(noise.astype(np.float32), gain_db)


def _resampled(noise: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """As a loop: with some of its end before it and of its beginning after it, which are cut off again."""
    import soxr

    edge = min(len(noise), rate // 10)
    around = np.concatenate([noise[len(noise) - edge :], noise, noise[:edge]])
    made = soxr.resample(around, rate, wanted)
    first = round(edge * wanted / rate)
    cut: NDArray[np.float32] = made[first : first + round(len(noise) * wanted / rate)]
    return cut
