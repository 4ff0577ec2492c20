"""Metrics over a set of rows of different loudness and length."""

import numpy as np
import pytest
import scipy.fft
import scipy.signal
import torch
import torchaudio
from torchmetrics.audio import SignalNoiseRatio

from tapezoo import registry
from tapezoo.loudness import loudness
from tapezoo.metrics import make_metric, metric_collection, resolve
from tapezoo.metrics.energy_ratio import ESR
from tapezoo.metrics.level_difference import CrestDifference, LevelDifference
from tapezoo.metrics.log_spectral_distance import LogSpectralDistance
from tapezoo.metrics.predicted_mushra import predicted_score
from tapezoo.metrics.sampled import MetricError, refused_for_length
from tapezoo.tracking.promote import HIGHER_IS_BETTER


def test_esr_of_a_set_is_total_over_total_not_a_mean_of_ratios():
    quiet, loud = torch.full((1, 100), 0.01), torch.ones(1, 300)
    metric = ESR()
    metric.update(torch.zeros_like(quiet), quiet)  # a ratio of 1
    metric.update(loud * 0.9, loud)  # a ratio of .01
    expected = (100 * 0.01**2 + 300 * 0.1**2) / (100 * 0.01**2 + 300)
    torch.testing.assert_close(metric.compute(), torch.tensor(expected), rtol=1e-5, atol=0)


