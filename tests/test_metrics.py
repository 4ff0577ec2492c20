"""Metrics over a set of rows of different loudness and length."""

import numpy as np
import pytest
import scipy.fft
import scipy.signal
import torch

from tapezoo.metrics import metric_collection, resolve
from tapezoo.metrics.energy_ratio import ESR
from tapezoo.metrics.level_difference import CrestDifference, LevelDifference
from tapezoo.metrics.log_spectral_distance import LogSpectralDistance


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
        metrics = metric_collection("val_")
        metrics.update(output, target)
        scores[name] = metrics.compute()
    assert set(scores["good"]) == {"val_esr", "val_mae", "val_si_sdr", "val_mrstft"}
    for lower in ("val_esr", "val_mae", "val_mrstft"):
        assert scores["good"][lower] < scores["bad"][lower]
    torch.testing.assert_close(scores["good"]["val_si_sdr"], torch.tensor(40.0), atol=0.5, rtol=0)


def test_rows_too_short_for_the_spectral_distance_are_left_out_of_it():
    metrics = metric_collection("val_")
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
