"""Least-squares filters against dense solvers: the equations, their offset, and the ridge that noise asks for."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.signal

from tapezoo.data import least_squares, normal_equations
from tapezoo.data.least_squares import LinearFilter, fir_esr, least_squares_fir, linear_floor
from tapezoo.data.normal_equations import NormalEquations

Pairs = list[tuple[np.ndarray, np.ndarray]]


def machine(*lengths: int, dc: float = 0.3) -> Pairs:
    """Coloured noise with DC through a filter, a curve and hiss, with DC."""
    rng, pairs = np.random.default_rng(0), []
    for samples in lengths:
        x = scipy.signal.lfilter([1.0], [1.0, -0.9], rng.standard_normal(samples)) + 0.5
        pairs.append((x, np.tanh(x) + dc + 0.1 * rng.standard_normal(samples)))
    return pairs


def columns(x: np.ndarray, taps: int) -> np.ndarray:
    """(samples, taps + 1): x[n - k], silence before, and a constant."""
    delayed = scipy.linalg.toeplitz(x, np.zeros(taps))
    return np.concatenate([delayed, np.ones((len(x), 1))], axis=1)


def dense(pairs: Pairs, taps: int, ridge: float | np.ndarray) -> np.ndarray:
    """The taps and the offset by the whole matrix, the ridge as further equations."""
    system = np.concatenate([columns(x, taps) for x, _ in pairs])
    wanted = np.concatenate([d for _, d in pairs])
    smooth = np.sqrt(np.broadcast_to(ridge, taps))[:, None] * np.eye(taps, taps + 1)
    both = np.concatenate([system, smooth]), np.concatenate([wanted, np.zeros(taps)])
    return np.linalg.lstsq(*both, rcond=None)[0]


def gathered(pairs: Pairs, taps: int) -> NormalEquations:
    equations = NormalEquations(taps)
    for x, d in pairs:
        equations.add(least_squares.filter_blocks(x, d, taps))
    return equations


@pytest.mark.parametrize("taps", [1, 2, 20, 101])
@pytest.mark.parametrize(("block", "dense_taps"), [(1 << 20, 0), (170, 0), (170, 512)])
def test_the_equations_are_those_of_the_whole_matrix(
    taps: int, block: int, dense_taps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(least_squares, "BLOCK_SAMPLES", block)
    monkeypatch.setattr(normal_equations, "MOST_DENSE_TAPS", dense_taps)
    pairs = machine(1500, 400, 60)  # the last one is shorter than the filter
    for ridge in (1.0, 30.0, np.geomspace(1.0, 1e5, taps)):
        expected = dense(pairs, taps, ridge)
        found, offset = gathered(pairs, taps).solve(ridge)
        np.testing.assert_allclose([*found, offset], expected, atol=1e-7)
        error = sum(np.square(columns(x, taps) @ expected - d).sum() for x, d in pairs)
        assert gathered(pairs, taps).error_energy(found) == pytest.approx(error, rel=1e-7)
        joined = gathered(pairs[:1], taps)
        joined.solve(ridge)  # what it knows so far is not all
        joined.join([gathered(pairs[1:2], taps), gathered(pairs[2:], taps)])
        np.testing.assert_allclose([*joined.solve(ridge)[0], joined.solve(ridge)[1]], expected, atol=1e-7)
        assert joined.error_energy(found) == pytest.approx(error, rel=1e-7)


def test_the_ridge_is_the_noise_over_the_power_of_the_taps() -> None:
    pairs, taps = machine(1500, 400), 64  # one part
    found = least_squares_fir(pairs, taps)
    error = fir_esr(found, pairs, 0) * sum(np.square(d).sum() for _, d in pairs)
    ridge = taps * error / 1900 / np.square(found.taps).sum()
    np.testing.assert_allclose([*found.taps, found.offset], dense(pairs, taps, ridge), atol=2e-4)


def test_dc_is_met_by_the_offset_and_no_longer_makes_the_target_look_well_explained() -> None:
    pair = machine(4000, dc=3.0)
    filter = least_squares_fir(pair, 9)
    assert filter.offset > 2.0
    without = LinearFilter(filter.taps, 0.0)
    assert fir_esr(filter, pair, 100) < 0.02 < fir_esr(without, pair, 100)


def test_a_linear_machine_has_a_floor_of_nothing_and_noise_is_the_floor_of_a_noisy_one() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 40000)).astype(np.float32)
    filtered = scipy.signal.lfilter(rng.standard_normal(30), [1.0], x, axis=-1)
    noisy = filtered + 0.1 * filtered.std() * rng.standard_normal(x.shape)
    clean = linear_floor([(x[0], filtered[0])], [(x[1], filtered[1])], skip_samples=100)
    assert clean < 1e-9
    floor = linear_floor([(x[0], noisy[0])], [(x[1], noisy[1])], skip_samples=100)
    assert floor == pytest.approx(0.01 / 1.01, rel=0.05)


def test_thousands_of_taps_do_not_fit_the_noise_of_a_second() -> None:
    rng = np.random.default_rng(2)
    smooth = scipy.signal.butter(4, 0.2, output="sos")  # what it does above, nobody can know
    x = scipy.signal.sosfilt(smooth, rng.standard_normal((2, 30_000)))
    response = np.exp(-np.arange(2048) / 200) * rng.standard_normal(2048)
    d = np.stack([scipy.signal.fftconvolve(row, response)[: len(row)] for row in x])
    d += 0.1 * d.std() * rng.standard_normal(d.shape)
    pair, other = [(x[0], d[0])], [(x[1], d[1])]
    equations = gathered(pair, 2048)
    greedy = LinearFilter(*equations.solve(1e-9 * equations.power))
    filter = least_squares_fir(pair, 2048)
    # of noise that is .0099 of the target: .0090 and .0108 without a ridge, .0092 and .0106 with it
    assert fir_esr(greedy, pair, 2048) < fir_esr(filter, pair, 2048)
    assert fir_esr(filter, other, 2048) < 0.985 * fir_esr(greedy, other, 2048)


def test_late_taps_that_hold_noise_alone_are_held_back() -> None:
    rng = np.random.default_rng(3)
    x, noise = rng.standard_normal((2, 2, 20_000))
    d = scipy.signal.lfilter(0.9 ** np.arange(40), [1.0], x, axis=-1) + noise
    filter = least_squares_fir([(x[0], d[0])], 1024)
    equations = gathered([(x[0], d[0])], 1024)
    alike = LinearFilter(*equations.solve(0.05 * equations.power))
    assert filter.taps[200:].std() < 0.6 * alike.taps[200:].std()
    assert fir_esr(filter, [(x[1], d[1])], 1024) < 0.98 * fir_esr(alike, [(x[1], d[1])], 1024)


def test_silence_has_a_filter_of_nothing() -> None:
    silence = np.zeros(500)
    filter = least_squares_fir([(silence, silence + 0.25)], 5)
    assert not filter.taps.any()
    assert filter.offset == 0.25
    assert not least_squares_fir([], 5).taps.any()