def test_every_metric_is_best_for_a_perfect_output_and_tells_a_bad_one():
    target = torch.randn(1, 8192, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(1, 8192, generator=torch.Generator().manual_seed(1))
    scores = {}
    for name, output in (("good", target + 0.01 * noise), ("bad", target + 0.5 * noise)):
        metrics = metric_collection("val_", 44100)
        metrics.update(output, target)
        scores[name] = metrics.compute()
    assert set(scores["good"]) == {"val_esr", "val_mae", "val_si_sdr", "val_mrstft"}
    for lower in ("val_esr", "val_mae", "val_mrstft"):
        assert scores["good"][lower] < scores["bad"][lower]
    torch.testing.assert_close(scores["good"]["val_si_sdr"], torch.tensor(40.0), atol=0.5, rtol=0)


def test_rows_too_short_for_the_spectral_distance_are_left_out_of_it():
    metrics = metric_collection("val_", 44100)
    row = torch.randn(1, 4096)
    metrics.update(row[:, :100] * 0.5, row[:, :100])
    metrics.update(row, row)
    assert metrics.compute()["val_mrstft"] < 1e-5


def noise(samples: int = 20000) -> torch.Tensor:
    return torch.randn(1, samples, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("gain_db", [-12.0, 0.0, 3.0])
def test_the_log_spectral_distance_of_a_gain_is_that_gain(gain_db):
    metric = LogSpectralDistance()
    metric.update(10 ** (gain_db / 20) * noise(), noise())
    metric.update(10 ** (gain_db / 20) * noise()[:, :9000], noise()[:, :9000])
    assert float(metric.compute()) == pytest.approx(abs(gain_db), abs=1e-3)


def test_the_log_spectral_distance_hears_a_missing_treble_that_the_esr_does_not():
    time = torch.arange(20000) / 44100
    low, high = torch.sin(2 * torch.pi * 200 * time)[None], 1e-3 * noise()
    without, with_treble = low, low + high
    distance, ratio = LogSpectralDistance(), ESR()
    for metric in (distance, ratio):
        metric.update(without, with_treble)
    assert float(ratio.compute()) < 1e-5
    # the treble is 85 dB under the tone, and all that is missing counts as 100 dB under it
    assert 10 < float(distance.compute()) < 15


def test_silence_and_rows_shorter_than_a_frame_are_left_out_of_the_log_spectral_distance():
    metric = LogSpectralDistance()
    metric.update(noise(), torch.zeros(1, 20000))
    metric.update(noise()[:, :2000], noise()[:, :2000] * 9)
    assert torch.isnan(metric.compute())
    half = torch.cat([torch.zeros(1, 20000), noise()], dim=-1)
    metric.update(2 * half, half)
    assert float(metric.compute()) == pytest.approx(6.02, abs=0.05)


def test_levels_and_crest_factors_differ_by_what_closed_forms_say():
    time = torch.arange(44100) / 44100
    sine = torch.sin(2 * torch.pi * 100 * time)[None]
    square = torch.sign(sine)
    found = {}
    for made in (LevelDifference(), CrestDifference()):
        made.update(square[:, :20000], 0.5 * sine[:, :20000])
        made.update(square[:, 20000:], 0.5 * sine[:, 20000:])
        found[type(made)] = float(made.compute())
    # a sine of amplitude a has an RMS of a / sqrt 2, a square of a
    assert found[LevelDifference] == pytest.approx(6.0206 + 3.0103, abs=0.02)
    assert found[CrestDifference] == pytest.approx(3.0103, abs=0.02)


def test_levels_of_silence_are_no_figure():
    metric = LevelDifference()
    metric.update(torch.zeros(1, 10), torch.ones(1, 10))
    assert torch.isnan(metric.compute())


def test_the_mel_cepstral_distance_is_that_of_an_independent_computation_and_knows_no_level():
    random = np.random.default_rng(0)
    target = scipy.signal.lfilter([1], [1, -0.9], random.standard_normal(9000))
    output = scipy.signal.lfilter([1, 0.5], [1], target) + 0.01 * random.standard_normal(9000)

    def cepstrum(signal):
        frames = np.lib.stride_tricks.sliding_window_view(signal, 2048)[::512]
        power = np.abs(np.fft.rfft(frames * scipy.signal.get_window("hann", 2048))) ** 2
        mel = np.linspace(0, 2595 * np.log10(1 + 22050 / 700), 42)  # HTK
        edge = 700 * (10 ** (mel / 2595) - 1)
        bins = np.arange(1025) * 44100 / 2048
        up = (bins - edge[:-2, None]) / (edge[1:-1] - edge[:-2])[:, None]
        down = (edge[2:, None] - bins) / (edge[2:] - edge[1:-1])[:, None]
        bands = power @ np.clip(np.minimum(up, down), 0, None).T
        return scipy.fft.dct(10 * np.log10(bands), norm="ortho", axis=1)[:, 1:17]

    expected = np.sqrt(np.sum((cepstrum(output) - cepstrum(target)) ** 2, axis=1) / 40).mean()
    metric = resolve("mcd")()
    row = torch.from_numpy(target.astype(np.float32))[None]
    metric.update(torch.from_numpy(output.astype(np.float32))[None], row)
    assert metric.compute() == pytest.approx(expected, rel=1e-3)
    louder = resolve("mcd")()
    louder.update(3 * row, row)
    assert louder.compute() == pytest.approx(0, abs=1e-4)
    silent = resolve("mcd")()
    silent.update(row, 0 * row)
    assert silent.compute().isnan()


def scored(name, *rows, rate=44100):
    """The figure of a registered metric over rows of (output, target), arrays of one channel."""
    metric = make_metric(name, rate)
    for output, target in rows:
        metric.update(*(torch.from_numpy(np.asarray(one, np.float32))[None] for one in (output, target)))
    return float(metric.compute())


def test_the_snr_is_that_of_all_rows_together_and_for_one_row_torchmetrics_own():
    random = np.random.default_rng(0)
    loud, quiet = random.standard_normal(4000), 0.01 * random.standard_normal(4000)
    rows = (loud + 0.1 * random.standard_normal(4000), loud), (0 * quiet, quiet)
    errors = sum(np.sum((output - target) ** 2) for output, target in rows)
    energy = sum(np.sum(target**2) for _, target in rows)
    assert scored("snr", *rows) == pytest.approx(10 * np.log10(energy / errors), abs=1e-3)
    tensors = [torch.from_numpy(one)[None] for one in rows[0]]
    assert scored("snr", rows[0]) == pytest.approx(float(SignalNoiseRatio()(*tensors)), abs=1e-3)
    assert scored("snr", (loud, loud)) == 200
    assert np.isnan(scored("snr", (loud, 0 * loud)))


def test_the_si_snr_knows_neither_gain_nor_offset():
    random = np.random.default_rng(0)
    target = random.standard_normal(4000)
    target -= target.mean()
    error = random.standard_normal(4000)
    error -= error.mean() + target * (error - error.mean()) @ target / (target @ target)
    expected = 10 * np.log10(target @ target / (0.01 * error @ error))
    assert scored("si_snr", (3 * (target + 0.1 * error) + 0.5, target + 0.2)) == pytest.approx(
        expected, abs=0.01
    )


def test_the_difference_in_loudness_is_torchaudios_whatever_pieces_it_comes_in():
    random = np.random.default_rng(0)
    output, target = random.standard_normal((2, 6 * 48000))
    target = scipy.signal.lfilter([0.1], [1, -0.9], target)
    target[96000:192000] *= 1e-3  # under the relative gate
    output = 0.05 * output * np.linspace(1, 0.3, len(output))
    levels = [torchaudio.functional.loudness(torch.from_numpy(one)[None], 48000) for one in (output, target)]
    expected = float((levels[0] - levels[1]).abs())
    assert expected > 3
    assert scored("loudness", (output, target), rate=48000) == pytest.approx(expected, abs=0.02)
    halves = [(output[part], target[part]) for part in (slice(0, 144000), slice(144000, None))]
    assert scored("loudness", *halves, rate=48000) == pytest.approx(expected, abs=0.1)
    assert scored("loudness", (0.5 * target, target), rate=48000) == pytest.approx(6.0206, abs=1e-3)


def pauses(hiss_db, seed=0, rate=16000):
    """Six seconds of tones with pauses of a second, and white noise of this level under all of it."""
    time = np.arange(6 * rate) / rate
    tone = 0.5 * np.sin(2 * np.pi * 440 * time) * (time % 2 < 1)
    return tone + 10 ** (hiss_db / 20) * np.random.default_rng(seed).standard_normal(len(time))


def test_the_noise_distance_is_that_of_the_pauses_alone():
    target = pauses(-60)
    assert scored("noise_spectrum", (pauses(-50, 1), target), rate=16000) == pytest.approx(10, abs=1)
    # what is played beside the pauses does not count
    louder = np.where(np.abs(target) > 0.1, 1.3 * target, target)
    assert scored("noise_spectrum", (louder, target), rate=16000) == pytest.approx(0, abs=0.01)
    # 8 kHz of noise of -60 dB: third octaves of 23 % of their middle, and the output's none count as -120 dB
    middles = 1000 * 10 ** (np.arange(-13, 9) / 10)
    density = -60 + 10 * np.log10(middles * (10**0.05 - 10**-0.05) / 8000)
    missing = pauses(-300)
    expected = np.sqrt(np.mean((density + 120) ** 2))
    assert scored("noise_spectrum", (missing, target), rate=16000) == pytest.approx(expected, abs=1)
    assert scored("esr", (missing, target)) < 1e-4


def test_the_average_spectrum_is_that_of_all_that_is_played():
    random = np.random.default_rng(0)
    target = np.concatenate([0.2 * random.standard_normal(32000), 1e-3 * random.standard_normal(32000)])
    output = np.concatenate([1.3 * target[:32000], 10 * target[32000:]])
    assert scored("ltas", (output, target), rate=16000) == pytest.approx(20 * np.log10(1.3), abs=0.1)
    assert scored("noise_spectrum", (output, target), rate=16000) == pytest.approx(20, abs=0.1)


def test_a_hum_in_one_band_counts_as_one_of_all_bands():
    target = pauses(-60)
    time = np.arange(len(target)) / 16000
    hum = 10 ** (-40 / 20) * np.sqrt(2) * np.sin(2 * np.pi * 100 * time)
    middles = 1000 * 10 ** (np.arange(-13, 9) / 10)
    floor = -60 + 10 * np.log10(100 * (10**0.05 - 10**-0.05) / 8000)
    found = scored("noise_spectrum", (target + hum, target), rate=16000)
    assert found == pytest.approx((-40 - floor) / np.sqrt(len(middles)), abs=0.7)


def mfcc(signal):
    """MFCC as librosa defines them by default, from its documentation; (20, frames)."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(signal, 1024, mode="reflect"), 2048)[::512]
    power = np.abs(np.fft.rfft(frames * scipy.signal.get_window("hann", 2048))) ** 2
    top = 15 + np.log(22050 / 1000) * 27 / np.log(
        6.4
    )  # mel of Slaney: linear to 1 kHz, then by factors of 6.4 in 27
    mel = np.linspace(0, top, 130)
    edge = np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
    bins = np.arange(1025) * 44100 / 2048
    up = (bins - edge[:-2, None]) / (edge[1:-1] - edge[:-2])[:, None]
    down = (edge[2:, None] - bins) / (edge[2:] - edge[1:-1])[:, None]
    filters = np.clip(np.minimum(up, down), 0, None) * (2 / (edge[2:] - edge[:-2]))[:, None]
    level = 10 * np.log10(np.maximum(power @ filters.T, 1e-10))
    return scipy.fft.dct(np.maximum(level, level.max() - 80), norm="ortho", axis=1)[:, :20]


def test_the_predicted_mushra_score_follows_its_line():
    assert predicted_score(10**0.464) == 100
    assert predicted_score(0.0) == 100
    assert predicted_score(10.0) == pytest.approx(100 - 69.4 * 0.536)
    assert predicted_score(1e3) == 0


def test_the_predicted_mushra_score_is_that_of_an_independent_computation_and_knows_no_gain():
    random = np.random.default_rng(0)
    target = scipy.signal.lfilter([0.1], [1, -0.9], random.standard_normal(3 * 44100))
    target = scipy.signal.sosfilt(scipy.signal.cheby2(8, 90, 9000, fs=44100, output="sos"), target)
    output = scipy.signal.lfilter([1, 0.9], [1], target) + 3e-3 * random.standard_normal(len(target))
    gain = 10 ** ((loudness(target, 44100) - loudness(output, 44100)) / 20)
    distance = np.abs(mfcc(gain * output) - mfcc(target)).mean()
    expected = 100 - 69.4 * (np.log10(distance) - 0.464)
    assert 5 < expected < 95
    assert scored("mushra", (output, target)) == pytest.approx(expected, abs=0.1)
    assert scored("mushra", (0.1 * output, target)) == pytest.approx(expected, abs=0.1)
    assert scored("mushra", (target, target)) == 100
    assert scored("mushra", (0 * target, target)) == 0


@pytest.mark.parametrize("name", ["loudness", "mushra", "noise_spectrum"])
def test_what_is_silent_too_short_or_not_finite_has_no_figure(name):
    sound = 0.1 * np.random.default_rng(0).standard_normal(4 * 44100)
    assert np.isfinite(scored(name, (sound, sound)))
    assert np.isnan(scored(name, (sound, 0 * sound)))
    assert np.isnan(scored(name, (sound[:17000], sound[:17000])))
    for value in (np.nan, np.inf):
        broken = np.where(np.arange(len(sound)) == 44100, value, sound)
        assert np.isnan(scored(name, (broken, sound)))
        assert np.isnan(scored(name, (sound, sound), (broken, sound)))


@pytest.mark.parametrize(("name", "rate"), [("loudness", 8000), ("mushra", 32000), ("noise_spectrum", 4000)])
def test_a_rate_that_a_metric_is_not_made_for_is_refused(name, rate):
    with pytest.raises(MetricError, match=f"{name}: found a sample rate of {rate} Hz"):
        make_metric(name, rate)


def test_a_metric_without_enough_audio_is_told_what_it_needs():
    metrics = metric_collection("val_", 44100, ["mushra", "noise_spectrum", "loudness"]).values()
    assert refused_for_length(metrics, [2.9, 3.0], "the val split") == []
    (error,) = refused_for_length(metrics, [2.9, 2.9], "the val split")
    assert "mushra: found 2.9 s in the val split; expected 3 s at least" in str(error)
    noise = [make_metric("noise_spectrum", 44100)]
    assert refused_for_length(noise, [1.5, 0.6], "it") == []  # all rows together
    (error,) = refused_for_length(noise, [1.5, 0.1], "it")
    assert "noise_spectrum: found 1.5 s" in str(error)


def test_promotion_knows_of_which_own_metrics_more_is_better():
    own = [entry for entry in registry.registrations("metrics") if entry.distribution == "tapezoo"]
    assert {entry.name for entry in own} >= HIGHER_IS_BETTER
    here = {entry.name for entry in own if not entry.missing}
    assert {name for name in here if resolve(name).higher_is_better} == HIGHER_IS_BETTER & here


@pytest.mark.slow  # twenty seconds of compilation where visqol-python runs for the first time
def test_visqol_tells_what_sounds_worse_and_neither_level_nor_a_short_delay():
    pytest.importorskip("visqol", reason="needs tapezoo[visqol]")
    time = np.arange(4 * 44100) / 44100
    target = (
        0.2 * sum(np.sin(2 * np.pi * hertz * time) for hertz in (220, 440, 880)) * np.exp(-4 * (time % 0.5))
    )
    target = target + 0.01 * np.random.default_rng(0).standard_normal(len(time))
    noise = 0.05 * np.random.default_rng(1).standard_normal(len(time))
    best = scored("visqol", (target, target))
    assert best == pytest.approx(4.73, abs=0.01)  # the most that audio mode gives
    assert scored("visqol", (0.5 * np.roll(target, 200), target)) == pytest.approx(best, abs=0.05)
    assert scored("visqol", (target + noise, target)) < best - 0.3
    dull = scipy.signal.sosfilt(scipy.signal.butter(4, 4000, fs=44100, output="sos"), target)
    assert scored("visqol", (dull, target)) < best - 1
    assert scored("visqol", (0 * target, target)) == 1
    assert np.isnan(scored("visqol", (target, 0 * target)))
    assert np.isnan(scored("visqol", (target[:100000], target[:100000])))
