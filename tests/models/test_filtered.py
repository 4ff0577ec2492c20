"""A long filter beside or before a net: the laws hold, blocks do not matter, and it starts as the linear floor."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import torch
from small_nets import perturbed

from tapezoo import models, testing
from tapezoo.filtered import FilterBefore, FilterBeside
from tapezoo.layers.long_filter import long_convolution
from tapezoo.models.fir import FIRNet
from tapezoo.models.wiener_hammerstein import WienerHammersteinNet
from tapezoo.net import Net, State
from tapezoo.training.errors import TrainingError

BESIDE = {"hidden_size": 3, "linear_taps": 1, "filter_beside_taps": 300}
BOTH = {"hidden_size": 3, "linear_taps": 3, "filter_beside_taps": 300, "filter_before_taps": 9}
# what the wrapper could break in each: the laws take seconds each
LAWS = {
    ("LSTM", "beside"): (BESIDE, ["controls", "folded", "gradients", "rest", "export"]),
    ("LSTM", "ahead"): (
        BESIDE | {"filter_lead_samples": 40},
        ["streaming", "causal", "pure", "folded", "export"],
    ),
    ("LSTM", "both"): (BOTH, ["streaming", "pure", "checkpoint", "described", "folded"]),
    ("BlockEDLSTM", "hops"): (
        {"hidden_size": 3, "hop_samples": 24, "filter_beside_taps": 100},
        ["causal", "pure"],
    ),
    ("FIR", "finite"): ({"taps": 9, "filter_before_taps": 40}, ["causal", "pure"]),
    ("WaveNet", "stacks"): (
        {"channels": [3], "dilations": [1, 3], "head_scale": 1.0, "filter_beside_taps": 200},
        ["causal", "described", "gradients"],
    ),
}


@pytest.mark.parametrize(
    ("name", "kind", "law"), [(*key, law) for key, (_, chosen) in LAWS.items() for law in chosen]
)
def test_law(name: str, kind: str, law: str) -> None:
    arguments, _ = LAWS[name, kind]
    controls = (
        [] if law == "export" else testing.CONTROLS
    )  # what export does with controls, its own tests say
    testing.CHECKS[law](perturbed(models.resolve(name), controls, **arguments))


def played(net: Net, x: torch.Tensor, blocks: list[int]) -> torch.Tensor:
    """The output, block by block, the last length for all that is left."""
    outputs, state, start = [], net.initial_state(torch.zeros(1, 0)), 0
    with torch.no_grad():
        while start < x.shape[-1]:
            length = blocks[min(len(outputs), len(blocks) - 1)]
            output, state = net(x[..., start : start + length], torch.zeros(1, 0), state)
            outputs.append(output)
            start += length
    return torch.cat(outputs, dim=-1)


@pytest.mark.parametrize("blocks", [[5000], [1, 64, 7, 333], [64], [4000, 1]])
def test_the_filter_is_the_textbooks_by_fft_and_by_its_sum(blocks: list[int]) -> None:
    rng = np.random.default_rng(0)
    g, x = rng.standard_normal(1500), rng.standard_normal(5000).astype(np.float32)
    net = FilterBeside(FIRNet(0, 4), 1500)  # the FIR adds nothing yet
    net.filter.fit(g, 0.25)
    expected = scipy.signal.lfilter(g, [1.0], x.astype(float)) + 0.25
    output = played(net, torch.from_numpy(x)[None, None], blocks)[0, 0]
    np.testing.assert_allclose(output.numpy(), expected, atol=2e-6 * np.abs(expected).max())


class Late(Net):
    """Gives what it heard five samples ago."""

    def __init__(self) -> None:
        super().__init__(0, receptive_field=6)
        self.latency_samples = 5
        self.register_rest("line", torch.zeros(1, 5))

    def forward(
        self, input: torch.Tensor, controls: torch.Tensor, state: State
    ) -> tuple[torch.Tensor, State]:
        context = torch.cat([state["line"], input], dim=-1)
        return context[..., :-5], {"line": context[..., -5:]}


@pytest.mark.parametrize("blocks", [[960], [3, 64, 1, 500]])
def test_a_filter_beside_a_late_net_is_as_late(blocks: list[int]) -> None:
    x = torch.randn(1, 1, 960, generator=torch.Generator().manual_seed(0))
    net = FilterBeside(Late(), 30)  # says nothing of itself: its gain is 0
    with torch.no_grad():
        net.gain.fill_(0.5)
    late = torch.nn.functional.pad(x, (5, 0))[..., :960]
    torch.testing.assert_close(played(net, x, blocks), 1.5 * late)  # the filter is still the identity
    assert (net.latency_samples, net.receptive_field) == (5, 35)


@pytest.mark.parametrize("blocks", [[960], [3, 64, 1, 500]])
def test_a_filter_that_looks_ahead_is_late_and_so_is_what_its_net_hears(blocks: list[int]) -> None:
    x = torch.randn(1, 1, 960, generator=torch.Generator().manual_seed(0))
    net = FilterBeside(FIRNet(0, 2), 30, lead_samples=7)
    taps = np.random.default_rng(1).standard_normal(30)
    net.filter.fit(taps, 0.0)
    with torch.no_grad():
        net.net.taps.copy_(torch.tensor([[[0.25, 0.5]]]))  # x[n - 1] / 4 + x[n] / 2
    output = played(net, x, blocks)[0, 0, 7:].numpy()
    ahead = np.concatenate([x[0, 0].numpy(), np.zeros(7)])
    expected = (
        scipy.signal.lfilter(taps, [1.0], ahead)[7:] + scipy.signal.lfilter([0.5, 0.25], [1.0], ahead)[:-7]
    )
    np.testing.assert_allclose(output, expected[: len(output)], atol=1e-5)
    assert (net.latency_samples, net.receptive_field) == (7, 30)


def test_the_gradients_of_the_fft_form_are_those_of_the_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    context = torch.randn(2, 1, 900, generator=generator)
    taps = torch.randn(1, 1, 400, generator=generator, requires_grad=True)
    weight = torch.randn(2, 1, 501, generator=generator)
    gradients = []
    for form in (long_convolution, torch.nn.functional.conv1d):
        (form(context, taps) * weight).sum().backward()
        gradients.append(taps.grad)
        taps.grad = None
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-3, rtol=1e-4)


def test_the_report_shows_the_filter_and_what_is_behind_it() -> None:
    net = FilterBefore(WienerHammersteinNet(0, 9, 2), 64)
    taps = np.random.default_rng(0).standard_normal(64)
    net.filter.fit(taps, 0.0)
    first, *others = net.responses(44100, torch.zeros(1, 0))
    _, expected = scipy.signal.freqz(taps, worN=first.x, fs=44100)
    np.testing.assert_allclose(first.y, 20 * np.log10(np.abs(expected)), atol=1e-3)
    assert (first.block, len(others)) == ("filter before the net", 3)


def test_lengths_that_are_none_are_refused() -> None:
    for taps in (1, -5, 1 << 20):
        with pytest.raises(TrainingError, match="filter_beside_taps"):
            models.LSTM(hidden_size=2, filter_beside_taps=taps)
    for arguments in ({"filter_lead_samples": 3}, {"filter_beside_taps": 30, "filter_lead_samples": 30}):
        with pytest.raises(TrainingError, match="filter_lead_samples"):
            models.LSTM(hidden_size=2, **arguments)
    with pytest.raises(TrainingError, match="filter_learning_rate"):
        models.LSTM(hidden_size=2, filter_learning_rate=2.0)
