"""The optical compressor: static curve, times, memory, rates, order of the knobs and refusals."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import signal as scipy_signal
from scipy.linalg import expm

from tapezoo.controls import ControlError
from tapezoo.devices import DeviceError, program_material
from tapezoo.devices.compressor import KNEE_DB, OVERSAMPLING, Compressor, wanted_reduction
from tapezoo.devices.opto import AFTERGLOW_S, RESTED, TRAP_SHARES, TRAP_TIMES_S, follow

RATE = 44_100
FINE = 4 * RATE


def noise(samples=RATE, level=0.3, seed=0):
    return (level * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def played(dry, settings=None, rate=RATE, seed=0):
    return Compressor().render(dry, rate, settings or {}, seed)


def gain_db(wet, dry):
    return 20 * np.log10(wet.astype(np.float64) / dry)


def level_out_db(level_db, threshold_db, ratio):
    """Giannoulis, Massberg and Reiss 2012: the static curve with a soft knee."""
    over = level_db - threshold_db
    if 2 * over < -KNEE_DB:
        return level_db
    if 2 * abs(over) <= KNEE_DB:
        return level_db + (1 / ratio - 1) * (over + KNEE_DB / 2) ** 2 / (2 * KNEE_DB)
    return threshold_db + over / ratio


def darkness(time_s, lit_s, release_s):
    """Reduction over its value at time 0 of a cell lit for `lit_s`: the linear equations by a matrix exponential."""
    quick, slow = TRAP_TIMES_S
    matrix = np.array(
        [
            [-1 / release_s, 0, TRAP_SHARES[0] / release_s, TRAP_SHARES[1] / release_s],
            [0, -1 / AFTERGLOW_S, 0, 0],
            [0, 1 / quick, -1 / quick, 0],
            [0, 1 / slow, 0, -1 / slow],
        ]
    )
    start = np.array([1, 1, 1 - math.exp(-lit_s / quick), 1 - math.exp(-lit_s / slow)])
    return np.array([(expm(matrix * time) @ start)[0] for time in time_s])


def after_light(lit_s, release_s, dark_s, rate=FINE):
    """Reduction, over 10 dB, from the moment on when 10 dB are no longer asked for."""
    lit = round(lit_s * rate)
    wanted = np.zeros(lit + round(dark_s * rate))
    wanted[:lit] = 10.0
    return follow(wanted, RESTED, 0.0005, release_s, rate)[0][lit - 1 :] / 10.0


@pytest.mark.parametrize(("threshold", "ratio"), [(-10.0, 4.0), (-30.0, 2.0), (-20.0, 20.0)])
def test_steady_level_follows_the_static_curve(threshold, ratio):
    settings = {"threshold": threshold, "ratio": ratio, "release": 10.0}
    for level_db in threshold + np.array([-9.0, -2.9, -1.0, 0.0, 2.0, 3.1, 9.0]):
        # faded in: the resampler rings on a step, and the cell would remember it
        rise = np.minimum(np.arange(1, RATE // 10) / 500, 1.0)
        dry = (10 ** (level_db / 20) * np.sin(0.5 * np.pi * rise) ** 2).astype(np.float32)
        found = level_db + gain_db(played(dry, settings), dry)[RATE // 20]
        assert found == pytest.approx(level_out_db(level_db, threshold, ratio), abs=1e-4)


def test_far_above_threshold_the_level_is_threshold_plus_excess_over_ratio():
    assert level_out_db(0.0, -10.0, 4.0) == -7.5  # the reference itself, by hand
    wanted = wanted_reduction(10.0 ** (np.array([0.0, -2.0, -6.0]) / 20), -10.0, 4.0)
    np.testing.assert_allclose(wanted, [7.5, 6.0, 3.0], atol=1e-12)


def test_slow_sine_is_reduced_like_its_peak_and_a_quiet_one_passes_untouched():
    time = np.arange(2 * RATE) / RATE
    quiet = (10 ** (-13.1 / 20) * np.sin(2 * np.pi * 100 * time)).astype(np.float32)
    np.testing.assert_array_equal(played(quiet), quiet)
    hot = np.sin(2 * np.pi * 100 * time).astype(np.float32)
    peak_db = 20 * np.log10(np.abs(played(hot)[-RATE // 2 :]).max())
    # the detector is a little below the peak while it charges: 0.2 dB at these times
    assert peak_db == pytest.approx(level_out_db(0.0, -10.0, 4.0), abs=0.3)
    assert peak_db > level_out_db(0.0, -10.0, 4.0)


@pytest.mark.parametrize("attack_ms", [0.1, 0.5, 5.0, 100.0])
def test_attack_reaches_all_but_one_eth_after_its_time(attack_ms):
    samples = round(3 * attack_ms * 1e-3 * FINE)
    reduction = follow(np.full(samples, 8.0), RESTED, attack_ms * 1e-3, 0.05, FINE)[0]
    time_s = np.arange(1, samples + 1) / FINE
    np.testing.assert_allclose(reduction, 8.0 * (1 - np.exp(-time_s / (attack_ms * 1e-3))), atol=1e-10)
    reached_s = np.interp(8.0 * (1 - math.exp(-1)), reduction, time_s)
    assert reached_s == pytest.approx(attack_ms * 1e-3, rel=0.01)


@pytest.mark.parametrize("attack_ms", [0.5, 2.0])
def test_attack_of_the_whole_machine_is_the_exponential_of_its_knob(attack_ms):
    start = 1000
    dry = np.full(4000, 1e-3, dtype=np.float32)
    dry[start:] = 1.0
    reduction = -gain_db(played(dry, {"attack": attack_ms})[start:], dry[start:])
    after = np.arange(40, 600)  # beyond the resampler's ringing on the step
    expected = 7.5 * (1 - np.exp(-after / RATE / (attack_ms * 1e-3)))
    np.testing.assert_allclose(reduction[after], expected, atol=0.06)
    reached_s = np.interp(7.5 * (1 - math.exp(-1)), reduction[:600], np.arange(600) / RATE)
    assert reached_s == pytest.approx(attack_ms * 1e-3, rel=0.06)


@pytest.mark.parametrize("release_ms", [10.0, 50.0, 1000.0])
def test_short_burst_is_released_with_the_time_of_the_knob(release_ms):
    release_s = release_ms * 1e-3
    fall = after_light(0.005, release_s, 2 * release_s)
    fallen_s = np.argmax(fall < math.exp(-1) * fall[0]) / FINE
    assert fallen_s == pytest.approx(release_s, rel=0.08)  # 5 ms of light leave a little in the traps


@pytest.mark.parametrize("release_ms", [20.0, 50.0, 1500.0])
@pytest.mark.parametrize("lit_s", [0.05, 0.5, 5.0])
def test_release_is_the_closed_form_of_cell_and_traps(lit_s, release_ms):
    fall = after_light(lit_s, release_ms * 1e-3, 3.0)
    time_s = np.array([0.005, 0.02, 0.05, 0.1, 0.3, 1.0, 2.9])
    np.testing.assert_allclose(
        fall[np.round(time_s * FINE).astype(int)], darkness(time_s, lit_s, release_ms * 1e-3), atol=2e-4
    )


def test_longer_light_has_the_slower_tail_and_half_of_it_is_quick():
    tails_s = [np.argmax(after_light(lit_s, 0.05, 8.0) < 0.1) / FINE for lit_s in (0.01, 0.1, 1.0, 10.0)]
    assert tails_s[0] == pytest.approx(0.05 * math.log(10), rel=0.15)
    assert np.all(np.diff(tails_s) > 0.02)
    assert tails_s[3] > 10 * tails_s[0]
    # after 0.2 s the quick half of a long one is gone, its tail has hardly begun to fall
    assert 0.25 < after_light(20.0, 0.05, 0.3)[int(0.2 * FINE)] < 0.5


def test_no_tail_is_slower_than_the_slow_trap():
    fall = after_light(30.0, 0.05, 9.0)
    late = fall[np.array([6, 7, 8]) * FINE]
    times_s = 1.0 / np.log(late[:-1] / late[1:])
    np.testing.assert_allclose(times_s, max(TRAP_TIMES_S), rtol=1e-3)


def test_a_primed_cell_recovers_later_but_a_steady_level_ends_where_it_would():
    loud_then_softer = np.concatenate([np.full(2 * FINE, 7.5), np.full(20 * FINE, 3.0)])
    reduction = follow(loud_then_softer, RESTED, 0.0005, 0.05, FINE)[0]
    assert reduction[int(2.3 * FINE)] > 3.2
    assert reduction[-1] == pytest.approx(3.0, abs=1e-3)


def slow_machine(dry, threshold_db, ratio, attack_s, release_s, rate):
    """The equations of the docstrings in plain Python, Euler steps four times as fine, resampled by FFT."""
    factor, finer = 4, 4
    high = scipy_signal.resample(dry.astype(np.float64), factor * dry.size)
    dt = 1.0 / (factor * finer * rate)
    r = e = 0.0
    traps = [0.0, 0.0]
    wet = []
    for x in high:
        level_db = 20 * math.log10(max(abs(x), 1e-9))
        c = level_db - level_out_db(level_db, threshold_db, ratio)
        for _ in range(finer):
            e = max(c, e - dt * e / AFTERGLOW_S)
            traps = [m + dt * (e - m) / tau for m, tau in zip(traps, TRAP_TIMES_S, strict=True)]
            target = c + sum(share * max(m - c, 0.0) for share, m in zip(TRAP_SHARES, traps, strict=True))
            r += dt * (target - r) / (attack_s if target > r else release_s)
        wet.append(x * 10 ** (-r / 20))
    return scipy_signal.resample(np.array(wet), dry.size)


def test_short_signal_equals_a_plain_loop_over_the_equations():
    time = np.arange(6000) / RATE
    envelope = np.hanning(6000) * (0.3 + 0.7 * (np.sin(2 * np.pi * 25 * time) > 0))
    envelope = np.convolve(envelope, np.hanning(200) / np.hanning(200).sum(), mode="same")
    dry = (envelope * np.sin(2 * np.pi * 700 * time)).astype(np.float32)
    wet = played(dry, {"threshold": -18.0, "ratio": 6.0, "attack": 1.0, "release": 20.0})
    expected = slow_machine(dry, -18.0, 6.0, 1e-3, 20e-3, RATE)
    assert np.sum((wet - dry) ** 2) > 0.05 * np.sum(dry**2)
    assert np.sum((wet - expected) ** 2) < 1e-6 * np.sum(expected**2)


def test_sound_does_not_depend_on_the_sample_rate():
    low = np.zeros(RATE)
    for number, excerpt in enumerate(program_material(12.0, RATE, 3)[:3]):
        part = excerpt.audio[: RATE // 3].astype(np.float64)
        low[number * (RATE // 3) :][: part.size] = part
    low = scipy_signal.oaconvolve(low, scipy_signal.firwin(255, 8000, fs=RATE), mode="same")
    low *= 0.9 / np.abs(low).max()
    high = scipy_signal.resample_poly(low, 320, 147)
    at_low = played(low.astype(np.float32)).astype(np.float64)
    at_high = scipy_signal.resample_poly(played(high.astype(np.float32), rate=96_000), 147, 320)
    back = scipy_signal.resample_poly(high, 147, 320)  # what the two resamplers themselves do to the signal
    error = (at_high - at_low) - (back - low)
    assert np.sum((at_low - low) ** 2) > 0.02 * np.sum(low**2)
    assert np.sum(error**2) < 1e-5 * np.sum(at_low**2)


def test_reduction_grows_with_lower_threshold_and_higher_ratio_at_every_instant():
    dry = program_material(6.0, RATE, 0)[0].audio.astype(np.float64)

    def reduction(threshold, ratio):
        return follow(wanted_reduction(dry, threshold, ratio), RESTED, 0.0005, 0.05, RATE)[0]

    by_threshold = [reduction(threshold, 4.0) for threshold in (0.0, -10.0, -20.0, -40.0)]
    by_ratio = [reduction(-20.0, ratio) for ratio in (1.0, 1.5, 4.0, 20.0)]
    for ladder in (by_threshold, by_ratio):
        for less, more in pairwise(ladder):
            assert np.all(more >= less - 1e-12)
            assert more.mean() > less.mean() + 0.05


def test_ratio_one_is_the_identity_and_silence_stays_silent():
    dry = noise()
    np.testing.assert_array_equal(played(dry, {"ratio": 1.0, "threshold": -40.0}), dry)
    silence = np.zeros(RATE, dtype=np.float32)
    np.testing.assert_array_equal(played(silence), silence)
    # also behind a passage, where cell and traps are still lit
    behind = played(np.concatenate([dry, silence]))[RATE + 100 :]
    assert np.abs(behind).max() < 1e-14  # round-off of the resampler's transforms


@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000])
def test_wet_is_aligned_with_dry_to_the_sample_and_never_louder(rate):
    dry = noise(rate // 2)
    wet = played(dry, {"threshold": -30.0}, rate)
    lags = scipy_signal.correlation_lags(wet.size, dry.size)
    assert lags[np.argmax(scipy_signal.correlate(wet, dry))] == 0
    assert (wet.shape, wet.dtype) == (dry.shape, np.float32)
    assert np.sum(wet**2) < 0.5 * np.sum(dry**2)


def test_machine_is_causal_but_for_the_resamplers_ripple():
    quiet, hit = noise(4000, 0.1), noise(4000, 0.1)
    hit[2000:] += np.hanning(2000).astype(np.float32)
    difference = played(hit) - played(quiet)
    assert np.abs(difference[:1960]).max() < 1e-6
    assert np.abs(difference[:2000]).max() < 1e-4
    assert np.abs(difference[2000:]).max() > 0.1


@pytest.mark.parametrize("tone_hz", [1009, 5003, 7001, 10_007, 15_013])
def test_aliases_of_a_hot_tone_stay_below_80_db(tone_hz):
    time = np.arange(2 * RATE) / RATE
    wet = played((0.7 * np.sin(2 * np.pi * tone_hz * time)).astype(np.float32))[-RATE:]
    spectrum = np.abs(np.fft.rfft(wet * np.blackman(RATE)))
    alias = np.arange(spectrum.size) > 20
    alias[20_000:] = False
    for harmonic_hz in range(tone_hz, RATE // 2, tone_hz):
        alias[harmonic_hz - 5 : harmonic_hz + 6] = False
    assert 20 * np.log10(spectrum[alias].max() / spectrum[tone_hz]) < -80


def test_one_block_or_many_give_the_same_reduction():
    wanted = wanted_reduction(noise(5000).astype(np.float64), -20.0, 4.0)
    whole, end = follow(wanted, RESTED, 0.0005, 0.05, FINE)
    cell, parts = RESTED, []
    for part in np.split(wanted, [1, 700, 701, 4000]):
        reduction, cell = follow(part, cell, 0.0005, 0.05, FINE)
        parts.append(reduction)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert cell == end


def test_every_control_is_heard_over_its_whole_range_and_stays_finite():
    dry = program_material(6.0, RATE, 0)[0].audio
    usual = played(dry)
    for control in Compressor.controls:
        for value in (control.min, control.max):
            wet = played(dry, {control.name: value})
            assert np.isfinite(wet).all()
            assert np.sum((wet - usual) ** 2) > 1e-4 * np.sum(usual**2)


@pytest.mark.parametrize("samples", [0, 1, 5])
def test_very_short_signals_pass(samples):
    assert played(noise(samples)).shape == (samples,)


def test_nothing_is_random_and_the_signal_given_is_left_alone():
    dry = noise()
    before = dry.copy()
    np.testing.assert_array_equal(played(dry, seed=0), played(dry, seed=1))
    np.testing.assert_array_equal(dry, before)


def test_defaults_are_those_of_the_paper():
    assert {control.name: control.default for control in Compressor.controls} == {
        "threshold": -10.0,
        "ratio": 4.0,
        "attack": 0.5,
        "release": 50.0,
    }
    assert OVERSAMPLING == 4


def test_faults_are_named():
    with pytest.raises(ControlError, match="no such control"):
        played(noise(10), {"makeup": 3.0})
    for name, value in (("threshold", 1.0), ("ratio", 0.5), ("attack", 0.0), ("release", 1.0)):
        with pytest.raises(ControlError, match=name):
            played(noise(10), {name: value})
    with pytest.raises(DeviceError, match=r"'compressor'.*one channel"):
        played(noise(10)[None])
    with pytest.raises(DeviceError, match="NaN"):
        played(np.full(10, np.nan, dtype=np.float32))
    with pytest.raises(DeviceError, match="8000"):
        played(noise(10), rate=400)


@pytest.mark.slow
def test_default_linear_floor_and_reduction_are_the_documented_ones():
    from tapezoo.data.least_squares import fir_esr, least_squares_fir

    excerpts = program_material(60.0, RATE, 0)
    pairs = [(excerpt.audio, played(excerpt.audio)) for excerpt in excerpts]
    assert fir_esr(least_squares_fir(pairs), pairs, 0) == pytest.approx(0.083, abs=0.002)
    assert fir_esr(least_squares_fir(pairs[:1]), pairs[:1], 0) == pytest.approx(0.029, abs=0.001)
