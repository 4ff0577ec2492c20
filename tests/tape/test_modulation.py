"""Modulation noise that is learned from a recorded tone, and more of it."""

import numpy as np
import pytest
import soundfile
from scipy.signal import butter, sosfilt, sosfreqz

from tapezoo.tape.errors import TapeError
from tapezoo.tape.modulation import learn_modulation, make_modulation
from tapezoo.tape.steady_tones import read_tones

RATE_HZ = 16000
DEPTH, HISS, PEAK = 3e-3, 1e-4, 0.3  # RMS of the relative deviation, and of the hiss
FILTER = butter(2, (3.0, 60.0), "bandpass", fs=RATE_HZ, output="sos")


def uneven(samples, seed=0):
    made = sosfilt(FILTER, np.random.default_rng(seed).standard_normal(samples))
    return DEPTH * made / made.std()


def share(low_hz, high_hz):
    """Of the power of what wavers."""
    hertz, response = sosfreqz(FILTER, 1 << 15, fs=RATE_HZ)
    power = np.abs(response) ** 2
    return power[(hertz >= low_hz) & (hertz < high_hz)].sum() / power.sum()


def tone(seconds=24, hertz=1000.0, seed=0, depth=1.0):
    """From a machine with wow, flutter and hiss."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    late_s = 2e-4 * np.sin(2 * np.pi * 0.7 * time_s) + 1e-5 * np.sin(2 * np.pi * 9 * time_s)
    gain = 1 + depth * uneven(len(time_s), seed)
    hiss = HISS * np.random.default_rng(seed + 9).standard_normal(len(time_s))
    return PEAK * gain * np.sin(2 * np.pi * hertz * (time_s - late_s)) + hiss


def learned(*paths):
    tones, _ = read_tones(paths)
    return learn_modulation(tones, "tone.wav")


def write(path, signal):
    soundfile.write(path, signal, RATE_HZ, "FLOAT")
    return path


@pytest.fixture(scope="module")
def modulation(tmp_path_factory):
    return learned(write(tmp_path_factory.mktemp("tone") / "tone.wav", tone()))


def test_level_and_spectrum_are_found_beside_hiss_and_a_speed_that_wanders(modulation):
    for low, high in ((5, 200), (3, 12), (12, 40), (40, 120)):
        expected_db = 10 * np.log10(DEPTH**2 * share(low, high))
        assert modulation.level_db(low, high) == pytest.approx(expected_db, abs=0.5)
    # of a tone of this peak: twice the density of the hiss on either side of it
    assert modulation.hiss == pytest.approx(2 * HISS**2 / (RATE_HZ / 2) / PEAK**2, rel=0.1)
    assert modulation.highest_hz == pytest.approx(400, abs=1)


def test_more_of_it_has_its_spectrum_and_begins_anew_without_a_seam(modulation):
    made = make_modulation(modulation, 30, RATE_HZ, seed=1)
    power = np.abs(np.fft.rfft(made)) ** 2 * 2 / len(made) ** 2
    hertz = np.fft.rfftfreq(len(made), 1 / RATE_HZ)
    assert 10 * np.log10(power.sum()) == pytest.approx(modulation.level_db(), abs=0.3)
    for low, high in ((5, 20), (20, 100)):
        inside = (hertz >= low) & (hertz < high)
        assert 10 * np.log10(power[inside].sum()) == pytest.approx(modulation.level_db(low, high), abs=0.5)
    twice = np.abs(np.fft.rfft(np.concatenate([made, made])))
    assert twice[1::2].max() < 1e-9 * twice.max()  # whole periods of all that is in it
    np.testing.assert_array_equal(made, make_modulation(modulation, 30, RATE_HZ, seed=1))
    assert abs(np.corrcoef(made, make_modulation(modulation, 30, RATE_HZ, seed=2))[0, 1]) < 0.2


def test_silence_around_the_tone_and_a_channel_that_hears_it_faintly_do_not_count(tmp_path):
    recorded = np.concatenate([np.zeros(RATE_HZ), tone(12), np.zeros(RATE_HZ // 2)])
    both = np.stack([recorded, 1e-2 * recorded], axis=1)
    (found,), rate = read_tones([write(tmp_path / "tone.wav", both)])
    assert rate == RATE_HZ
    assert found.seconds == pytest.approx(11.8, abs=0.05)
    assert found.frequency_hz == pytest.approx(1000, abs=0.1)


def music(seconds=12):
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return 0.3 * np.sin(2 * np.pi * 1000 * time_s) * np.exp(-3 * (time_s % 0.5))


@pytest.mark.parametrize(
    ("signal", "found"),
    [
        (music(), "the level stays within 3 dB, as of music"),
        (np.zeros(12 * RATE_HZ), r"silence \(-300 dBFS\)"),
        (tone(12) + tone(12, 1700.0), "of the energy beside the tone of 1.00 Hz, most at 1.00 Hz"),
        (0.1 * np.random.default_rng(0).standard_normal(12 * RATE_HZ), "of the energy beside the tone"),
        (tone(6), "5.8 s of a steady tone"),
        (tone(1), "found 1 s; expected a steady tone"),
        (np.full(12 * RATE_HZ, 0.3), "an offset alone"),
        (np.clip(tone(12), -0.2, 0.2), "a clipped signal"),
        (tone(12, 300.0), "a tone of 300 Hz"),
        (tone(12, depth=0), "a tone that hiss alone makes waver"),
        (tone(12) + 0.01 * tone(12, 1100.0), "a level that wavers 100.0 times per second"),
    ],
    ids=[
        "music",
        "silence",
        "two tones",
        "noise",
        "short",
        "a second",
        "an offset",
        "clipped",
        "low",
        "hiss alone",
        "a beat",
    ],
)
def test_what_is_no_steady_tone_is_refused_with_what_is_needed(tmp_path, signal, found):
    path = write(tmp_path / "tone.wav", signal)
    with pytest.raises(TapeError, match=found) as refused:
        learned(path)
    assert "Record " in str(refused.value)


def test_a_tone_that_no_machine_has_touched_has_none(tmp_path):
    for hertz in (1000, 1003.7):  # the rounding of the second one beats
        clean = 0.3 * np.sin(2 * np.pi * hertz / RATE_HZ * np.arange(12 * RATE_HZ))
        with pytest.raises(TapeError, match="a tone that stands still"):
            learned(write(tmp_path / "tone.wav", clean))


def test_files_of_several_rates_and_no_sound_files_are_refused(tmp_path):
    write(tmp_path / "tone.wav", tone(5))
    soundfile.write(tmp_path / "other.wav", tone(5)[: 5 * 8000], 8000, "FLOAT")
    with pytest.raises(TapeError, match=r"found 16000 Hz, and 8000 Hz in .*one sample rate"):
        read_tones([tmp_path / "tone.wav", tmp_path / "other.wav"])
    with pytest.raises(TapeError, match="found a folder; expected a sound file: a steady tone"):
        read_tones([tmp_path])
