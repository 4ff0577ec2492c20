"""What several recordings of one linear machine have in common, against the machine that is known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from tapezoo.data.common_filter import fit_common_filter
from tapezoo.data.least_squares import fir_energies, least_squares_fir

LEAD, TAPS = 20, 120
RNG = np.random.default_rng(0)
EARLY = np.concatenate(
    [0.1 * RNG.standard_normal(LEAD), 0.9 ** np.arange(60)]
)  # answers before its main peak


def take(seed: int, gain: float, cutoff_hz: float = 3000.0) -> tuple[np.ndarray, np.ndarray]:
    """Low-passed noise, and the machine's answer, which is aligned to the main peak."""
    rng = np.random.default_rng(seed)
    low = scipy.signal.butter(4, cutoff_hz, fs=8000.0, output="sos")
    x = scipy.signal.sosfilt(low, rng.standard_normal(12000)) + 0.01 * rng.standard_normal(12000)
    y = gain * np.convolve(x, EARLY)[LEAD : LEAD + len(x)] + 0.02 * rng.standard_normal(len(x))
    return x.astype(np.float32), y.astype(np.float32)


def esr(pairs, filter) -> float:
    error, energy = np.sum([fir_energies(filter, *pair, 200) for pair in pairs], axis=0)
    return error / energy


def test_what_lies_ahead_is_heard_only_by_a_filter_that_looks_ahead():
    takes = [take(seed, 1.0) for seed in range(3)]
    unheard = [take(9, 1.0)]
    ahead = fit_common_filter(takes, TAPS, LEAD)
    assert ahead.lead_samples == LEAD
    assert esr(unheard, ahead) < 0.3 * esr(unheard, least_squares_fir(takes, TAPS))


def test_without_a_lead_and_with_one_recording_it_is_least_squares():
    takes = [take(0, 1.0)]
    np.testing.assert_array_equal(fit_common_filter(takes, 40).taps, least_squares_fir(takes, 40).taps)


def test_one_odd_take_does_not_pull_the_filter_its_way():
    takes = [take(0, 1.0), take(1, 1.0), take(2, 0.85), take(3, 1.0)]
    alike = [take(9, 1.0)]
    assert esr(alike, fit_common_filter(takes, TAPS, LEAD)) < 0.7 * esr(
        alike, fit_common_filter(takes[2:], TAPS, LEAD)
    )
    gain = np.sum(fit_common_filter(takes, TAPS, LEAD).taps) / np.sum(EARLY)
    assert gain == pytest.approx(1.0, abs=0.02)


def test_a_response_below_what_the_programme_excites_stays_physical():
    """The taps ahead must not buy accuracy where there is energy with a wild response where there is none."""
    takes = [take(seed, 1.0, cutoff_hz=700.0) for seed in range(3)]
    filter = fit_common_filter(takes, TAPS, LEAD)
    _, response = scipy.signal.freqz(filter.taps, worN=512, fs=8000.0)
    _, true = scipy.signal.freqz(EARLY, worN=512, fs=8000.0)
    assert np.abs(response).max() < 1.5 * np.abs(true).max()
