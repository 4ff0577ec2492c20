"""All measures of a machine, and their figures in one list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tapezoo.measure.machine.aliasing import Aliasing, measure_aliasing
from tapezoo.measure.machine.arrival import Arrival, measure_arrival
from tapezoo.measure.machine.deviation import (
    STILL_PERCENT,
    aliasing_difference_db,
    delay_deviation,
    flutter_ratio,
    harmonic_distance_db,
    noise_distance_db,
    response_deviation,
    thd_ratio,
)
from tapezoo.measure.machine.distortion import Distortion, measure_distortion
from tapezoo.measure.machine.dynamics import Dynamics, measure_dynamics
from tapezoo.measure.machine.intermodulation import Intermodulation, measure_intermodulation
from tapezoo.measure.machine.loop import Loops, measure_loops
from tapezoo.measure.machine.machine import Machine, MeasureError
from tapezoo.measure.machine.noise import Noise, measure_noise
from tapezoo.measure.machine.response import Response, measure_response
from tapezoo.measure.machine.wow_flutter import WowFlutter, measure_wow_flutter

REFERENCE_HZ = 1000.0
DEVIATION_LEVEL_DB = -6.0
RESPONSE_HZ = (40, 100, 5000, 10_000, 15_000)
MOST_POINTS = 5000  # of a curve in a file: the gain of a tone over seconds has one per sample
MOL_PERCENT = 3.0  # at which tape is called fully driven
FLUTTER_FIGURES = (
    ("weighted_percent", "wow and flutter, AES6 weighted, +-"),
    ("unweighted_percent", "the same without weighting, +-"),
    ("rms_percent", "RMS, 0.1 to 200 Hz"),
    ("wow_percent", "wow, 0.1 to 6 Hz, RMS"),
    ("flutter_percent", "flutter, 6 to 200 Hz, RMS"),
    ("drift_percent", "mean speed is off by"),
)
STEPS = (
    "arrival",
    "response",
    "harmonics",
    "intermodulation",
    "loops",
    "dynamics",
    "noise",
    "flutter",
    "aliases",
)


@dataclass(frozen=True)
class Figure:
    """One number.

    Args:
        key: In files.
        text: For people.
        value: NaN where there is none.
        unit: Of the value.
        decimals: That are shown.
    """

    key: str
    text: str
    value: float
    unit: str
    decimals: int = 2


@dataclass(frozen=True)
class Measured:
    """What was measured of a machine; `wow_flutter` is None where a tone does not come out as one."""

    name: str
    sample_rate: int
    arrival: Arrival
    response: Response
    distortion: Distortion
    intermodulation: Intermodulation
    loops: Loops
    dynamics: Dynamics
    noise: Noise
    wow_flutter: WowFlutter | None
    aliasing: Aliasing

    @property
    def is_still(self) -> bool:
        """Whether a tone stays one line: where its frequency wanders, aliases cannot be told apart beside it."""
        return self.wow_flutter is None or self.wow_flutter.rms_percent < STILL_PERCENT

    def as_json(self) -> dict[str, Any]:
        """Everything, with lists for arrays, None for what is not finite, and long curves thinned."""
        document: dict[str, Any] = _plain(asdict(self))
        return document


def measure_machine(machine: Machine, step: Callable[[str], None] = lambda name: None) -> Measured:
    """Plays all test signals, about a minute of audio, and measures what comes out.

    Args:
        machine: To measure.
        step: Told what comes next, one of STEPS.

    Raises:
        MeasureError: What comes out is not finite.
    """

    def told(name: str) -> Machine:
        step(name)
        return machine

    arrival = measure_arrival(told("arrival"))
    response = measure_response(told("response"))
    distortion = measure_distortion(told("harmonics"))
    intermodulation = measure_intermodulation(told("intermodulation"))
    loops = measure_loops(told("loops"))
    dynamics = measure_dynamics(told("dynamics"))
    noise = measure_noise(told("noise"))
    try:
        flutter = measure_wow_flutter(told("flutter"))
    except MeasureError:
        flutter = None
    aliasing = measure_aliasing(told("aliases"))
    return Measured(
        machine.name, machine.sample_rate, arrival, response, distortion, intermodulation, loops, dynamics, noise,
        flutter, aliasing,
    )  # fmt: skip


def figures_of(measured: Measured) -> list[Figure]:
    """The figures in the order of the signal's way through a machine: time, frequency, level, noise."""
    response, distortion, flutter = measured.response, measured.distortion, measured.wow_flutter
    reference_db = _gain_db(response, REFERENCE_HZ)
    steps_hz = [hertz for hertz in RESPONSE_HZ if hertz <= response.frequency_hz[-1]]
    low_hz, high_hz = _edges_hz(response, reference_db)
    dynamics, noise, two = measured.dynamics, measured.noise, measured.intermodulation
    compression_db = dynamics.loud_gain_db - dynamics.quiet_gain_db
    nothing = float("nan")
    aliased_db = np.where(measured.is_still, measured.aliasing.aliased_db, nothing)
    return [
        Figure("latency_samples", "declared latency", measured.arrival.declared_samples, "samples", 0),
        Figure("arrival_samples", "response is largest, after it", measured.arrival.found_samples, "samples", 0),
        Figure("polarity", "polarity", -1 if measured.arrival.inverted else 1, "", 0),
        Figure("gain_1k_db", "gain at 1 kHz", reference_db, "dB"),
        *(
            Figure(f"gain_{hertz}_db", f"{_hertz(hertz)} against 1 kHz", _gain_db(response, hertz) - reference_db, "dB")
            for hertz in steps_hz
        ),
        Figure("low_edge_hz", "-3 dB, low", low_hz, "Hz", 0),
        Figure("high_edge_hz", "-3 dB, high", high_hz, "Hz", 0),
        *(
            Figure(f"thd_1k_{-level}_percent", f"THD, 1 kHz at {-level} dB", _thd(distortion, -level), "%", 3)
            for level in (20, 6, 0)
        ),
        *(
            Figure(f"h{number}_1k_percent", f"harmonic {number}, 1 kHz at -6 dB", _harmonic(distortion, number), "%", 3)
            for number in (2, 3)
        ),
        Figure("mol_1k_db", f"{MOL_PERCENT:g} % THD at 1 kHz is reached at", _level_of_thd(distortion), "dB"),
        Figure("smpte_percent", "IMD, SMPTE 60 Hz + 7 kHz at -10 dB", two.smpte_percent, "%", 3),
        Figure("ccif_second_percent", "IMD, CCIF 19 + 20 kHz at -10 dB", two.ccif_second_percent, "%", 3),
        Figure("ccif_third_percent", "the same, third order", two.ccif_third_percent, "%", 3),
        *(
            Figure(f"loop_area_{abs(level):g}", f"area of the loop, 100 Hz at {level:g} dB", area, "of its box", 4)
            for level, area in zip(measured.loops.level_db.tolist(), measured.loops.area.tolist(), strict=True)
        ),
        Figure("compression_db", "gain at -6 dB against -30 dB, 1 kHz", compression_db, "dB"),
        Figure("attack_ms", "attack (63 %)", dynamics.attack_ms, "ms", 1),
        Figure("release_ms", "release (63 %)", dynamics.release_ms, "ms", 1),
        Figure("noise_db", "noise", noise.level_db, "dB", 1),
        Figure("noise_a_db", "noise, A-weighted", noise.a_weighted_db, "dB", 1),
        Figure("snr_db", "full-scale tone over noise", noise.snr_db, "dB", 1),
        Figure("hum_hz", "hum", noise.hum_hz or nothing, "Hz", 0),
        Figure("hum_db", "its level", noise.hum_db if noise.hum_hz else nothing, "dB", 1),
        *(
            Figure(key, text, nothing if flutter is None else float(getattr(flutter, key)), "%", 4)
            for key, text in FLUTTER_FIGURES
        ),
        *(
            Figure(f"aliases_{hertz:.0f}_db", f"aliases of {_hertz(hertz)} at -6 dB, and noise", level, "dB", 1)
            for hertz, level in zip(measured.aliasing.frequency_hz.tolist(), aliased_db.tolist(), strict=True)
        ),
    ]  # fmt: skip


