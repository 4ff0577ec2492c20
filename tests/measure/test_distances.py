"""Metrics that play test signals: equal to trigonometry, and part of validation and test like any other."""

import warnings

import numpy as np
import pytest
import soundfile
import torch
from lightning.pytorch import Trainer

from tapezoo.data import PairedAudio, VirtualDevices
from tapezoo.metrics import make_metric, metric_collection, probe_collection
from tapezoo.metrics.probing import ProbingMetric, refused_without_machine
from tapezoo.metrics.sampled import MetricError
from tapezoo.models.fir import FIR
from tapezoo.training.scores import Scores

RATE_HZ = 44100


def quietly(rows):
    return 0.5 * rows


def measured(name, model, machine, rate=RATE_HZ):
    metric = make_metric(name, rate)
    assert isinstance(metric, ProbingMetric)
    metric.update(model, machine)
    return float(metric.compute())


def test_the_thd_of_a_square_against_none_is_that_over_minus_100_db():
    share = 0.1 * 10 ** (-6 / 20) / 2  # x + .1 x^2: second harmonic .1 a^2 / 2 over a
    expected = 20 * np.log10(share) + 100
    for pair in ((lambda rows: rows + 0.1 * rows**2, quietly), (quietly, lambda rows: rows + 0.1 * rows**2)):
        assert measured("thd", *pair) == pytest.approx(expected, abs=0.01)
    assert measured("thd", quietly, quietly) == 0


def test_the_profile_hears_which_harmonic_it_is_where_thd_does_not():
    second = lambda rows: rows + 0.1 * rows**2  # noqa: E731
    share = 0.1 * 10 ** (-6 / 20) / 2
    cube = 4 * share / 10 ** (-12 / 20)  # its third harmonic at -6 dB is as high
    third = lambda rows: rows - cube * (rows**3 - 0.75 * 10 ** (-12 / 20) * rows)  # noqa: E731
    assert measured("thd", third, second) < 0.2
    assert measured("harmonics", third, second) > 20
    assert np.isnan(measured("harmonics", quietly, quietly))


@pytest.mark.parametrize(("name", "peaks"), [("smpte", (4 / 5, 1 / 5)), ("ccif", (1 / 2, 1 / 2))])
def test_the_intermodulation_of_a_square_is_that_of_trigonometry(name, peaks):
    low, high = (peak * 10 ** (-10 / 20) for peak in peaks)
    share = 0.1 * low * high * np.sqrt(2) / high if name == "smpte" else 0.1 * low * high / (low + high)
    found = measured(name, lambda rows: rows + 0.1 * rows**2, quietly)
    assert found == pytest.approx(100 * share, rel=1e-3)


def test_the_response_of_a_filter_deviates_as_its_transfer_function_says_and_so_does_its_delay():
    delayed = lambda rows: 0.7 * np.pad(rows, ((0, 0), (5, 0)))[:, :-5]  # noqa: E731
    assert measured("response", delayed, quietly) < 0.01
    assert measured("group_delay", delayed, quietly) < 1e-3
    tilted = lambda rows: rows + 0.5 * np.pad(rows, ((0, 0), (1, 0)))[:, :-1]  # noqa: E731
    hertz = 20 * 2 ** (np.arange(300) / 12)
    hertz = hertz[(hertz >= 40) & (hertz <= 16000)]
    turn = np.exp(-2j * np.pi * hertz / RATE_HZ)
    gain_db = 20 * np.log10(np.abs(1 + 0.5 * turn))
    expected = np.sqrt(np.mean(np.square(gain_db - np.median(gain_db))))
    assert measured("response", tilted, quietly) == pytest.approx(expected, rel=0.01)
    delay_ms = 1e3 / RATE_HZ * np.real(0.5 * turn / (1 + 0.5 * turn))
    expected = np.sqrt(np.mean(np.square(delay_ms - np.median(delay_ms))))
    assert measured("group_delay", tilted, quietly) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("name", ["thd", "harmonics", "smpte", "aliases", "response", "group_delay"])
@pytest.mark.parametrize("gain", [0.0, np.nan])
def test_a_model_that_is_silent_or_has_blown_up_has_no_figure(name, gain):
    assert np.isnan(measured(name, lambda rows: gain * rows, lambda rows: rows + 0.1 * rows**2, rate=16000))


def test_a_clipper_without_oversampling_has_more_aliases_than_a_square():
    assert measured("aliases", lambda rows: np.clip(rows, -0.2, 0.2), lambda rows: rows + 0.1 * rows**2) > 30
    assert measured("aliases", quietly, quietly) == 0


def test_a_machine_is_played_once_and_the_model_at_every_validation(tmp_path):
    asked = []

    class Counting(VirtualDevices):
        def respond(self, dry):
            asked.append(len(dry))
            return super().respond(dry)

    data = Counting(
        "preamp",
        seconds=12.0,
        sample_rate=8000,
        segment_samples=256,
        burn_in_samples=64,
        batches_per_epoch=1,
        cache_dir=str(tmp_path),
    )
    model = FIR(taps=4, sample_rate=8000, metrics=["thd"], controls=data.controls, burn_in_samples=64)
    options = {
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = Trainer(max_epochs=2, num_sanity_val_steps=0, enable_checkpointing=False, **options)
    trainer.fit(model, datamodule=data)
    assert len(asked) == 1
    assert float(trainer.callback_metrics["val_thd"]) > 20  # no filter distorts
    assert model.metric_names() == ["esr", "mae", "mrstft", "si_sdr", "thd"]
    (found,) = trainer.test(model, datamodule=data, verbose=False)
    assert found["test_thd"] == pytest.approx(float(trainer.callback_metrics["test_thd"]))


def test_a_metric_on_test_signals_is_refused_for_recordings_before_anything_is_trained(tmp_path):
    files = [str(tmp_path / name) for name in ("dry.wav", "wet.wav")]
    for file in files:
        soundfile.write(file, 0.1 * np.random.default_rng(int("wet" in file)).standard_normal(40000), RATE_HZ)
    data = PairedAudio(*files, align="off", segment_samples=512, burn_in_samples=64, cache_dir=str(tmp_path))
    model = FIR(taps=4, metrics=["harmonics"], sample_rate=RATE_HZ)
    trainer = Trainer(max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    with pytest.raises(
        MetricError, match=r"the metric harmonics: found recordings, in which.*virtual device"
    ):
        trainer.fit(model, datamodule=data)


def test_without_a_machine_there_is_no_figure_and_nothing_is_warned_of():
    scores = Scores("test", RATE_HZ, ["thd"])
    scores.add(torch.ones(1, 4096), torch.ones(1, 4096))
    scores.probe(lambda rows: pytest.fail("it played"), object(), 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(scores.compute()["test_thd"])


def test_a_strangers_metric_needs_a_measure_and_nothing_else():
    class Loudest(ProbingMetric):
        def measure(self, model, machine, latency_samples):
            ones = np.ones((1, 4))
            return float(np.abs(model(ones) - machine(ones)).max())

    metric = Loudest(sample_rate=8000)
    metric.update(lambda rows: 3 * rows, quietly)
    assert float(metric.compute()) == 2.5
    assert "recordings, in which test signals" in str(refused_without_machine([metric])[0])


def test_the_split_is_not_given_to_them_nor_test_signals_to_the_others():
    assert set(metric_collection("val_", RATE_HZ, ["thd", "snr"]).keys()) == {
        f"val_{name}" for name in ("esr", "mae", "mrstft", "si_sdr", "snr")
    }
    assert set(probe_collection("val_", RATE_HZ, ["thd", "snr"]).keys()) == {"val_thd"}
