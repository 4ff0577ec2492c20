"""Figures of a recorded excitation: its test signals, measured where they came back, in a recording or from a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tapezoo.measure.machine.curves import curves_json
from tapezoo.measure.machine.distortion import HARMONICS, SILENT_DB, Distortion
from tapezoo.measure.machine.figures import (
    REFERENCE_HZ,
    Figure,
    distortion_figures,
    flutter_figures,
    noise_figures,
    response_figures,
)
from tapezoo.measure.machine.machine import MeasureError, Real
from tapezoo.measure.machine.noise import Noise, noise_of
from tapezoo.measure.machine.response import Response, response_of
from tapezoo.measure.machine.wow_flutter import WowFlutter, speed_of_tone, wow_flutter
from tapezoo.measure.pair_scores import Recording
from tapezoo.measure.spectrum import harmonic_levels_db
from tapezoo.recordings.excitation.layout import Layout, Segment
from tapezoo.recordings.excitation.plan import FLUTTER_HZ
from tapezoo.recordings.excitation.recognition import find_marks, recognise

SETTLED = 0.4  # share of a tone after which it is measured
CLEAR_S = 0.02  # left out at the ends of a segment: fades, and a delay that wanders
AFTER_SWEEP_S = 0.19  # silence that belongs to a sweep
SWEEP_DB = (
    -24.0
)  # the level at which the response is taken: most machines are linear there, and far above noise


@dataclass(frozen=True)
class Captured:
    """What the test signals of an excitation say of whatever they were played through.

    Args:
        name: In tables and pictures.
        response: Of the sweep at -24 dB.
        distortion: Of 1 kHz at every level of the excitation.
        noise: Of the longest silence.
        wow_flutter: Of the tone of 3150 Hz; None: too short, which is so in excitations of less than six minutes.
        bass_thd_percent: Of 100 Hz at -10 dB.
    """

    name: str
    response: Response
    distortion: Distortion
    noise: Noise
    wow_flutter: WowFlutter | None
    bass_thd_percent: float

    def as_json(self) -> dict[str, Any]:
        """Everything, as `Measured.as_json`."""
        return curves_json(self)


@dataclass(frozen=True)
class Places:
    """Where an excitation's parts are in a recording as it was aligned.

    Args:
        layout: In samples of the recording.
        clock_ratio: Time there per time in dry: tones are lower by it.
    """

    layout: Layout
    clock_ratio: float


def places_of(recording: Recording) -> Places | None:
    """None: what was played is no excitation of tapezoo.

    Raises:
        DataError: Wet is a recording of another excitation.
        MeasureError: No mark came back.
    """
    layout = recognise(recording.input, recording.sample_rate)
    if layout is None:
        return None
    marks = find_marks(recording.target, recording.sample_rate, layout)
    if marks is None or marks.end_mark is None:
        raise MeasureError(
            recording.name,
            found="an excitation in dry, and in wet no first mark"
            if marks is None
            else "no last mark in wet",
            expected="the recording of the whole excitation",
            fix="Record it from mark to mark.",
        )
    return Places(layout.moved(marks.start_mark, marks.clock_ratio), marks.clock_ratio)


def measure_captured(name: str, recording: Recording, output: Real, places: Places) -> Captured:
    """Measures every test signal of the excitation.

    Args:
        name: Of the machine, in tables and pictures.
        recording: Whose dry is the excitation.
        output: (samples,), wet, or what a model makes of dry.
        places: Of the excitation's parts.
    """
    rate, layout = recording.sample_rate, places.layout
    sweep = min(layout.of_kind("sweep", "train"), key=lambda one: abs((one.level_db or 0.0) - SWEEP_DB))
    whole = slice(sweep.start, sweep.stop + round(AFTER_SWEEP_S * rate))
    response = response_of(
        recording.input[whole].astype(np.float64), output[whole], rate, float(sweep.level_db or 0.0)
    )
    tones = {
        (one.frequencies_hz[0], float(one.level_db or 0.0)): _lines(one, output, rate, places.clock_ratio)
        for one in layout.of_kind("tone", "train")
    }
    levels = sorted(level for hertz, level in tones if hertz == REFERENCE_HZ)
    harmonic = np.stack([tones[REFERENCE_HZ, level] for level in levels])[None]
    distortion = Distortion(np.array([REFERENCE_HZ]), np.array(levels), harmonic, _thd_percent(harmonic))
    silence = max(layout.of_kind("silence", "train"), key=lambda one: one.stop - one.start)
    inner = output[(silence.start + silence.stop) // 2 : silence.stop - round(CLEAR_S * rate)]
    noise = noise_of(inner.astype(np.float64), rate, float(tones[REFERENCE_HZ, levels[-1]][0]))
    bass = tones.get((100.0, -10.0))
    bass_percent = float("nan") if bass is None else float(_thd_percent(bass))
    return Captured(name, response, distortion, noise, _flutter(output, rate, places), bass_percent)


def of_model(captured: Captured) -> Captured:
    """Without the speed: a model plays dry as it was read along the delay of the recording, and wanders with it."""
    return replace(captured, wow_flutter=None)


def captured_figures(captured: Captured) -> list[Figure]:
    """The figures that a machine's measurement has too are called as they are there."""
    return [
        *response_figures(captured.response),
        *distortion_figures(captured.distortion, (-20, -10, -5, 0), -5),
        Figure("thd_100_percent", "THD, 100 Hz at -10 dB", captured.bass_thd_percent, "%", 3),
        *noise_figures(captured.noise),
        *flutter_figures(captured.wow_flutter),
    ]


def _lines(tone: Segment, output: Real, rate: int, clock_ratio: float) -> Real:
    """(10,): levels of the harmonics of a tone, dB re full scale; -200 over half the sample rate."""
    begin = tone.start + round(SETTLED * (tone.stop - tone.start))
    found = harmonic_levels_db(
        output[begin : tone.stop - round(CLEAR_S * rate)].astype(np.float64),
        tone.frequencies_hz[0] / clock_ratio,
        rate,
    )[:HARMONICS]
    lines = np.full(HARMONICS, -200.0)
    lines[: len(found)] = found
    return lines


def _thd_percent(harmonic_db: Real) -> Real:
    """Over the last axis; NaN where there is no fundamental."""
    amplitude = 10 ** (harmonic_db / 20)
    thd = 100 * np.sqrt(np.square(amplitude[..., 1:]).sum(axis=-1)) / amplitude[..., 0]
    return np.where(harmonic_db[..., 0] > SILENT_DB, thd, np.nan)


def _flutter(output: Real, rate: int, places: Places) -> WowFlutter | None:
    tone = next(one for one in places.layout.of_kind("tone", "train") if one.frequencies_hz == (FLUTTER_HZ,))
    clear = round(CLEAR_S * rate)
    try:
        return wow_flutter(
            *speed_of_tone(
                output[tone.start + clear : tone.stop - clear].astype(np.float64), rate, FLUTTER_HZ
            )
        )
    except MeasureError:
        return None
