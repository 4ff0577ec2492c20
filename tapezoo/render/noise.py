"""A machine's noise on a render: a loop of it, added block by block, or by which a gain wavers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapezoo.render.errors import RenderError
from tapezoo.render.soundfiles import Interleaved, inspect, read_blocks

LEAST_S = 0.1  # of a loop: a shorter one is a tone
MOST_S = 3600.0  # it is held in memory
SLOW_HZ, SLOW_SHARE = 1000.0, 0.9  # where the power of a modulation noise lies, and how much of it at least
# a recorded tone, passed in place of what is made of it: so much of the power, so near to its frequency
LOWEST_TONE_HZ, TONE_SHARE, TONE_WANDERS = 100.0, 0.5, 0.02
READ_SAMPLES = 1 << 16
OF_TONES = "`tapezoo generate TONE.wav --modulation-noise --out NOISE.wav` makes it of a recorded tone."


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
        for block, noise in self._beside(blocks):
            yield (block + noise).astype(block.dtype)

    def modulate(self, blocks: Iterator[Interleaved]) -> Iterator[Interleaved]:
        """As `add`, but the noise is the relative deviation of a gain."""
        for block, noise in self._beside(blocks):
            yield (block * (1 + noise)).astype(block.dtype)

    def _beside(self, blocks: Iterator[Interleaved]) -> Iterator[tuple[Interleaved, NDArray[np.float32]]]:
        done, length = 0, len(self.noise)
        for block in blocks:
            turns, channels = np.divmod(np.arange(block.shape[1]), self.noise.shape[1])
            starts = turns * (length // (turns[-1] + 1))
            places = (done + np.arange(len(block))[:, None] + starts) % length
            yield block, self.noise[places, channels]
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


def read_modulation(path: Path, sample_rate: int) -> NoiseLoop:
    """The relative deviation of a gain as a loop; else as `read_noise`.

    Args:
        path: The file.
        sample_rate: Of the render, Hz.

    Raises:
        SoundFileError: See `read_noise`.
        RenderError: See `read_noise`; or it is hiss, a tone or another sound: the gain would fall below 0, or is not
            slow.
    """
    loop = read_noise(path, sample_rate, 0.0)
    peak = float(np.abs(loop.noise).max())
    if peak >= 1:
        expected = "the relative deviation of a gain, under 100 %"
        raise RenderError(
            str(path), found=f"a deviation of {100 * peak:.0f} %", expected=expected, fix=OF_TONES
        )
    power = np.square(np.abs(np.fft.rfft(loop.noise, axis=0))).sum(axis=1)
    hertz = np.fft.rfftfreq(len(loop.noise), 1 / sample_rate)
    tone_hz = float(hertz[np.argmax(np.where(hertz >= LOWEST_TONE_HZ, power, 0))])
    alone = float(power[np.abs(hertz - tone_hz) <= TONE_WANDERS * tone_hz].sum() / power.sum())
    if alone > TONE_SHARE:
        raise RenderError(
            str(path),
            found=f"a tone of {tone_hz:.0f} Hz",
            expected="what such a tone's level does, as the relative deviation of a gain",
            fix=OF_TONES,
        )
    slow = float(power[hertz <= SLOW_HZ].sum() / power.sum())
    if slow < SLOW_SHARE:
        raise RenderError(
            str(path),
            found=f"{slow:.0%} of its power at up to {SLOW_HZ:g} Hz, as of hiss",
            expected=f"a gain that wavers slowly, {SLOW_SHARE:.0%} or more",
            fix=f"Pass hiss as --noise. {OF_TONES}",
        )
    return loop


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
