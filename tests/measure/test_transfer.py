"""Transfer loops and playing against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import lfilter
from torch import Tensor

from tapezoo.measure.playing import play
from tapezoo.measure.transfer import transfer_loops
from tapezoo.models.fir import FIRNet
from tapezoo.net import Net, State

RATE = 8000


class OnePoleNet(Net):
    """y[n] = x[n - latency] + pole * y[n - 1] with pole = the control."""

    def __init__(self, latency_samples: int = 0, hop_samples: int = 1) -> None:
        super().__init__(num_controls=1, receptive_field=None, smoothing_samples=0)
        self.latency_samples, self.hop_samples = latency_samples, hop_samples
        self.register_rest("y", torch.zeros(1))
        self.register_rest("past", torch.zeros(1, latency_samples + 1))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        assert input.shape[2] % self.hop_samples == 0
        whole = torch.cat((state["past"], input), dim=2)
        y, samples = state["y"], []
        for n in range(input.shape[2]):
            y = whole[:, :, n + 1] + controls * y
            samples.append(y)
        return torch.stack(samples, dim=2), {"y": y, "past": whole[:, :, input.shape[2] :]}


@pytest.mark.parametrize(("latency", "hop"), [(0, 1), (13, 1), (5, 48)])
def test_playing_is_the_filter_without_its_latency(latency: int, hop: int) -> None:
    input = np.random.default_rng(0).uniform(-1, 1, (2, 500))
    output = play(OnePoleNet(latency, hop), input, [0.5])
    np.testing.assert_allclose(output, lfilter([1], [1, -0.5], input, axis=1), atol=1e-6)


def test_a_filters_loop_is_the_ellipse_of_its_gain_and_phase() -> None:
    loops = transfer_loops(
        OnePoleNet(latency_samples=7), RATE, [0.9], frequency_hz=100.0, levels_db=(-20.0, 0.0)
    )
    response = 1 / (1 - 0.9 * np.exp(-2j * np.pi * 100 / RATE))
    phase = 2 * np.pi * np.arange(80) / 80
    assert [loop.level_db for loop in loops] == [-20.0, 0.0]
    for loop, peak in zip(loops, (0.1, 1.0), strict=True):
        np.testing.assert_allclose(loop.input, peak * np.sin(phase), atol=1e-9)
        expected = peak * np.abs(response) * np.sin(phase + np.angle(response))
        np.testing.assert_allclose(loop.output, expected, atol=1e-4)


def test_a_machine_that_can_be_asked_gives_the_targets() -> None:
    loops = transfer_loops(FIRNet(0, 2), 8000, [], frequency_hz=100.0, machine=lambda dry: np.tanh(3 * dry))
    for loop in loops:
        np.testing.assert_allclose(loop.target, np.tanh(3 * loop.input), atol=1e-6)
