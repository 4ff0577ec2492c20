"""The sounds that a sweep plays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from tapezoo.data.audio import check_finite, read_audio, read_header, warn_of_header
from tapezoo.devices.program import program_material
from tapezoo.errors import TapezooError

Signal = NDArray[np.float64]  # (samples,)

LEAST_S = 2.0
MUSIC_SEED = 4


class SweepError(TapezooError):
    """A model or a sound that cannot be swept."""


def read_music(audio: Path | None, seconds: float, sample_rate: int) -> Signal:
    """The first channel of a file, or built-in music; at the model's rate, at most `seconds`.

    Args:
        audio: A file of 2 s or more; None: built-in music, repeated as often as needed.
        seconds: s.
        sample_rate: Of the result, Hz.

    Shape:
        returns: (samples,).

    Raises:
        SoundFileError: `audio` cannot be played.
        SweepError: It is under 2 s.
    """
    if audio is None:
        kinds = {excerpt.kind: excerpt.audio for excerpt in program_material(60.0, sample_rate, MUSIC_SEED)}
        whole = kinds["music"].astype(np.float64)
        times = -(-round(seconds * sample_rate) // len(whole))
        return np.asarray(np.tile(whole, times)[: round(seconds * sample_rate)])
    header = read_header(audio)
    warn_of_header(audio)
    sound = read_audio(audio)
    check_finite(audio, sound, header.sample_rate)
    first = np.asarray(sound[0, : round(seconds * header.sample_rate)], dtype=np.float64)
    if header.sample_rate != sample_rate:
        first = soxr.resample(first, header.sample_rate, sample_rate)
    if len(first) < LEAST_S * sample_rate:
        raise SweepError(
            str(audio),
            found=f"{len(first) / sample_rate:.2f} s",
            expected=f"{LEAST_S:g} s or more",
            fix="Give a longer sound.",
        )
    return first


def saw_name(frequency_hz: float) -> str:
    """A sawtooth's, good in names of files."""
    return f"saw_{frequency_hz:g}hz"
