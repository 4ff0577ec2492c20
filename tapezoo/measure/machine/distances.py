"""Registered metrics that play test signals: how far a model is from a virtual machine in what data sheets say."""

from __future__ import annotations

import math

from tapezoo.measure.machine.aliasing import measure_aliasing
from tapezoo.measure.machine.deviation import (
    CLEAN_DB,
    aliasing_difference_db,
    delay_deviation,
    harmonic_distance_db,
    response_deviation,
)
from tapezoo.measure.machine.distortion import Distortion, measure_distortion
from tapezoo.measure.machine.figures import REFERENCE_HZ, thd_percent
from tapezoo.measure.machine.intermodulation import (
    NEAR_LEAST_RATE_HZ,
    Intermodulation,
    measure_intermodulation,
)
from tapezoo.measure.machine.machine import Machine
from tapezoo.measure.machine.noise import measure_noise
from tapezoo.measure.machine.response import Response, measure_response
from tapezoo.metrics.probing import Play, ProbingMetric

THD_LEVEL_DB = -6.0
PROFILE_HZ, PROFILE_DB = (100.0, 1000.0), (-20.0, -10.0, -6.0, 0.0)
LEAST_PERCENT = 100 * 10 ** (CLEAN_DB / 20)


def _both(rate: int, model: Play, machine: Play, latency_samples: int) -> tuple[Machine, Machine]:
    return Machine("the model", rate, latency_samples, model), Machine("the machine", rate, 0, machine)


class THDDifference(ProbingMetric):
    """By how many dB the total harmonic distortion of a sine differs; both count as -100 dB at least.

    IEC 60268-3, harmonics two to ten of 1 kHz at -6 dB re full scale. 60 for a linear machine whose model distorts by
    1 %.
    """

    title = "thd"
    least_rate_hz = 8000

    def measure(self, model: Play, machine: Play, latency_samples: int) -> float:
        """See the class, dB."""
        one, other = (
            max(thd_percent(measure_distortion(each, [REFERENCE_HZ], [THD_LEVEL_DB]), THD_LEVEL_DB), LEAST_PERCENT)
            for each in _both(self.sample_rate, model, machine, latency_samples)
        )  # fmt: skip
        return abs(20 * math.log10(one / other))


class HarmonicDistance(ProbingMetric):
    """RMS difference in dB of the harmonics two to ten of sines of 100 Hz and 1 kHz at -20, -10, -6 and 0 dB.

    Relative to the fundamental, of those that stand out of the noise in either: `harmonic_distance_db`.
    """

    title = "harmonics"
    least_rate_hz = 8000

    def measure(self, model: Play, machine: Play, latency_samples: int) -> float:
        """See the class, dB; NaN where neither has any."""
        both = _both(self.sample_rate, model, machine, latency_samples)
        profiles = [self._profile(each) for each in both]
        noises = (measure_noise(both[0]), measure_noise(both[1]))
        return harmonic_distance_db(profiles[0], profiles[1], noises)

    @staticmethod
    def _profile(machine: Machine) -> Distortion:
        return measure_distortion(machine, PROFILE_HZ, PROFILE_DB)


class SMPTEDifference(ProbingMetric):
    """By how many percentage points the intermodulation of 60 Hz and 7 kHz differs (SMPTE RP 120), at -10 dB."""

    title = "smpte"
    least_rate_hz = 16000

    def measure(self, model: Play, machine: Play, latency_samples: int) -> float:
        """See the class, percentage points."""
        one, other = _intermodulation(self.sample_rate, model, machine, latency_samples)
        return abs(one.smpte_percent - other.smpte_percent)


class CCIFDifference(ProbingMetric):
    """By how many percentage points the intermodulation of 19 and 20 kHz differs (IEC 60268-3), at -10 dB.

    Of second and third order, the larger difference.
    """

    title = "ccif"
    least_rate_hz = NEAR_LEAST_RATE_HZ

    def measure(self, model: Play, machine: Play, latency_samples: int) -> float:
        """See the class, percentage points."""
        one, other = _intermodulation(self.sample_rate, model, machine, latency_samples)
        second = abs(one.ccif_second_percent - other.ccif_second_percent)
        return max(second, abs(one.ccif_third_percent - other.ccif_third_percent))


class AliasingDifference(ProbingMetric):
    """By how many dB the model's aliases are higher over its harmonics, mean over sines of 1.25, 4.2 and 7.5 kHz.

    Negative: it has fewer. Noise counts as aliases: of a machine with hiss this is a difference of noise.
    """

    title = "aliases"
    least_rate_hz = 8000

    def measure(self, model: Play, machine: Play, latency_samples: int) -> float:
        """See the class, dB."""
        one, other = _both(self.sample_rate, model, machine, latency_samples)
        return aliasing_difference_db(measure_aliasing(one), measure_aliasing(other))


class ResponseDeviation(ProbingMetric):
    """RMS difference in dB of the gains over frequency, from 40 Hz to 16 kHz, for a sweep at -30 dB; gain taken out."""

    title = "response"
    least_rate_hz = 8000

    def measure(self, model: Play, machine: Play, latency_samples: int) -> float:
        """See the class, dB."""
        return response_deviation(*_responses(self.sample_rate, model, machine, latency_samples)).rms


class GroupDelayDeviation(ProbingMetric):
    """RMS difference in ms of the group delays, where `ResponseDeviation` hears both; a constant delay taken out."""

    title = "group_delay"
    least_rate_hz = 8000

    def measure(self, model: Play, machine: Play, latency_samples: int) -> float:
        """See the class, ms."""
        return delay_deviation(*_responses(self.sample_rate, model, machine, latency_samples)).rms


def _intermodulation(
    rate: int, model: Play, machine: Play, latency_samples: int
) -> tuple[Intermodulation, Intermodulation]:
    one, other = _both(rate, model, machine, latency_samples)
    return measure_intermodulation(one), measure_intermodulation(other)


def _responses(rate: int, model: Play, machine: Play, latency_samples: int) -> tuple[Response, Response]:
    one, other = _both(rate, model, machine, latency_samples)
    return measure_response(one), measure_response(other)
