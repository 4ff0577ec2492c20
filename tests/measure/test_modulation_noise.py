"""Modulation noise: a tone that wavers is told from hiss beside it, and from a speed that wanders."""

import numpy as np
import pytest
from scipy.signal import butter, sosfilt, sosfreqz

from tapezoo.measure.machine.figures import modulation_figures
from tapezoo.measure.machine.machine import Machine
from tapezoo.measure.machine.modulation_noise import measure_modulation_noise

RATE_HZ = 16000
DEPTH, HISS = 3e-3, 1e-4  # RMS of the relative deviation, and of the hiss
BAND_HZ = (10.0, 150.0)  # of what wavers


def noise(shape, seed, band_hz=None):
    white = np.random.default_rng(seed).standard_normal(shape)
    if band_hz is None:
        return white
    made = sosfilt(butter(2, band_hz, "bandpass", fs=RATE_HZ, output="sos"), white)
    return made / made.std()


def share_measured():
    """Of the power of what wavers from 5 to 200 Hz: the filter's slopes go on."""
    hertz, response = sosfreqz(butter(2, BAND_HZ, "bandpass", fs=RATE_HZ, output="sos"), 1 << 16, fs=RATE_HZ)
    power = np.abs(response) ** 2
    return power[(hertz > 5) & (hertz < 200)].sum() / power.sum()


def measured(play):
    return measure_modulation_noise(Machine("machine", RATE_HZ, 0, play))


def test_a_gain_that_wavers_is_found_at_every_level_and_hiss_is_taken_off():
    def play(rows):
        wavering = 1 + DEPTH * noise(rows.shape, 0, BAND_HZ)
        return 0.5 * rows * wavering + HISS * noise(rows.shape, 1)

    found = measured(play)
    assert found.level_db.tolist() == [-40, -20, -6]
    # at -40 dB the hiss makes twice as much of the wavering
    depth_db = 10 * np.log10(DEPTH**2 * share_measured())
    np.testing.assert_allclose(found.depth_db, depth_db, atol=0.8)


def test_hiss_alone_modulates_nothing_and_neither_does_a_speed_that_wanders():
    assert (measured(lambda rows: rows + HISS * noise(rows.shape, 1)).depth_db == -np.inf).all()

    def wander(rows):  # read .05 ms around, at 8 Hz: the frequency wavers, the amplitude does not
        time = np.arange(rows.shape[1])
        late = 0.8 * np.sin(2 * np.pi * 8 * time / RATE_HZ)
        peaks = np.abs(rows).max(axis=1, keepdims=True)
        return peaks * np.sin(2 * np.pi * 1000 / RATE_HZ * (time - late))

    assert (measured(wander).depth_db < -100).all()


def test_a_cube_has_none_and_silence_has_no_figure():
    figures = modulation_figures(measured(lambda rows: rows - 0.2 * rows**3))
    assert [figure.missing for figure in figures] == 3 * ["none beyond the noise"]
    assert [figure.missing for figure in modulation_figures(measured(np.zeros_like))] == 3 * [
        "digital silence"
    ]
    shown = modulation_figures(measured(lambda rows: rows * (1 + 0.01 * noise(rows.shape, 0, BAND_HZ))))
    assert shown[0].key == "modulation_40_db"
    assert shown[0].value == pytest.approx(-40 + 10 * np.log10(share_measured()), abs=0.2)
