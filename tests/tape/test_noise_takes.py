"""Noise that is learned from pauses and silence, and more of it."""

import numpy as np
import pytest
import soundfile
from scipy.signal import freqz, lfilter

from tapezoo.tape.errors import TapeError
from tapezoo.tape.noise import learn_noise, make_noise
from tapezoo.tape.noise_distances import compare_noise
from tapezoo.tape.rests import read_rests

RATE_HZ = 16000
LEVEL, POLE = 1e-3, 0.8
HUM = ((50.05, 4e-4), (150.15, 5e-4))  # Hz, peak; a grid that is a little fast


def hiss(seconds, seed, hum=HUM):
    random = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    noise = LEVEL * lfilter([1], [1, -POLE], random.standard_normal(len(time_s)))
    for hertz, peak in hum:
        noise += peak * np.sin(2 * np.pi * (hertz * time_s + random.random()))
    return noise - noise.mean()


@pytest.fixture(scope="module")
def learned():
    rests = [hiss(3, seed) for seed in range(5)]
    return rests, learn_noise(rests, RATE_HZ)


def test_the_spectrum_and_the_lines_of_the_mains_are_found(learned):
    _, noise = learned
    assert [line.frequency_hz for line in noise.hum] == pytest.approx([50.05, 150.15], abs=0.05)
    assert [line.amplitude for line in noise.hum] == pytest.approx([4e-4, 5e-4], rel=0.05)
    hertz = np.linspace(0, RATE_HZ / 2, len(noise.density))
    _, response = freqz([1], [1, -POLE], worN=hertz, fs=RATE_HZ)
    expected = 2 * LEVEL**2 / RATE_HZ * np.abs(response) ** 2
    for low, high in ((100, 500), (500, 2000), (2000, 7500)):
        band = (hertz >= low) & (hertz < high)
        assert noise.density[band].mean() == pytest.approx(expected[band].mean(), rel=0.06)
    assert learn_noise([hiss(3, seed, hum=()) for seed in range(5)], RATE_HZ).hum == ()


def test_lines_beside_each_other_do_not_hide_each_other():
    lines = tuple((50.0 * number, 4e-4) for number in range(1, 11))
    found = learn_noise([hiss(4, seed, lines) for seed in range(4)], RATE_HZ).hum
    assert [line.frequency_hz for line in found] == pytest.approx([hertz for hertz, _ in lines], rel=1e-3)


def test_more_of_it_is_like_it_and_no_copy(learned):
    rests, noise = learned
    found = compare_noise(rests, make_noise(noise, 16, seed=1), RATE_HZ)
    assert found.windows == 75
    assert found.level_apart_db < 1
    assert found.spread_apart_db < 1
    assert found.made_level_db == pytest.approx(found.level_db, abs=0.3)
    assert found.shape < 0.05
    assert 0.35 < found.told_apart < 0.65
    assert 0.8 < found.copied < 1.2


def test_another_noise_is_told_apart(learned):
    rests, _ = learned
    brighter = learn_noise([np.diff(hiss(3, seed)) for seed in range(5)], RATE_HZ)
    found = compare_noise(rests, make_noise(brighter, 16, seed=1), RATE_HZ)
    assert found.told_apart > 0.95
    assert found.level_apart_db > 6


def test_the_same_seed_is_the_same_noise_and_it_begins_anew_without_a_seam(learned):
    _, noise = learned
    first = make_noise(noise, 2, seed=3)
    np.testing.assert_array_equal(first, make_noise(noise, 2, seed=3))
    assert abs(np.corrcoef(first, make_noise(noise, 2, seed=4))[0, 1]) < 0.2
    spectrum = np.abs(np.fft.rfft(np.concatenate([first, first])))
    assert spectrum[1::2].max() < 1e-9 * spectrum.max()  # whole periods of all that is in it


def write(path, signal):
    soundfile.write(path, signal, RATE_HZ, "FLOAT")


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "dataset"
    folder.mkdir()
    dry = 0.3 * np.random.default_rng(9).standard_normal(6 * RATE_HZ)
    dry[RATE_HZ : 3 * RATE_HZ] = 0
    dry[4 * RATE_HZ :] = 0
    wet = dry + hiss(6, 0)
    tail = np.exp(-np.arange(RATE_HZ) / (0.02 * RATE_HZ))
    wet[RATE_HZ : 2 * RATE_HZ] += 0.3 * tail  # the machine still rings
    write(folder / "dry.wav", dry)
    write(folder / "wet.wav", wet)
    (folder / "pairs.yaml").write_text("pairs:\n  - {dry: dry.wav, wet: wet.wav}\n")
    return folder


def test_of_a_data_set_the_pauses_count_once_the_machine_has_come_to_rest(dataset):
    rests, rate = read_rests([dataset])
    assert rate == RATE_HZ
    assert [len(rest) / RATE_HZ for rest in rests] == pytest.approx([1.7, 1.7], abs=0.03)
    level = hiss(6, 0).std()
    assert [rest.std() for rest in rests] == pytest.approx([level, level], rel=0.1)


def test_a_file_of_the_machine_playing_nothing_counts_as_a_whole(tmp_path):
    write(tmp_path / "blank.wav", 0.01 + hiss(2, 0))
    (rest,), _ = read_rests([tmp_path / "blank.wav"])
    assert len(rest) == 2 * RATE_HZ
    assert rest.mean() == pytest.approx(0, abs=1e-9)


def test_too_little_silence_other_rates_and_no_noise_are_named(tmp_path, dataset):
    write(tmp_path / "short.wav", hiss(0.5, 0))
    with pytest.raises(TapeError, match=r"short\.wav: found 0\.5 s .*1 s at least.*nothing at its input"):
        read_rests([tmp_path / "short.wav"])
    write(tmp_path / "gated.wav", np.zeros(2 * RATE_HZ))
    with pytest.raises(TapeError, match="found digital silence"):
        read_rests([tmp_path / "gated.wav"])
    soundfile.write(tmp_path / "other.wav", hiss(2, 0), 8000)
    with pytest.raises(TapeError, match=r"found 16000 Hz, and 8000 Hz in .*one sample rate"):
        read_rests([dataset, tmp_path / "other.wav"])
    with pytest.raises(TapeError, match=r"found no pairs\.yaml"):
        read_rests([tmp_path])
