"""The correction never passes the onset of a device's response, and a causal filter loses nothing by it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import signal

from tapezoo.data.align.constant import find_delay
from tapezoo.data.least_squares import fir_esr, least_squares_fir
from tapezoo.devices.program import program_material
from tests.data.signals import amplifier, delayed, noise_bursts, plucked_notes

Samples = np.ndarray
Machine = Callable[[Samples, int], Samples]


def low_pass(order: int, cutoff_hz: float) -> Machine:
    return lambda dry, rate: signal.sosfilt(signal.butter(order, cutoff_hz, fs=rate, output="sos"), dry)


def bessel(dry: Samples, rate: int) -> Samples:
    return signal.sosfilt(signal.bessel(4, 4000, fs=rate, output="sos"), dry)


def elliptic(dry: Samples, rate: int) -> Samples:
    return signal.sosfilt(signal.ellip(6, 0.5, 60, 8000, fs=rate, output="sos"), dry)


def all_pass(dry: Samples, rate: int) -> Samples:
    _, a = signal.butter(2, 3000, fs=rate)
    return signal.lfilter(a[::-1], a, dry)


def high_pass(dry: Samples, rate: int) -> Samples:
    return signal.sosfilt(signal.butter(2, 300, "high", fs=rate, output="sos"), dry)


def noisy(dry: Samples, rate: int) -> Samples:
    wet = low_pass(4, 5000)(dry, rate)
    return wet + 1e-3 * np.std(wet) * np.random.default_rng(0).standard_normal(len(wet))


def saturated_after(dry: Samples, rate: int) -> Samples:
    return np.tanh(6 * low_pass(4, 5000)(dry, rate))


def saturated_before(dry: Samples, rate: int) -> Samples:
    return low_pass(6, 10_000)(np.tanh(6 * dry), rate)


MACHINES: dict[str, Machine] = {
    "second order at 12 kHz": low_pass(2, 12_000),
    "fourth order at 5 kHz": low_pass(4, 5000),
    "sixth order at 10 kHz": low_pass(6, 10_000),
    "bessel": bessel,
    "elliptic": elliptic,
    "all-pass": all_pass,
    "high-pass": high_pass,
    "noise at -60 dB": noisy,
    "saturation after": saturated_after,
    "saturation before": saturated_before,
}


def programme(kind: str, rate: int) -> Samples:
    if kind == "bursts":
        return noise_bursts(2.5 * rate / 44100)
    if kind == "plucked":
        return plucked_notes(2.5 * rate / 44100)
    (excerpt,) = (excerpt for excerpt in program_material(8.0, rate, 0) if excerpt.kind == kind)
    return excerpt.audio[: min(2 * rate, 150_000)].astype(float)


@pytest.mark.parametrize(
    ("machine", "kind", "rate"),
    [
        *((machine, "bursts", 44100) for machine in MACHINES),
        *((machine, "plucked", 44100) for machine in list(MACHINES)[1::4]),
        *((machine, "music", 48000) for machine in list(MACHINES)[2::4]),
        *((machine, "speech", 96000) for machine in list(MACHINES)[1::7]),
        *((machine, "percussion", 192000) for machine in list(MACHINES)[2::6]),
    ],
)
def test_no_part_of_a_response_is_cut_off(machine: str, kind: str, rate: int) -> None:
    dry = programme(kind, rate)
    delay = 200
    wet = delayed(MACHINES[machine](dry, rate), delay)
    dry, wet = dry.astype(np.float32), wet.astype(np.float32)
    found = find_delay(dry, wet, 1000)
    assert found.found
    assert found.fraction_samples == 0
    early = delay - found.correction_samples
    assert 0 <= early <= rate / 5000  # two tenths of a millisecond: some models have little memory

    def floor(cut: int) -> float:
        pair = [(dry[: len(dry) - cut], wet[cut:])]
        return fir_esr(least_squares_fir(pair, 256 + delay - cut), pair, 1000)

    if rate < 90_000:  # such a filter is too short there
        assert floor(found.correction_samples) <= 1.03 * floor(delay) + 1e-9


@pytest.mark.parametrize("delay", [100.25, 100.5, -20.4])
def test_dry_that_was_resampled_by_a_fraction_has_its_fraction_named(delay: float) -> None:
    dry = noise_bursts(3.0)
    found = find_delay(dry, amplifier(delayed(dry, delay)), 1000)
    assert found.correction_samples == np.floor(delay)
    assert found.correction_samples + found.fraction_samples == pytest.approx(delay, abs=0.01)
    at_once = delayed(dry, found.correction_samples + found.fraction_samples)
    pair = [(at_once.astype(np.float32), amplifier(delayed(dry, delay)).astype(np.float32))]
    whole = [(delayed(dry, np.floor(delay)).astype(np.float32), pair[0][1])]
    assert fir_esr(least_squares_fir(pair, 64), pair, 1000) < 0.8 * fir_esr(
        least_squares_fir(whole, 64), whole, 1000
    )


def test_a_filter_whose_delay_is_no_whole_number_is_the_models_own() -> None:
    dry = noise_bursts(3.0)
    wet = delayed(low_pass(1, 3000)(dry, 44100), 50)
    found = find_delay(dry, wet, 1000)
    assert (found.correction_samples, found.fraction_samples) == (50, 0.0)


def test_what_lies_at_no_delay_is_left_there() -> None:
    # distortion hides where the response begins; a plug-in has no delay, and cutting some would be odd
    dry = programme("music", 44100)
    assert find_delay(dry, 0.3 * np.tanh(8 * dry + 0.2), 1000).correction_samples == 0
