"""Sweep smoothness: how much unwanted sound a moving control adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.measure.lfo import lfo_between
from tapezoo.measure.playing import play_moving
from tapezoo.measure.spectrum import power_spectrum
from tapezoo.net import Net
from tapezoo.render.automation import CONTROL_STEP_SAMPLES, Constant

Signal = NDArray[np.float64]  # (samples,)

SWEEP_RATES_HZ = (0.05, 0.5, 5.0)
TONE_HZ = 440.0
PARTIALS = (1, 3, 11)  # 440, 1320 and 4840 Hz
PARTIAL_LEVELS = (0.25, 0.12, 0.06)  # peaks; together 7 dB under full scale
GUARD_HZ = 40.0  # beside the window's main lobe: sidebands of a 5 Hz sweep up to the eighth
OCCUPIED_DB = -90.0
LEAST_S, CONSTANT_S, SETTLING_S = 4.0, 1.5, 0.25
SMOOTH_DB = -60.0  # limit to pass: inaudible beside the tones
FLOOR_MARGIN_DB = 3.0


@dataclass(frozen=True)
class Sweep:
    """One pair of settings and one rate, measured.

    Args:
        start: Positions, one per control.
        end: Positions.
        rate_hz: Of the sweep from one to the other and back, Hz.
        outside_db: Energy of the swept output outside the occupied band over its whole energy, dB.
        floor_db: The higher of the same ratio for the two constant settings, dB.
        watched: Share of the band from 0 to half the sample rate that lies outside, 0..1.
        finite: No NaN or infinity in any of the three outputs; if not, the levels are NaN.
    """

    start: tuple[float, ...]
    end: tuple[float, ...]
    rate_hz: float
    outside_db: float
    floor_db: float
    watched: float
    finite: bool

    @property
    def excess_db(self) -> float:
        """What the movement adds, dB over the floor."""
        return self.outside_db - self.floor_db

    @property
    def is_smooth(self) -> bool | None:
        """`outside_db` is under -60 dB, or within 3 dB of a floor that is not; None: nothing lies outside."""
        if self.finite and self.watched == 0:
            return None
        return self.finite and self.outside_db <= max(SMOOTH_DB, self.floor_db + FLOOR_MARGIN_DB)

    @property
    def severity(self) -> float:
        """For sorting: `outside_db`, above all others if not finite, below them if nothing lies outside."""
        if not self.finite:
            return float("inf")
        return self.outside_db if self.watched > 0 else float("-inf")


def make_tones(seconds: float, sample_rate: int) -> Signal:
    """Three sines, partials 1, 3 and 11 of about 440 Hz, as many as lie under 0.45 of the sample rate.

    The fundamental's period is a whole number of samples: whatever a machine at a constant setting makes of
    it, harmonics, sums, differences and their aliases, lies on multiples of it.
    """
    period = round(sample_rate / TONE_HZ)
    phase = 2 * np.pi * np.arange(round(seconds * sample_rate)) / period
    tones = np.zeros(len(phase))
    for partial, level in zip(PARTIALS, PARTIAL_LEVELS, strict=True):
        if partial < 0.45 * period:
            tones += level * np.sin(partial * phase)
    return tones


def measure_sweeps(
    net: Net,
    sample_rate: int,
    pairs: Sequence[tuple[Sequence[float], Sequence[float]]],
    rate_hz: float,
    step_samples: int = CONTROL_STEP_SAMPLES,
) -> list[Sweep]:
    """Measures the sweep smoothness of a net between pairs of settings: see `measure_out_of_band`.

    The input is `make_tones`, for one period of the sweep and at least 4 s; the constant settings are
    measured on 1.5 s. The first 0.25 s of each are left out: before them lies silence. A net whose controls
    glide over 1024 samples at 44.1 kHz goes through 97 % of the way at 5 Hz, over 99 % at 0.5 Hz and below.

    Args:
        net: The effect; its latency is taken out.
        sample_rate: Of the net, Hz.
        pairs: Positions at the two ends of each sweep; all are played as rows of one batch.
        rate_hz: Sweeps from one end to the other and back, per second; 5 Hz or less.
        step_samples: Distance between two updates of the net's controls.

    Returns:
        One per pair.
    """
    if not 0 < rate_hz <= SWEEP_RATES_HZ[-1]:
        raise ValueError(f"rate_hz is {rate_hz}; over 0, at most {SWEEP_RATES_HZ[-1]:g}")
    seconds = max(LEAST_S, 1 / rate_hz) + SETTLING_S
    paths = [lfo_between(start, end, rate_hz) for start, end in pairs]
    ends = [Constant(setting) for pair in pairs for setting in pair]
    tones = make_tones(seconds, sample_rate)
    begin = round(SETTLING_S * sample_rate)
    moving = play_moving(net, np.tile(tones, (len(paths), 1)), paths, sample_rate, step_samples)
    still_input = np.tile(tones[: round((CONSTANT_S + SETTLING_S) * sample_rate)], (len(ends), 1))
    still = play_moving(net, still_input, ends, sample_rate)
    result = []
    for row, (start, end) in enumerate(pairs):
        levels = measure_out_of_band(
            moving[row, begin:], still[2 * row, begin:], still[2 * row + 1, begin:], sample_rate
        )
        result.append(Sweep(tuple(start), tuple(end), rate_hz, *levels))
    return result


def measure_out_of_band(
    swept: Signal, start: Signal, end: Signal, sample_rate: int
) -> tuple[float, float, float, bool]:
    """Energy where neither constant setting has any: clicks, steps of a control, modulation by its updates.

    P is the mean power spectrum of an output in windows of 0.1 s (Kaiser, beta 14, half overlapping; bins of
    10 Hz). A bin is occupied if P of either constant setting reaches -90 dB of the sum of that setting's P
    there, or in a bin up to 40 Hz away: so wide that the sidebands of a smooth sweep of 5 Hz or less count
    as its own. With O the other bins,

        outside_db = 10 log10(sum over O of P_swept / sum of P_swept)
        floor_db = the higher of 10 log10(sum over O of P / sum of P) of the two constant settings

    A smooth sweep stays near the floor; steps of a gain every T samples have images of 1/T and rise by about
    6 dB per doubling of T.

    Args:
        swept: Output while the controls move, (samples,).
        start: Output at one end of the sweep.
        end: Output at the other end.
        sample_rate: Hz.

    Returns:
        outside_db, floor_db, the share of all bins that lie in O, and whether all outputs are finite. The
        levels are NaN if not, or if nothing lies in O; a silent output is -inf dB.
    """
    signals = (swept, start, end)
    if not all(np.isfinite(signal).all() for signal in signals):
        return float("nan"), float("nan"), 0.0, False
    spectra = [power_spectrum(signal, sample_rate) for signal in signals]
    bin_hz = sample_rate / (2 * (len(spectra[0]) - 1))
    taken = np.zeros(len(spectra[0]), dtype=bool)
    for spectrum in spectra[1:]:
        taken |= spectrum > 10 ** (OCCUPIED_DB / 10) * spectrum.sum()
    reach = int(np.ceil(GUARD_HZ / bin_hz))
    free = np.convolve(taken, np.ones(2 * reach + 1), mode="same") < 0.5
    if not free.any():
        return float("nan"), float("nan"), 0.0, True
    shares = [_share_db(spectrum, free) for spectrum in spectra]
    return shares[0], max(shares[1:]), float(free.mean()), True


def _share_db(spectrum: NDArray[np.float64], where: NDArray[np.bool_]) -> float:
    part, whole = float(spectrum[where].sum()), float(spectrum.sum())
    return 10 * float(np.log10(part / whole)) if part > 0 else float("-inf")