def deviations_of(one: Measured, other: Measured) -> list[Figure]:
    """How far the first machine is from the second, in the order of `figures_of`; NaN where a figure has no sense.

    Args:
        one: Of a machine.
        other: Of the one that it is compared with, at the same sample rate.
    """
    response, delay = (
        measure(one.response, other.response) for measure in (response_deviation, delay_deviation)
    )
    thd = [_thd(measured.distortion, DEVIATION_LEVEL_DB) for measured in (one, other)]
    both = one.intermodulation, other.intermodulation
    harmonics = harmonic_distance_db(one.distortion, other.distortion, (one.noise, other.noise))
    still = one.is_still and other.is_still
    aliases = aliasing_difference_db(one.aliasing, other.aliasing) if still else float("nan")
    flutter = flutter_ratio(one.wow_flutter, other.wow_flutter)
    return [
        Figure("response_rms_db", "response, 40 Hz to 16 kHz, RMS", response.rms, "dB"),
        Figure("response_largest_db", "the same, largest", response.largest, "dB"),
        Figure("delay_rms_ms", "group delay, 40 Hz to 16 kHz, RMS", delay.rms, "ms", 3),
        Figure("delay_largest_ms", "the same, largest", delay.largest, "ms", 3),
        Figure("harmonics_db", "harmonics, all sines and levels, RMS", harmonics, "dB"),
        Figure("thd_ratio", f"THD, 1 kHz at {DEVIATION_LEVEL_DB:g} dB", thd_ratio(*thd), "times"),
        *(
            Figure(f"{name}_difference_percent", text, getattr(both[0], key) - getattr(both[1], key), "% more", 3)
            for name, key, text in (
                ("smpte", "smpte_percent", "IMD, SMPTE"),
                ("ccif_second", "ccif_second_percent", "IMD, CCIF, second order"),
                ("ccif_third", "ccif_third_percent", "IMD, CCIF, third order"),
            )
        ),
        Figure("noise_spectrum_db", "noise in third octaves, RMS", noise_distance_db(one.noise, other.noise), "dB", 1),
        Figure("flutter_ratio", "wow and flutter, weighted", flutter, "times"),
        Figure("aliases_difference_db", "aliases over harmonics, mean", aliases, "dB more", 1),
    ]  # fmt: skip


