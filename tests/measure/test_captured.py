"""The test signals of a recorded excitation give back what the machine was made of."""

import numpy as np
import pytest
from scipy import signal

from tapezoo.data.errors import DataError
from tapezoo.measure.captured import captured_figures, measure_captured, of_model, places_of
from tapezoo.measure.machine.machine import MeasureError
from tapezoo.measure.pair_scores import Recording
from tapezoo.recordings.excitation.design import Design
from tapezoo.recordings.excitation.marks import end_mark, start_mark
from tapezoo.recordings.excitation.plan import end_mark_start, plan
from tapezoo.recordings.excitation.write import sound_of

RATE_HZ = 44100
SQUARE, CUBE, NOISE_DB, EDGE_HZ = 0.02, 0.05, -60.0, 8000.0


def made(design):
    """The marks and test signals of an excitation, without its music."""
    layout = plan(design, RATE_HZ)
    sound = np.zeros(layout.samples)
    for start, part in (
        (RATE_HZ, start_mark(design, RATE_HZ)),
        (end_mark_start(design, RATE_HZ), end_mark(RATE_HZ)),
        *(
            (one.start, sound_of(one, number, layout))
            for number, one in enumerate(layout.segments)
            if one.kind != "programme"
        ),
    ):
        sound[start : start + len(part)] = part
    return sound


def machine(dry, noise_db=NOISE_DB):
    """A low-pass filter, a curve, and noise."""
    filtered = signal.lfilter(*signal.butter(1, EDGE_HZ, fs=RATE_HZ), dry)
    noise = 10 ** (noise_db / 20) * np.random.default_rng(0).standard_normal(len(dry))
    return filtered + SQUARE * filtered**2 - CUBE * filtered**3 + noise


def harmonics_percent(level_db):
    """Second and third of 1 kHz after the filter, by trigonometry."""
    _, gain = signal.freqz(*signal.butter(1, EDGE_HZ, fs=RATE_HZ), worN=[1000], fs=RATE_HZ)
    peak = 10 ** (level_db / 20) * abs(gain[0])
    fundamental = peak - 0.75 * CUBE * peak**3
    return 100 * SQUARE * peak**2 / 2 / fundamental, 100 * CUBE * peak**3 / 4 / fundamental


@pytest.fixture(scope="module")
def dry():
    return made(Design(1, seed=3))


def recording(dry, wet):
    return Recording("take", RATE_HZ, dry.astype(np.float32), wet.astype(np.float32), 0, None)


def test_a_recorded_excitation_gives_back_filter_curve_and_noise(dry):
    wet = machine(dry)
    take = recording(dry, wet)
    places = places_of(take)
    found = {one.key: one.value for one in captured_figures(measure_captured("take", take, wet, places))}
    assert found["high_edge_hz"] == pytest.approx(EDGE_HZ, rel=0.03)
    assert found["noise_db"] == pytest.approx(NOISE_DB, abs=0.3)
    second, third = harmonics_percent(-5)
    assert found["h2_1k_percent"] == pytest.approx(second, rel=0.03)
    assert found["h3_1k_percent"] == pytest.approx(third, rel=0.03)
    assert found["thd_1k_0_percent"] == pytest.approx(np.hypot(*harmonics_percent(0)), rel=0.02)
    assert np.isnan(found["weighted_percent"]), "two seconds of the tone are too short for the standard"


def test_parts_are_found_in_a_recording_that_runs_at_another_speed_and_a_model_has_none(dry):
    ratio = 1.003
    times = np.arange(round(len(dry) * ratio)) / ratio
    slow = np.interp(times, np.arange(len(dry)), machine(dry, -100))
    take = recording(np.interp(times, np.arange(len(dry)), dry), slow)
    places = places_of(take)
    assert places.clock_ratio == pytest.approx(1, abs=1e-5), "dry was read along the delay"
    raw = recording(np.pad(dry, (0, len(slow) - len(dry))), slow)
    places = places_of(raw)
    assert places.clock_ratio == pytest.approx(ratio, abs=1e-5)
    captured = measure_captured("take", raw, slow, places)
    found = {one.key: one.value for one in captured_figures(captured)}
    assert found["thd_1k_0_percent"] == pytest.approx(np.hypot(*harmonics_percent(0)), rel=0.05)
    assert of_model(captured).wow_flutter is None


def test_music_has_no_parts_and_what_does_not_belong_is_named(dry):
    noise = 0.1 * np.random.default_rng(0).standard_normal(5 * RATE_HZ)
    assert places_of(recording(noise, noise)) is None
    with pytest.raises(MeasureError, match="no last mark in wet"):
        places_of(recording(dry, dry * (np.arange(len(dry)) < len(dry) // 2)))
    with pytest.raises(DataError, match="another excitation"):
        places_of(recording(dry, made(Design(1, seed=4))))
