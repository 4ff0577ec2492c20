"""Metrics over a set of rows of different loudness and length."""

import torch

from tapezoo.metrics import metric_collection
from tapezoo.metrics.energy_ratio import ESR


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
