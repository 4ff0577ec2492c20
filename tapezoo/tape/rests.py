"""What noise is learned from: where dry has been silent for a while, and recordings of nothing at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.audio import read_audio, read_header
from tapezoo.data.frames import Frames, cut_frames, frame_samples, runs_of
from tapezoo.data.noise import LOWEST_POWER, settled_frames, steady_from
from tapezoo.data.pairs import read_pairs
from tapezoo.render.soundfiles import inspect, read_blocks
from tapezoo.tape.errors import TapeError

READ_SAMPLES = 1 << 16
PAIRS = "pairs.yaml"  # of a data set
LEAST_S = 0.2  # of a rest: a spectrum down to 50 Hz
ENOUGH_S = 1.0  # of all rests together

Signal = NDArray[np.float64]


def read_rests(sources: Sequence[Path]) -> tuple[list[Signal], int]:
    """The noise of the machine in all sources, without its mean, and the sample rate in Hz.

    Args:
        sources: Folders of data sets, of which the parts count in which dry has been silent for .3 s and wet no longer
            falls; and sound files of a machine that plays nothing, which count as a whole.

    Raises:
        TapeError: Under a second of it, digital silence, or more than one sample rate.
        TapezooError: What cannot be read.
    """
    rests: list[Signal] = []
    rates: dict[int, Path] = {}
    for source in sources:
        for wet, parts in _recordings(source):
            rates.setdefault(read_header(wet).sample_rate, wet)
            rests += parts
    if len(rates) > 1:
        rate, other = sorted(rates)[:2]
        raise TapeError(
            str(rates[other]),
            found=f"{other} Hz, and {rate} Hz in {rates[rate]}",
            expected="one sample rate",
            fix="Resample one of them, or learn from one alone.",
        )
    rate = next(iter(rates))
    rests = [rest - rest.mean() for rest in rests if len(rest) >= LEAST_S * rate]
    _check(rests, rate, ", ".join(map(str, sources)))
    return rests, rate


def _recordings(source: Path) -> Iterator[tuple[Path, list[Signal]]]:
    if not source.is_dir():
        if source.suffix.lower() == ".csv" and source.is_file():
            raise TapeError(
                str(source),
                found="a CSV file",
                expected="a sound file of the machine playing nothing, or the folder of a data set",
                fix="Another take of its delay is made with --out TAKE.csv.",
            )
        inspect(source)
        # not read as a recording is: that would refuse what is under -80 dBFS as silence
        yield source, list(np.concatenate(list(read_blocks(source, READ_SAMPLES))).astype(np.float64).T)
        return
    if not (source / PAIRS).is_file():
        raise TapeError(
            str(source),
            found=f"no {PAIRS}",
            expected="a data set, as `tapezoo prepare` writes it, or a sound file of the machine playing nothing",
            fix="Name one of them.",
        )
    for pair in read_pairs(source / PAIRS).pairs:
        rate = read_header(pair.wet).sample_rate
        dry, wet = read_audio(pair.dry), read_audio(pair.wet)
        parts = [
            part
            for number in range(len(wet))
            for part in _parts(dry[min(number, len(dry) - 1)], wet[number], rate)
        ]
        yield pair.wet, parts


def _parts(dry: NDArray[np.float32], wet: NDArray[np.float32], rate: int) -> list[Signal]:
    length, size = min(len(dry), len(wet)), frame_samples(rate)
    frames = cut_frames(wet[:length], rate)
    found = []
    for start, stop in runs_of(settled_frames(cut_frames(dry[:length], rate))):
        steady = steady_from(_levels_db(frames, start, stop))
        if steady is not None:
            found.append(wet[(start + steady) * size : stop * size].astype(np.float64))
    return found


def _levels_db(frames: Frames, start: int, stop: int) -> Signal:
    level = float(frames.mean[start:stop].mean())
    return 10 * np.log10(frames.power(level)[start:stop] + LOWEST_POWER)


def _check(rests: Sequence[Signal], rate: int, sources: str) -> None:
    seconds = sum(map(len, rests)) / rate
    if seconds < ENOUGH_S:
        raise TapeError(
            sources,
            found=f"{seconds:.1f} s in which the machine plays nothing but its noise",
            expected=f"{ENOUGH_S:g} s at least, in parts of {LEAST_S:g} s or more; half a minute is better",
            fix="Record the machine with nothing at its input, and name that file; or play music with pauses.",
        )
    if not any(rest.any() for rest in rests):
        raise TapeError(
            sources,
            found="digital silence where the machine should make its noise",
            expected="its noise",
            fix="A gate or an editor has taken it away: record it without.",
        )
