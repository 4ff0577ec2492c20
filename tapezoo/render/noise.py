"""A machine's noise on a render: a loop of it, added block by block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapezoo.render.errors import RenderError
from tapezoo.render.soundfiles import Interleaved, inspect, read_blocks

LEAST_S = 0.1  # of a loop: a shorter one is a tone
MOST_S = 3600.0  # it is held in memory
READ_SAMPLES = 1 << 16


class NoiseLoop:
    """Noise that begins anew where it ends.

    Args:
        noise: (samples, channels), full scale is +-1.
        gain_db: Of it.
    """

    def __init__(self, noise: NDArray[np.float32], gain_db: float = 0.0) -> None:
        self.noise = np.float32(10 ** (gain_db / 20)) * noise

    def add(self, blocks: Iterator[Interleaved]) -> Iterator[Interleaved]:
        """Channels have those of the noise in turn, each another part of the loop, so that no two have the same noise.

        Shape:
            blocks: (samples, channels) each.
        """
        done, length = 0, len(self.noise)
        for block in blocks:
            turns, channels = np.divmod(np.arange(block.shape[1]), self.noise.shape[1])
            starts = turns * (length // (turns[-1] + 1))
            places = (done + np.arange(len(block))[:, None] + starts) % length
            yield (block + self.noise[places, channels]).astype(block.dtype)
            done += len(block)


def read_noise(path: Path, sample_rate: int, gain_db: float) -> NoiseLoop:
    """A sound file of a tenth of a second to an hour, resampled as a loop.

    Args:
        path: The file.
        sample_rate: Of the render, Hz.
        gain_db: Of the noise.

    Raises:
        SoundFileError: It cannot be read.
        RenderError: It is too short or too long, or digital silence.
    """
    layout = inspect(path)
    seconds = layout.samples / layout.sample_rate
    if not LEAST_S <= seconds <= MOST_S:
        raise _no_loop(path, f"{seconds:.3g} s")
    noise = np.concatenate(list(read_blocks(path, READ_SAMPLES)))
    if not noise.any():
        raise _no_loop(path, "digital silence")
    if layout.sample_rate != sample_rate:
        noise = _resampled(noise, layout.sample_rate, sample_rate)
    return NoiseLoop(noise.astype(np.float32), gain_db)


def _no_loop(path: Path, found: str) -> RenderError:
    return RenderError(
        str(path),
        found=found,
        expected=f"a loop of noise, {LEAST_S:g} to {MOST_S:g} s",
        fix="`tapezoo generate` makes one.",
    )


def _resampled(noise: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """As a loop: with some of its end before it and of its beginning after it, which are cut off again."""
    import soxr

    edge = min(len(noise), rate // 10)
    around = np.concatenate([noise[len(noise) - edge :], noise, noise[:edge]])
    made = soxr.resample(around, rate, wanted)
    first = round(edge * wanted / rate)
    cut: NDArray[np.float32] = made[first : first + round(len(noise) * wanted / rate)]
    return cut