def _hertz(hertz: float) -> str:
    return f"{hertz / 1000:.3g} kHz" if hertz >= 1000 else f"{hertz:.3g} Hz"


def _gain_db(response: Response, hertz: float) -> float:
    return float(np.interp(np.log(hertz), np.log(response.frequency_hz), response.gain_db))


def _edges_hz(response: Response, reference_db: float) -> tuple[float, float]:
    """Where the gain has fallen 3 dB below 1 kHz on either side; NaN where it does not."""
    middle = int(np.searchsorted(response.frequency_hz, REFERENCE_HZ))
    fallen = response.gain_db < reference_db - 3
    below, above = np.flatnonzero(fallen[:middle]), np.flatnonzero(fallen[middle:])
    low = float(response.frequency_hz[below[-1]]) if len(below) else float("nan")
    high = float(response.frequency_hz[middle + above[0]]) if len(above) else float("nan")
    return low, high


def _row(distortion: Distortion, hertz: float) -> int | None:
    rows = np.flatnonzero(distortion.frequency_hz == hertz)
    return int(rows[0]) if len(rows) else None


def _thd(distortion: Distortion, level_db: float) -> float:
    row = _row(distortion, REFERENCE_HZ)
    levels = np.flatnonzero(distortion.level_db == level_db)
    return float(distortion.thd_percent[row, levels[0]]) if row is not None and len(levels) else float("nan")


def _harmonic(distortion: Distortion, number: int, level_db: float = -6.0) -> float:
    row = _row(distortion, REFERENCE_HZ)
    level = int(np.flatnonzero(distortion.level_db == level_db)[0])
    return float("nan") if row is None else float(distortion.harmonic_percent(number)[row, level])


def _level_of_thd(distortion: Distortion) -> float:
    """The lowest level at which THD reaches 3 %, between two that were played; NaN if none does."""
    row = _row(distortion, REFERENCE_HZ)
    if row is None:
        return float("nan")
    thd = np.log(np.maximum(np.nan_to_num(distortion.thd_percent[row]), 1e-9) / MOL_PERCENT)
    over = np.flatnonzero(thd >= 0)
    if not len(over) or over[0] == 0:
        return float("nan")
    before, at = thd[over[0] - 1], thd[over[0]]
    low, high = distortion.level_db[over[0] - 1], distortion.level_db[over[0]]
    return float(low + (high - low) * -before / (at - before))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value[:: -(-value.shape[0] // MOST_POINTS)].tolist() if value.size else [])
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
