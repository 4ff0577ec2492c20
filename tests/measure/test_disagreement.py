"""How far models disagree: against closed forms of models whose output is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from measure.made_up import gain_model

from tapezoo.measure.disagreement import (
    EnsembleError,
    check_ensemble,
    choose_excerpts,
    disagreement,
    play_at,
)

RATE = 1000
NOISE = np.random.default_rng(0).standard_normal((3, 400)).astype(np.float32)


def test_disagreement_is_the_variance_over_the_energy_of_the_mean() -> None:
    outputs = np.random.default_rng(1).standard_normal((5, 2, 70))
    variance = energy = 0.0
    for excerpt in range(2):
        for time in range(70):
            mean = sum(outputs[m, excerpt, time] for m in range(5)) / 5
            variance += sum((outputs[m, excerpt, time] - mean) ** 2 for m in range(5)) / 5
            energy += mean**2
    assert disagreement(outputs) == pytest.approx(variance / energy, rel=1e-12)


def test_disagreement_at_its_ends() -> None:
    assert disagreement(np.stack([NOISE, NOISE])) == 0.0
    assert disagreement(np.zeros((2, 1, 4))) == 0.0
    assert disagreement(np.stack([NOISE, -NOISE])) == math.inf
    assert math.isnan(disagreement(NOISE[None]))
    assert math.isnan(disagreement(np.array([])))


@pytest.mark.parametrize("latency", [0, 7])
def test_every_setting_is_played_with_every_excerpt_and_in_time(latency: int) -> None:
    model = gain_model([2.0, -1.0], latency_samples=latency)
    # more rows than are played at once, and an idle control, which stands at its default of 0.25
    settings = [(at / 40, 0.5) for at in range(40)] + [(0.5, None)]
    outputs = play_at(model, settings, NOISE)
    assert len(outputs) == 41
    for (first, second), output in zip(settings, outputs, strict=True):
        gain = 1 + 2 * first - (0.25 if second is None else second)
        np.testing.assert_allclose(output, gain * NOISE, rtol=1e-5, atol=1e-6)


def test_the_programme_is_the_loudest_second_of_four_different_inputs() -> None:
    inputs = []
    for number in range(7):
        input = np.full(3 * RATE, 0.01 * number, dtype=np.float32)
        input[500 + 100 * number : 1500 + 100 * number] += 1
        inputs += [input, input.copy()]  # the same choose_excerpts at two settings
    excerpts = choose_excerpts(inputs, RATE)
    assert excerpts.shape == (4, RATE)
    np.testing.assert_allclose(excerpts, np.repeat([[1.0], [1.02], [1.04], [1.06]], RATE, axis=1), rtol=1e-6)


def test_short_inputs_are_padded() -> None:
    short, long = np.ones(300, dtype=np.float32), np.full(700, 2, dtype=np.float32)
    excerpts = choose_excerpts([short, long], RATE)
    assert excerpts.shape == (2, 700)
    assert excerpts.sum(axis=1).tolist() == [300, 1400]


@pytest.mark.parametrize(
    ("other", "part"),
    [
        ({"sample_rate": 48000}, "b.ckpt: .*sample rate 48000 Hz.*44100 Hz, as a.ckpt"),
        ({"controls": [{"name": "tone", "default": 0.25}]}, "controls tone 0 to 1.*a 0 to 1.*as a.ckpt"),
        ({"controls": [{"name": "a", "max": 2, "default": 0.25}]}, "a 0 to 2"),
        ({"controls": [{"name": "a", "min": 0.1, "default": 0.25, "curve": "log"}]}, "log"),
    ],
)
def test_members_with_other_controls_or_rates_are_refused(other: dict, part: str) -> None:
    tested = gain_model([1.0])
    check_ensemble({"a.ckpt": tested, "b.ckpt": gain_model([2.0])})
    with pytest.raises(EnsembleError, match=part):
        check_ensemble({"a.ckpt": tested, "b.ckpt": gain_model([2.0], **other)})


def test_a_model_without_controls_has_no_settings_to_disagree_at() -> None:
    with pytest.raises(EnsembleError, match="without controls"):
        check_ensemble({"a.ckpt": gain_model([]), "b.ckpt": gain_model([])})
