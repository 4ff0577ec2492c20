"""All measures of a machine, and their figures in one list."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tapezoo.measure.machine.aliasing import Aliasing, measure_aliasing
from tapezoo.measure.machine.arrival import Arrival, measure_arrival
from tapezoo.measure.machine.curves import curves_json
from tapezoo.measure.machine.deviation import (
    STILL_PERCENT,
    Deviation,
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
from tapezoo.measure.machine.figures import (
    NOTHING,
    Figure,
    distortion_figures,
    flutter_figures,
    hertz_text,
    modulation_figures,
    noise_figures,
    response_figures,
    silent_where,
    thd_percent,
    without_value,
)
from tapezoo.measure.machine.intermodulation import (
    NEAR_LEAST_RATE_HZ,
    SMPTE_LEAST_RATE_HZ,
    Intermodulation,
    measure_intermodulation,
)
from tapezoo.measure.machine.loop import Loops, measure_loops
from tapezoo.measure.machine.machine import Machine, MeasureError
from tapezoo.measure.machine.modulation_noise import ModulationNoise, measure_modulation_noise
from tapezoo.measure.machine.noise import Noise, measure_noise
from tapezoo.measure.machine.response import Response, measure_response
from tapezoo.measure.machine.wow_flutter import WowFlutter, measure_wow_flutter

DEVIATION_LEVEL_DB = -6.0
POINTS = "percentage points more"
STEPS = (
    "arrival",
    "response",
    "harmonics",
    "intermodulation",
    "loops",
    "dynamics",
    "noise",
    "modulation",
    "flutter",
    "aliases",
)


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
    modulation: ModulationNoise
    wow_flutter: WowFlutter | None
    aliasing: Aliasing

    @property
    def is_still(self) -> bool:
        """Whether a tone stays one line: where its frequency wanders, aliases cannot be told apart beside it."""
        return self.wow_flutter is None or self.wow_flutter.rms_percent < STILL_PERCENT

    def as_json(self) -> dict[str, Any]:
        """Everything, with lists for arrays, None for what is not finite, and long curves thinned."""
        return curves_json(self)


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
    modulation = measure_modulation_noise(told("modulation"))
    try:
        flutter = measure_wow_flutter(told("flutter"))
    except MeasureError:
        flutter = None
    aliasing = measure_aliasing(told("aliases"))
    return Measured(
        machine.name, machine.sample_rate, arrival, response, distortion, intermodulation, loops, dynamics, noise,
        modulation, flutter, aliasing,
    )  # fmt: skip


def figures_of(measured: Measured) -> list[Figure]:
    """The figures in the order of the signal's way through a machine: time, frequency, level, noise."""
    dynamics, two = measured.dynamics, measured.intermodulation
    compression_db = dynamics.loud_gain_db - dynamics.quiet_gain_db
    silent = silent_where(measured.response.is_silent)
    figures = [
        Figure("latency_samples", "declared latency", measured.arrival.declared_samples, "samples", 0),
        without_value(
            Figure(
                "arrival_samples",
                "response is largest, after it",
                measured.arrival.found_samples,
                "samples",
                0,
            ),
            silent,
        ),
        without_value(Figure("polarity", "polarity", -1 if measured.arrival.inverted else 1, "", 0), silent),
        *response_figures(measured.response),
        *distortion_figures(measured.distortion, (-20, -6, 0), -6),
        *(
            _of_sound(key, text, value, "%", 3)
            if measured.sample_rate >= least_hz
            else without_value(Figure(key, text, value, "%", 3), f"needs {least_hz} Hz")
            for key, text, value, least_hz in (
                (
                    "smpte_percent",
                    "IMD, SMPTE 60 Hz + 7 kHz at -10 dB",
                    two.smpte_percent,
                    SMPTE_LEAST_RATE_HZ,
                ),
                (
                    "ccif_second_percent",
                    "IMD, CCIF 19 + 20 kHz at -10 dB",
                    two.ccif_second_percent,
                    NEAR_LEAST_RATE_HZ,
                ),
                ("ccif_third_percent", "the same, third order", two.ccif_third_percent, NEAR_LEAST_RATE_HZ),
            )
        ),
        *(
            _of_sound(
                f"loop_area_{abs(level):g}",
                f"area of the loop, 100 Hz at {level:g} dB",
                area,
                "of its box",
                4,
            )
            for level, area in zip(
                measured.loops.level_db.tolist(), measured.loops.area.tolist(), strict=True
            )
        ),
        _of_sound("compression_db", "gain at -6 dB against -30 dB, 1 kHz", compression_db, "dB", 2),
        Figure("attack_ms", "attack (63 %)", dynamics.attack_ms, "ms", 1),
        Figure("release_ms", "release (63 %)", dynamics.release_ms, "ms", 1),
        *noise_figures(measured.noise),
        *modulation_figures(measured.modulation),
        *flutter_figures(measured.wow_flutter),
    ]
    for hertz, level in zip(
        measured.aliasing.frequency_hz.tolist(), measured.aliasing.aliased_db.tolist(), strict=True
    ):
        text = f"aliases of {hertz_text(hertz)} at -6 dB, and noise"
        figure = _of_sound(f"aliases_{hertz:.0f}_db", text, level, "dB", 1)
        figures.append(figure if measured.is_still else without_value(figure, "the speed wanders"))
    return figures


def _of_sound(key: str, text: str, value: float, unit: str, decimals: int) -> Figure:
    """A figure that is NaN only where nothing came out."""
    return Figure(key, text, value, unit, decimals, silent_where(math.isnan(value)))


def deviations_of(one: Measured, other: Measured) -> list[Figure]:
    """How far the first machine is from the second, in the order of `figures_of`; NaN where a figure has no sense.

    Args:
        one: Of a machine.
        other: Of the one that it is compared with, at the same sample rate.
    """
    silent = silent_where(one.response.is_silent or other.response.is_silent)
    response, delay = (
        Deviation(NOTHING, NOTHING) if silent else measure(one.response, other.response)
        for measure in (response_deviation, delay_deviation)
    )
    thd = [thd_percent(measured.distortion, DEVIATION_LEVEL_DB) for measured in (one, other)]
    both = one.intermodulation, other.intermodulation
    harmonics = harmonic_distance_db(one.distortion, other.distortion, (one.noise, other.noise))
    still = one.is_still and other.is_still
    aliases = aliasing_difference_db(one.aliasing, other.aliasing) if still else float("nan")
    flutter = flutter_ratio(one.wow_flutter, other.wow_flutter)
    return [
        Figure("response_rms_db", "response, 40 Hz to 16 kHz, RMS", response.rms, "dB", 2, silent),
        Figure("response_largest_db", "the same, largest", response.largest, "dB", 2, silent),
        Figure("delay_rms_ms", "group delay, 40 Hz to 16 kHz, RMS", delay.rms, "ms", 3, silent),
        Figure("delay_largest_ms", "the same, largest", delay.largest, "ms", 3, silent),
        Figure("harmonics_db", "harmonics, all sines and levels, RMS", harmonics, "dB"),
        Figure("thd_ratio", f"THD, 1 kHz at {DEVIATION_LEVEL_DB:g} dB", thd_ratio(*thd), "times"),
        *(
            Figure(f"{name}_difference_points", text, getattr(both[0], key) - getattr(both[1], key), POINTS, 3)
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
