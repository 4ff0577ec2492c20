"""Programme material: kinds, shares, levels, silences, determinism."""

import numpy as np
import pytest

from tapezoo.devices import program_material
from tapezoo.devices.program import KINDS

RATE = 44_100
SHARES = {"music": 0.45, "percussion": 0.20, "speech": 0.15, "noise": 0.08, "sweep": 0.07, "tones": 0.05}


@pytest.fixture(scope="module")
def material():
    return {excerpt.kind: excerpt.audio for excerpt in program_material(90.0, RATE, 0)}


def silences(audio, seconds=0.05):
    """Start and end of every run of digital silence of at least `seconds`."""
    loud = np.concatenate([[-1], np.flatnonzero(audio), [audio.size]])
    gaps = np.flatnonzero(np.diff(loud) > seconds * RATE)
    return [(loud[gap] + 1, loud[gap + 1]) for gap in gaps]


def phrases(audio):
    edges = [0, *(edge for gap in silences(audio) for edge in gap), audio.size]
    return [
        audio[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > 0 and np.any(audio[a:b])
    ]


def test_every_kind_is_there_with_its_share(material):
    assert tuple(material) == KINDS
    for kind, share in SHARES.items():
        assert material[kind].size == pytest.approx(share * 90 * RATE, abs=1)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_float32_finite_and_within_full_scale(material, kind):
    audio = material[kind]
    assert audio.dtype == np.float32
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() <= 1.0
    assert np.abs(audio).max() > 0.99
    assert abs(audio.mean(dtype=np.float64)) < 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_silence_cuts_each_kind_every_few_seconds(material, kind):
    assert max(phrase.size for phrase in phrases(material[kind])) < 2.6 * RATE
    assert silences(material[kind])[-1][1] == material[kind].size  # the end is a place to cut, too


@pytest.mark.parametrize("kind", KINDS)
def test_levels_spread_over_more_than_25_db_in_each_kind(material, kind):
    peaks_db = [20 * np.log10(np.abs(phrase).max()) for phrase in phrases(material[kind])]
    assert max(peaks_db) - min(peaks_db) > 25
    assert min(peaks_db) > -71  # the end of a swell by 30 dB at the lowest level


def test_levels_of_all_kinds_together_fill_40_db(material):
    peaks_db = np.sort(
        [20 * np.log10(np.abs(p).max()) for audio in material.values() for p in phrases(audio)]
    )
    assert peaks_db[0] < -36
    assert np.diff(peaks_db).max() < 4


def test_some_phrases_swell_and_some_die_away(material):
    changes_db = []
    for phrase in phrases(material["music"]):
        halves = [10 * np.log10(np.mean(half.astype(np.float64) ** 2)) for half in np.array_split(phrase, 2)]
        changes_db.append(halves[1] - halves[0])
    assert max(changes_db) > 6
    assert min(changes_db) < -6


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_lies_above_the_resamplers_band(material, kind):
    power = np.abs(np.fft.rfft(material[kind].astype(np.float64))) ** 2
    frequency_hz = np.fft.rfftfreq(material[kind].size, 1 / RATE)
    assert power[frequency_hz > 20_000].sum() < 1e-6 * power.sum()


def test_same_seed_same_music_other_seed_other_music():
    first, again, other = (program_material(12.0, 22_050, seed) for seed in (4, 4, 5))
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a.audio, b.audio)
        assert np.abs(a.audio - c.audio).max() > 0.1


@pytest.mark.parametrize("rate", [16_000, 96_000])
def test_other_rates_work(rate):
    for excerpt in program_material(10.0, rate, 1):
        assert np.isfinite(excerpt.audio).all()
        assert np.abs(excerpt.audio).max() > 0.9
