"""Figures for tables: one number each, of one measure or of a part of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tapezoo.measure.machine.distortion import SILENT_DB, Distortion
from tapezoo.measure.machine.modulation_noise import ModulationNoise
from tapezoo.measure.machine.noise import Noise
from tapezoo.measure.machine.response import Response
from tapezoo.measure.machine.wow_flutter import WowFlutter

REFERENCE_HZ = 1000.0
RESPONSE_HZ = (40, 100, 5000, 10_000, 15_000)
MOL_PERCENT = 3.0  # at which tape is called fully driven
FLUTTER_FIGURES = (
    ("weighted_percent", "wow and flutter, AES6 weighted, +-"),
    ("unweighted_percent", "the same without weighting, +-"),
    ("rms_percent", "RMS, 0.1 to 200 Hz"),
    ("wow_percent", "wow, 0.1 to 6 Hz, RMS"),
    ("flutter_percent", "flutter, 6 to 200 Hz, RMS"),
    ("drift_percent", "mean speed is off by"),
)
NOTHING = float("nan")
SILENCE = "digital silence"


@dataclass(frozen=True)
class Figure:
    """One number.

    Args:
        key: In files.
        text: For people.
        value: NaN where there is none.
        unit: Of the value.
        decimals: That are shown.
        missing: Why there is none, which people read in its place; "": a dash stands there.
    """

    key: str
    text: str
    value: float
    unit: str
    decimals: int = 2
    missing: str = ""


def silent_where(is_silent: bool) -> str:
    """The reason of a figure that digital silence does not have; "": there is sound."""
    return SILENCE if is_silent else ""


def without_value(figure: Figure, reason: str) -> Figure:
    """The same figure with a reason in place of its value; unchanged without a reason."""
    return replace(figure, value=NOTHING, missing=reason) if reason else figure


def response_figures(response: Response) -> list[Figure]:
    """Gains at some frequencies, and where the gain has fallen by 3 dB."""
    reference_db = _gain_db(response, REFERENCE_HZ)
    steps_hz = [hertz for hertz in RESPONSE_HZ if hertz <= response.frequency_hz[-1]]
    low_hz, high_hz = _edges_hz(response, reference_db)
    gains_db = [_gain_db(response, hertz) - reference_db for hertz in steps_hz]
    figures = [
        Figure("gain_1k_db", "gain at 1 kHz", reference_db, "dB"),
        *(
            Figure(f"gain_{hertz}_db", f"{hertz_text(hertz)} against 1 kHz", gain_db, "dB")
            for hertz, gain_db in zip(steps_hz, gains_db, strict=True)
        ),
        Figure("low_edge_hz", "-3 dB, low", low_hz, "Hz", 0),
        Figure("high_edge_hz", "-3 dB, high", high_hz, "Hz", 0),
    ]
    return [without_value(one, silent_where(response.is_silent)) for one in figures]


def distortion_figures(
    distortion: Distortion, thd_levels_db: Sequence[int], harmonics_level_db: int
) -> list[Figure]:
    """Of 1 kHz: THD at some levels, harmonics two and three at one, and the level of 3 % THD.

    Args:
        distortion: With 1 kHz among its frequencies.
        thd_levels_db: Peaks of the input, of which those that were not played have no figure.
        harmonics_level_db: Likewise.
    """
    thd = [
        without_value(
            Figure(
                f"thd_1k_{-level}_percent",
                f"THD, 1 kHz at {level} dB",
                thd_percent(distortion, level),
                "%",
                3,
            ),
            _silent_tone(distortion, level),
        )
        for level in thd_levels_db
    ]
    at = f"1 kHz at {harmonics_level_db} dB"
    harmonics = [
        without_value(
            Figure(
                f"h{number}_1k_percent",
                f"harmonic {number}, {at}",
                harmonic_percent(distortion, number, harmonics_level_db),
                "%",
                3,
            ),
            _silent_tone(distortion, harmonics_level_db),
        )
        for number in (2, 3)
    ]
    return [
        *thd,
        *harmonics,
        Figure("mol_1k_db", f"{MOL_PERCENT:g} % THD at 1 kHz is reached at", _level_of_thd(distortion), "dB"),
    ]


def noise_figures(noise: Noise) -> list[Figure]:
    """Levels of noise and hum."""
    levels = [
        Figure("noise_db", "noise", noise.level_db, "dB", 1),
        Figure("noise_a_db", "noise, A-weighted", noise.a_weighted_db, "dB", 1),
    ]
    snr = Figure("snr_db", "full-scale tone over noise", noise.snr_db, "dB", 1)
    return [
        *(without_value(one, silent_where(one.value == -math.inf)) for one in levels),
        without_value(snr, "no noise" if noise.level_db == -math.inf else ""),
        Figure("hum_hz", "hum", noise.hum_hz or NOTHING, "Hz", 0),
        Figure("hum_db", "its level", noise.hum_db if noise.hum_hz else NOTHING, "dB", 1),
    ]


def modulation_figures(modulation: ModulationNoise) -> list[Figure]:
    """How much tones waver, by their level."""
    figures = []
    for level_db, depth_db in zip(modulation.level_db.tolist(), modulation.depth_db.tolist(), strict=True):
        text = f"modulation noise of 1 kHz at {level_db:g} dB, re the tone"
        figure = Figure(f"modulation_{-level_db:g}_db", text, depth_db, "dB", 1)
        missing = silent_where(math.isnan(depth_db)) or (
            "none beyond the noise" if depth_db == -math.inf else ""
        )
        figures.append(without_value(figure, missing))
    return figures


def flutter_figures(flutter: WowFlutter | None) -> list[Figure]:
    """Wow, flutter and speed; all of them NaN where there is nothing to measure them by."""
    return [
        Figure(key, text, NOTHING if flutter is None else float(getattr(flutter, key)), "%", 4)
        for key, text in FLUTTER_FIGURES
    ]


def hertz_text(hertz: float) -> str:
    """A frequency with its unit."""
    return f"{hertz / 1000:.3g} kHz" if hertz >= 1000 else f"{hertz:.3g} Hz"


def thd_percent(distortion: Distortion, level_db: float) -> float:
    """Of 1 kHz; NaN where it was not played."""
    place = _place(distortion, level_db)
    return NOTHING if place is None else float(distortion.thd_percent[place])


def harmonic_percent(distortion: Distortion, number: int, level_db: float) -> float:
    """Of 1 kHz, over the fundamental; NaN where it was not played."""
    place = _place(distortion, level_db)
    return NOTHING if place is None else float(distortion.harmonic_percent(number)[place])


def _silent_tone(distortion: Distortion, level_db: float) -> str:
    """The reason why 1 kHz of this level has no distortion; "": it has, or was not played."""
    place = _place(distortion, level_db)
    return silent_where(place is not None and bool(distortion.harmonic_db[place][0] <= SILENT_DB))


def _place(distortion: Distortion, level_db: float) -> tuple[int, int] | None:
    rows = np.flatnonzero(distortion.frequency_hz == REFERENCE_HZ)
    levels = np.flatnonzero(distortion.level_db == level_db)
    return (int(rows[0]), int(levels[0])) if len(rows) and len(levels) else None


def _gain_db(response: Response, hertz: float) -> float:
    return float(np.interp(np.log(hertz), np.log(response.frequency_hz), response.gain_db))


def _edges_hz(response: Response, reference_db: float) -> tuple[float, float]:
    """Where the gain has fallen 3 dB below 1 kHz on either side; NaN where it does not."""
    middle = int(np.searchsorted(response.frequency_hz, REFERENCE_HZ))
    fallen = response.gain_db < reference_db - 3
    below, above = np.flatnonzero(fallen[:middle]), np.flatnonzero(fallen[middle:])
    low = float(response.frequency_hz[below[-1]]) if len(below) else NOTHING
    high = float(response.frequency_hz[middle + above[0]]) if len(above) else NOTHING
    return low, high


def _level_of_thd(distortion: Distortion) -> float:
    """The lowest level at which THD reaches 3 %, between two that were played; NaN if none does."""
    rows = np.flatnonzero(distortion.frequency_hz == REFERENCE_HZ)
    if not len(rows):
        return NOTHING
    thd = np.log(np.maximum(np.nan_to_num(distortion.thd_percent[rows[0]]), 1e-9) / MOL_PERCENT)
    over = np.flatnonzero(thd >= 0)
    if not len(over) or over[0] == 0:
        return NOTHING
    before, at = thd[over[0] - 1], thd[over[0]]
    low, high = distortion.level_db[over[0] - 1], distortion.level_db[over[0]]
    return float(low + (high - low) * -before / (at - before))
