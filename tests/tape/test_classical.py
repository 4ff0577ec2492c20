"""The classical wow and flutter: its five numbers are those of a machine that is made of them."""

import numpy as np
import pytest
from scipy.signal import lfilter

from tapezoo.tape.classical import learn_classical
from tapezoo.tape.stretches import Stretch, delay_of

WOW, FLUTTER = (2.2, 3e-4), (9.4, (4e-4, 1e-4, 8e-5))
FRICTION, REMEMBERED_S = 3e-4, 0.5


def recording(seed, seconds=60):
    random = np.random.default_rng(seed)
    time_s = np.arange(seconds * 100) / 100
    kept = np.exp(-0.01 / REMEMBERED_S)
    noise = FRICTION * np.sqrt(1 - kept**2) * random.standard_normal(len(time_s) + 1000)
    speed = lfilter([1], [1, -kept], noise)[1000:]
    speed += WOW[1] * np.sin(2 * np.pi * (WOW[0] * time_s + random.random()))
    for number, peak in enumerate(FLUTTER[1], start=1):
        speed += peak * np.sin(2 * np.pi * (number * FLUTTER[0] * time_s + random.random()))
    return Stretch("", delay_of(speed), 0.0)


def test_rates_depths_and_the_wavering_are_found():
    found = learn_classical([recording(seed) for seed in range(8)])
    rates = [WOW[0], *(number * FLUTTER[0] for number in (1, 2, 3))]
    assert [line.frequency_hz for line in found.lines] == pytest.approx(rates, abs=0.05)
    assert [line.amplitude for line in found.lines] == pytest.approx([WOW[1], *FLUTTER[1]], rel=0.15)
    # the density of an Ornstein-Uhlenbeck process sampled 100 times per second, at its corner and far above
    kept = np.exp(-0.01 / REMEMBERED_S)
    for hertz in (1 / (2 * np.pi * REMEMBERED_S), 10.0):
        turn = np.exp(-2j * np.pi * hertz / 100)
        wanted = 2 / 100 * FRICTION**2 * (1 - kept**2) / abs(1 - kept * turn) ** 2
        density = np.interp(hertz, found.frequency_hz, found.density)
        assert 10 * np.log10(density / wanted) == pytest.approx(0, abs=1.0)
