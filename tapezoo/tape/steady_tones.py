"""What modulation noise is learned from: recordings of a steady tone, taken apart into its amplitude and its phase."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal

from tapezoo.data.checks import CLIPPED_RUNS, count_clipped
from tapezoo.render.soundfiles import inspect, read_blocks
from tapezoo.tape.errors import TapeError

POINTS_PER_S = 2500
LOWEST_HZ, HIGHEST_HZ = 1.0, 1000.0  # of what wavers; slower is a level that drifts
BAND_SHARE = 0.4  # of the tone's frequency: further away are its harmonics, and hum
TONE_HZ = (500.0, 10_000.0)  # so that 200 Hz on either side are the tone's
ENOUGH_S = 10.0  # of all stretches together
LEAST_S, LONGEST_S = 4.0, 30.0  # of a stretch
EDGE_S = 0.1  # at either end, where the band's filter rings
FRAME_S, STEADY_DB = 0.02, 3.0  # a frame belongs to the tone whose level is that near to it
OTHER_CHANNEL_DB = -30.0  # re the loudest: a channel that hears the tone through the others
SILENT_DB = -80.0  # re full scale
WANDERS, BESIDE = (
    0.02,
    0.03,
)  # share of its frequency that a tone is sought in, of the energy that may lie elsewhere
READ_SAMPLES = 1 << 16

Signal = NDArray[np.float64]
WANTED = (
    f"a steady tone of {TONE_HZ[0]:g} Hz to {TONE_HZ[1] / 1000:g} kHz alone, {ENOUGH_S:g} s or longer, as the machine "
    "plays it"
)
RECORD = (
    "Record 1 or 3.15 kHz for half a minute, 10 dB under what the machine distorts at, and name that file."
)


@dataclass(frozen=True)
class Tone:
    """A stretch of a tone in which its level stands still.

    Args:
        frequency_hz: Its mean, Hz.
        band_hz: What wavers faster is not in it, Hz.
        amplitude: (points,), relative deviation from its mean, 2500 points per second.
        phase: (points,), radians, around that of the mean frequency.
    """

    frequency_hz: float
    band_hz: float
    amplitude: Signal
    phase: Signal

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.amplitude) / POINTS_PER_S


def read_tones(sources: Sequence[Path]) -> tuple[list[Tone], int]:
    """The stretches of a tone in all channels of all files, and the sample rate in Hz.

    A channel that is 30 dB under the loudest one of its file does not count.

    Args:
        sources: Sound files of a machine that plays a steady tone; silence before and after it is left out.

    Raises:
        TapeError: No such tone: silence, music, several tones; it is clipped, too short, too low or too high. Files of
            more than one sample rate.
        TapezooError: What cannot be read.
    """
    rate = _common_rate(sources)
    tones = [
        tone
        for source in sources
        for name, channel in _channels(source)
        for tone in _tones(name, channel, rate)
    ]
    seconds = sum(tone.seconds for tone in tones)
    if seconds < ENOUGH_S:
        raise _fault(", ".join(map(str, sources)), f"{seconds:.1f} s of a steady tone", WANTED)
    return tones, rate


def _common_rate(sources: Sequence[Path]) -> int:
    rates: dict[int, Path] = {}
    for source in sources:
        if source.is_dir() or source.suffix.lower() == ".csv":
            kind = "a folder" if source.is_dir() else "a CSV file"
            raise _fault(str(source), kind, f"a sound file: {WANTED}")
        rates.setdefault(inspect(source).sample_rate, source)
    if len(rates) > 1:
        rate, other = sorted(rates)[:2]
        found = f"{other} Hz, and {rate} Hz in {rates[rate]}"
        fix = "Learn from one of them alone."
        raise TapeError(str(rates[other]), found=found, expected="one sample rate", fix=fix)
    return next(iter(rates))


def _channels(source: Path) -> Iterator[tuple[str, Signal]]:
    channels = np.concatenate(list(read_blocks(source, READ_SAMPLES))).astype(np.float64).T
    levels = [10 * math.log10(float(np.mean(np.square(channel))) + 1e-30) for channel in channels]
    if max(levels) < SILENT_DB:
        raise _fault(str(source), f"silence ({max(levels):.0f} dBFS)", WANTED)
    for number, (channel, level_db) in enumerate(zip(channels, levels, strict=True), 1):
        if level_db >= max(levels) + OTHER_CHANNEL_DB:
            yield f"{source}{f', channel {number}' * (len(channels) > 1)}", channel


def _tones(name: str, channel: Signal, rate: int) -> list[Tone]:
    for peak in (channel.max(), channel.min()):
        runs, flat = count_clipped(channel.astype(np.float32), float(np.float32(peak)))
        if runs >= CLIPPED_RUNS:
            found = f"a clipped signal: {flat} samples in {runs} flat runs at {peak:+.3f}"
            raise _fault(name, found, WANTED, f"Turn the recorder down. {RECORD}")
    if len(channel) < LEAST_S * rate:
        raise _fault(name, f"{len(channel) / rate:.2g} s", WANTED)
    stretches = list(_steady(channel, rate))
    if not stretches:
        found = f"no {LEAST_S:g} s in which the level stays within {STEADY_DB:g} dB, as of music"
        raise _fault(name, found, WANTED)
    return [_around_tone(stretch, _frequency(name, stretch, rate), rate) for stretch in stretches]


def _steady(channel: Signal, rate: int) -> Iterator[Signal]:
    """The stretches, of 30 s at most, whose level is near to that of the loud."""
    frame = round(FRAME_S * rate)
    power = np.square(channel[: len(channel) // frame * frame]).reshape(-1, frame).mean(axis=1)
    loud = float((power @ power) / power.sum()) if power.any() else 0.0
    there = np.abs(10 * np.log10((power + 1e-30) / (loud + 1e-30))) < STEADY_DB
    edges = np.flatnonzero(np.diff(np.concatenate([[0], there.astype(np.int8), [0]])))
    for first, last in edges.reshape(-1, 2):
        pieces = max(1, math.ceil((last - first) * FRAME_S / LONGEST_S))
        for piece in np.array_split(np.arange(first, last), pieces):
            if len(piece) * FRAME_S >= LEAST_S:
                yield channel[piece[0] * frame : (piece[-1] + 1) * frame]


def _frequency(name: str, stretch: Signal, rate: int) -> float:
    """Of the tone, to some Hz.

    Raises:
        TapeError: It is not one tone alone, or too low or too high.
    """
    window = round(0.25 * rate)
    hertz, density = scipy_signal.welch(stretch, rate, nperseg=window)
    density[hertz < 2 * hertz[1]] = 0  # an offset
    tone = float(hertz[np.argmax(density)])
    if tone == 0:
        raise _fault(name, "an offset alone", WANTED)
    order = np.maximum(np.round(hertz / tone), 1)
    near = np.abs(hertz - order * tone) <= np.maximum(WANDERS * hertz, 3 * hertz[1])
    own, elsewhere = float(density[near & (order == 1)].sum()), float(density[~near].sum())
    if elsewhere > BESIDE * own:
        other = float(hertz[np.argmax(np.where(near, 0, density))])
        share = elsewhere / (own + elsewhere)
        found = f"{share:.0%} of the energy beside the tone of {tone:.0f} Hz, most at {other:.0f} Hz"
        raise _fault(name, found, WANTED)
    highest_hz = min(TONE_HZ[1], 0.475 * rate / (1 + BAND_SHARE))
    if not TONE_HZ[0] <= tone <= highest_hz:
        raise _fault(name, f"a tone of {tone:.0f} Hz", f"{TONE_HZ[0]:g} to {highest_hz:.0f} Hz")
    return tone


def _around_tone(stretch: Signal, near_hz: float, rate: int) -> Tone:
    """The band around the tone, moved to 0 Hz and taken at 2500 points per second."""
    whole = rate // math.gcd(rate, POINTS_PER_S)  # samples to whole points
    stretch = stretch[: len(stretch) // whole * whole]
    seconds = len(stretch) / rate
    points, middle = round(seconds * POINTS_PER_S), round(near_hz * seconds)
    band_hz = min(HIGHEST_HZ, BAND_SHARE * near_hz)
    reach = int(band_hz * seconds)
    spectrum = np.zeros(points, np.complex128)
    # in and out over the edges that are cut off below: a step there would ring at the band's end all along
    faded = stretch * scipy_signal.windows.tukey(len(stretch), 2 * EDGE_S / seconds)
    spectrum[np.arange(-reach, reach + 1)] = np.fft.rfft(faded)[middle - reach : middle + reach + 1]
    edge = round(EDGE_S * POINTS_PER_S)
    around = np.fft.ifft(spectrum)[edge:-edge]
    amplitude, phase = np.abs(around), np.unwrap(np.angle(around))
    turns = float(phase[-1] - phase[0]) / (2 * np.pi) * POINTS_PER_S / (len(phase) - 1)
    return Tone(
        middle / seconds + turns, band_hz, amplitude / amplitude.mean() - 1, scipy_signal.detrend(phase)
    )


def _fault(name: str, found: str, expected: str, fix: str = RECORD) -> TapeError:
    return TapeError(name, found=found, expected=expected, fix=fix)
