"""A recording, and how near a machine that is played on its dry comes to its wet."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.audio import Audio, read_header
from tapezoo.data.checks import check_headers
from tapezoo.data.least_squares import LINEAR_FLOOR_TAPS, linear_floor
from tapezoo.data.pair_delays import settle_delays
from tapezoo.data.pairs import Pair
from tapezoo.data.prepare import prepare_pair
from tapezoo.data.streams import read_signal
from tapezoo.loudness import ABSOLUTE_GATE_LUFS, BLOCK_S, loudness, loudness_unit
from tapezoo.measure.machine.figures import NOTHING, Figure, flutter_figures, silent_where, without_value
from tapezoo.measure.machine.machine import Machine, MeasureError, Real
from tapezoo.measure.machine.wow_flutter import LEAST_S, wow_flutter
from tapezoo.measure.shift import nearest_shift, shifted
from tapezoo.terminal import plain

POINTS_PER_S = 500  # of a delay over time: flutter up to 200 Hz, as far as the delay shows it
FINE = 5  # decimals of a ratio
LOUDNESS_UNIT = "LUFS"
# least squares fit a share of taps over samples of what no filter can make: 1 % of it here, and more in less
FLOOR_LEAST_SAMPLES = 100 * LINEAR_FLOOR_TAPS
LEAST_SAMPLES = 1024
SEEN = (
    "A model that was trained on this recording knows it: these figures then flatter it. `tapezoo test` scores the "
    "part that it has not seen."
)


@dataclass(frozen=True)
class Recording:
    """One channel of a pair, aligned; where the delay wanders, dry is read along it.

    Args:
        name: In tables.
        sample_rate: Hz.
        input: (samples,), dry.
        target: (samples,), wet.
        delay_samples: Constant part of the delay that was taken off.
        wander: The delay over time; None: it stands still.
        channels: Of the files; this is the first of them.
        warnings: What the checks of training say of it.
    """

    name: str
    sample_rate: int
    input: Audio
    target: Audio
    delay_samples: int
    wander: DelayTrajectory | None
    channels: int = 1
    warnings: tuple[str, ...] = ()


def recording_rate(dry: Path, wet: Path) -> int:
    """The sample rate of a pair, in Hz, by its headers alone.

    Raises:
        TapezooError: Not sound files, other rates, other numbers of channels, or next to no samples.
    """
    headers = read_header(dry), read_header(wet)
    if headers[0].sample_rate != headers[1].sample_rate:
        raise MeasureError(
            wet.name,
            found=f"{headers[1].sample_rate} Hz, and {headers[0].sample_rate} Hz in {dry.name}",
            expected="one sample rate",
            fix="Run `tapezoo prepare` on them; it brings both to one.",
        )
    check_headers(*headers)
    shorter = min(headers, key=lambda header: header.frames)
    if 0 < shorter.frames < LEAST_SAMPLES:
        raise MeasureError(
            str(shorter.path),
            found=f"{shorter.frames} sample{'' if shorter.frames == 1 else 's'}",
            expected=f"{LEAST_SAMPLES} at least, in which a delay can be found",
            fix="Use a longer recording.",
        )
    return headers[0].sample_rate


@dataclass(frozen=True)
class Played:
    """What a machine made of a recording's dry.

    Args:
        output: (samples,).
        moved_samples: By how much it was made later, see `play_dry`.
    """

    output: Real
    moved_samples: float


def read_recording(dry: Path, wet: Path) -> Recording:
    """The first channel of a pair, called like wet; see `read_channels`."""
    return replace(read_channels(dry, wet)[0], name=wet.name)


def read_channels(dry: Path, wet: Path) -> list[Recording]:
    """Every channel of a pair, checked and aligned as for training, each by its own delay.

    Raises:
        TapezooError: Files that do not fit together, see `tapezoo.data.prepare.prepare_pair`.
    """
    rate = recording_rate(dry, wet)
    pair = Pair(dry, wet, {})
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        signals = read_signal(dry, folder), read_signal(wet, folder)
        settled = settle_delays(pair, *signals, rate, "auto", "remove", folder)
        rows = prepare_pair(wet.name, pair, (), rate, "auto", "remove", folder, settled)
        return [
            Recording(
                row.name,
                rate,
                np.array(row.input),
                np.array(row.target),
                delay.constant_samples,
                delay.trajectory,
                len(rows),
                tuple(f"{one.subject}: {one.text}" for one in row.findings if one.severity == "warning"),
            )
            for row, delay in zip(rows, settled[0], strict=True)
        ]


def recording_figures(recording: Recording) -> list[Figure]:
    """What a pair says without a model: delay, level, loudness, crest factor, how linear it is, wow and flutter."""
    dry, wet, rate = (
        recording.input.astype(np.float64),
        recording.target.astype(np.float64),
        recording.sample_rate,
    )
    loud = loudness_figure("loudness_wet", "loudness of wet", wet, rate, 1)
    change = loudness_change("loudness_change", "against dry", wet, dry, rate, 1)
    silent = {"dry": silent_where(not dry.any()), "wet": silent_where(not wet.any())}
    gain = Figure("gain_db", "level of wet against dry", _rms_db(wet) - _rms_db(dry), "dB")
    figures = [
        Figure("seconds", "length", len(wet) / rate, "s", 1 if len(wet) >= 10 * rate else 2),
        Figure("delay_samples", "delay of wet", recording.delay_samples, "samples", 0),
        without_value(gain, silent["dry"] or silent["wet"]),
        loud,
        change,
        without_value(Figure("crest_dry_db", "crest factor of dry", _crest_db(dry), "dB", 1), silent["dry"]),
        without_value(Figure("crest_wet_db", "crest factor of wet", _crest_db(wet), "dB", 1), silent["wet"]),
        _floor_figure(recording),
    ]
    speed = _speed(recording)
    if speed is not None:
        figures += flutter_figures(wow_flutter(speed, POINTS_PER_S))
    return figures


def remarks(recording: Recording) -> list[str]:
    """What a reader of the figures should know of the recording."""
    said = [plain(one) for one in recording.warnings]
    if recording.channels > 1:
        said.append(
            f"The figures are those of the first of {recording.channels} channels; the others are not measured."
        )
    if recording.wander is None:
        return said
    said.append(
        "The delay of this recording wanders. Its figures are those of dry read along the delay, and so are a model's."
    )
    if _speed(recording) is None:
        seconds = len(recording.target) / recording.sample_rate
        said.append(
            f"Wow and flutter were not measured: AES6-2008 asks for {LEAST_S:g} s, and there are {seconds:.1f} s."
        )
    return said


def play_dry(recording: Recording, machine: Machine) -> Played:
    """What a machine makes of the recording's dry.

    A delay that wanders is known up to a constant, which the machine's own phase hides, so that a model of the machine
    may be samples away from it: there the output is moved to where it is nearest to wet.

    Raises:
        MeasureError: Another sample rate, or what comes out is not finite.
    """
    check_rates(recording.name, recording.sample_rate, machine.name, machine.sample_rate)
    output = machine.play_one(recording.input.astype(np.float64))
    if recording.wander is None:
        return Played(output, 0.0)
    moved = nearest_shift(output, recording.target.astype(np.float64))
    return Played(shifted(output, moved), moved)


def check_rates(name: str, rate: int, other: str, other_rate: int) -> None:
    """Refuses to compare two rates; raises MeasureError."""
    if rate != other_rate:
        raise MeasureError(
            f"{name} and {other}",
            found=f"{rate} and {other_rate} Hz",
            expected="one sample rate",
            fix="Resample the recording, as `tapezoo prepare DRY WET --sample-rate HZ --out SET` does, or choose a "
            "machine of its rate.",
        )


def _speed(recording: Recording) -> NDArray[np.float64] | None:
    """How much the machine is fast, point by point; None where the delay stands still or is too short to tell."""
    seconds = len(recording.target) / recording.sample_rate
    if recording.wander is None or seconds < LEAST_S + 2 / POINTS_PER_S:
        return None
    times = np.arange(round(seconds * POINTS_PER_S)) / POINTS_PER_S
    delay_s = recording.wander.at_times(times) / recording.sample_rate
    return -np.diff(delay_s) * POINTS_PER_S


def _floor_figure(recording: Recording) -> Figure:
    key, text = "linear_floor", "ESR of the best linear filter"
    if len(recording.target) < FLOOR_LEAST_SAMPLES:
        reason = f"needs {FLOOR_LEAST_SAMPLES / recording.sample_rate:.2g} s"
        return Figure(key, text, NOTHING, "", FINE, reason)
    pair = [(recording.input, recording.target)]
    return Figure(key, text, float(linear_floor(pair, pair, 0)), "", FINE)


def loudness_figure(key: str, text: str, signal: Real, rate: int, decimals: int = 2) -> Figure:
    """Integrated loudness after ITU-R BS.1770-4.

    Args:
        key: Of the figure.
        text: Of the figure.
        signal: (samples,).
        rate: Sample rate, Hz.
        decimals: That are shown.
    """
    if loudness_unit(len(signal), rate) != LOUDNESS_UNIT:
        return Figure(key, text, NOTHING, LOUDNESS_UNIT, decimals, f"needs {BLOCK_S:g} s")
    found = loudness(signal, rate)
    missing = "" if math.isfinite(found) else f"under {ABSOLUTE_GATE_LUFS:g} LUFS"
    return Figure(key, text, found if not missing else NOTHING, LOUDNESS_UNIT, decimals, missing)


def loudness_change(key: str, text: str, signal: Real, other: Real, rate: int, decimals: int = 2) -> Figure:
    """By how many dB a signal is louder than another; see `loudness_figure`."""
    levels = [loudness_figure(key, text, one, rate, decimals) for one in (signal, other)]
    missing = levels[0].missing or levels[1].missing
    return Figure(key, text, levels[0].value - levels[1].value, "dB", decimals, missing)


def _rms_db(signal: NDArray[np.float64]) -> float:
    return 10 * float(np.log10(max(float(np.mean(np.square(signal))), 1e-20)))


def _crest_db(signal: NDArray[np.float64]) -> float:
    return 20 * float(np.log10(max(float(np.abs(signal).max()), 1e-10))) - _rms_db(signal)
