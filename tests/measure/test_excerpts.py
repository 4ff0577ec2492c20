"""Excerpts are long enough to be heard, typical and worst, and scored on what no training used."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tapezoo.data.module import Passage
from tapezoo.measure.excerpts import choose_excerpts
from tapezoo.models.fir import FIRNet

RATE = 1000


def delay_net(samples: int) -> FIRNet:
    net = FIRNet(0, taps=8)
    with torch.no_grad():
        net.taps.copy_(torch.eye(8)[7 - samples])
    return net


def passage(target_of: np.ndarray, start: int, stop: int, seconds: int = 40) -> Passage:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, seconds * RATE).astype(np.float32)
    return Passage(
        "take", noise, (noise * target_of).astype(np.float32), start, stop, np.zeros(0, np.float32), ()
    )


def test_the_worst_and_a_typical_passage_of_a_long_region_are_found() -> None:
    gain = np.linspace(1.1, 1.2, 40 * RATE)  # the further on, the more a gain of 1 misses
    gain[20 * RATE : 24 * RATE] = 3.0
    whole = passage(gain, 8 * RATE, 32 * RATE)
    typical, worst = choose_excerpts(delay_net(0), whole, RATE, excerpt_s=4.0)
    assert (typical.kind, worst.kind) == ("typical", "worst")
    assert worst.start_s <= 22 <= worst.start_s + 4
    assert worst.esr > 0.3
    assert 0.005 < typical.esr < 0.05
    for one in (typical, worst):
        assert len(one.input) == len(one.target) == len(one.output) == 4 * RATE
        start = round(one.start_s * RATE)
        np.testing.assert_array_equal(one.input, whole.input[start : start + 4 * RATE])
        np.testing.assert_array_equal(one.target, whole.target[start : start + 4 * RATE])
        error, energy = (float(np.sum(np.square(part))) for part in (one.output - one.target, one.target))
        assert one.esr == pytest.approx(error / energy)


def test_a_typical_and_the_worst_passage_share_nothing() -> None:
    gain = np.linspace(1.1, 1.2, 40 * RATE)
    gain[11_000:13_000] = 3.0  # in the middle of two excerpts
    chosen = choose_excerpts(delay_net(0), passage(gain, 8 * RATE, 16 * RATE), RATE, excerpt_s=4.0)
    typical, worst = sorted(chosen, key=lambda one: one.start_s)
    assert (typical.start_s, worst.start_s) == (8.0, 12.0)
    (only,) = choose_excerpts(delay_net(0), passage(gain, 8 * RATE, 15 * RATE), RATE, excerpt_s=4.0)
    assert (only.kind, only.start_s) == ("typical", 9.5)


def test_a_short_region_is_heard_with_what_is_around_it_and_scored_alone() -> None:
    gain = np.full(40 * RATE, 5.0)
    gain[10_000:10_200] = 2.0
    (only,) = choose_excerpts(delay_net(0), passage(gain, 10_000, 10_200), RATE, excerpt_s=4.0)
    assert len(only.input) == 4 * RATE
    assert only.validation_s == (10.0, 10.2)
    assert only.start_s == pytest.approx(8.1)
    assert only.esr == pytest.approx(0.25)  # (2 - 1)^2 / 2^2: the rest would give .64


@pytest.mark.parametrize(("start", "stop", "begin_s"), [(0, 300, 0.0), (39_700, 40_000, 36.0)])
def test_at_an_end_of_the_recording_the_excerpt_stays_within(start: int, stop: int, begin_s: float) -> None:
    (only,) = choose_excerpts(delay_net(0), passage(np.ones(40 * RATE), start, stop), RATE, excerpt_s=4.0)
    assert only.start_s == begin_s
    assert len(only.output) == 4 * RATE


def test_a_recording_that_is_shorter_than_an_excerpt_is_heard_whole() -> None:
    (only,) = choose_excerpts(
        delay_net(0), passage(np.ones(2000), 1500, 1900, seconds=2), RATE, excerpt_s=4.0
    )
    assert (only.start_s, len(only.input)) == (0.0, 2000)


def test_the_net_hears_what_was_before_the_excerpt() -> None:
    whole = passage(np.ones(40 * RATE), 10_000, 12_000)
    (only,) = choose_excerpts(delay_net(3), whole, RATE, excerpt_s=2.0)
    np.testing.assert_allclose(only.output, whole.input[10_000 - 3 : 12_000 - 3], atol=1e-6)


def test_silence_is_no_excerpt() -> None:
    gain = np.ones(40 * RATE)
    gain[8 * RATE : 28 * RATE] = 0.0  # an error over nothing
    for one in choose_excerpts(delay_net(0), passage(gain, 8 * RATE, 32 * RATE), RATE, excerpt_s=4.0):
        assert float(np.abs(one.target).max()) > 0.4
    (silent, *_) = choose_excerpts(
        delay_net(0), passage(np.zeros(40 * RATE), 8 * RATE, 9 * RATE), RATE, excerpt_s=4.0
    )
    assert np.isnan(silent.esr)
