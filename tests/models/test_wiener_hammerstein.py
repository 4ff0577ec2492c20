"""What is particular to the Wiener-Hammerstein net."""

import numpy as np
import pytest
import torch
from gliding import glide, played, played_by_hand
from scipy.signal import freqz, lfilter

from tapezoo import testing
from tapezoo.layers.responses import Explained
from tapezoo.models.arguments import ModelArgumentError
from tapezoo.models.wiener_hammerstein import WienerHammerstein, WienerHammersteinNet
from tapezoo.net import UndescribableError


def trained(num_controls=0, taps=6, units=3, seed=0):
    torch.manual_seed(seed)
    net = WienerHammersteinNet(num_controls, taps, units)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return net


def by_hand(net, x, controls):
    """The docstring's equations in float64."""
    weights = {name: value.detach().double().numpy() for name, value in net.named_parameters()}
    factors = np.concatenate([[1.0], controls])
    g = (factors @ weights["first.taps"][:, 0])[::-1]
    h = (factors @ weights["second.taps"][:, 0])[::-1]
    w = lfilter(g, [1.0], x)
    if len(controls):
        gamma, beta = weights["drive.affine.weight"] @ controls + weights["drive.affine.bias"]
        w = gamma * w + beta
    z = weights["curve.linear"] * w
    for a, c, b in zip(*(weights[f"curve.{name}"] for name in ("amount", "slope", "offset")), strict=True):
        z += a * (np.tanh(c * w + b) - np.tanh(b))
    return lfilter(h, [1.0], z)


@pytest.mark.parametrize("controls", [[], [0.3, 0.8]])
def test_the_net_is_the_equations_of_its_docstring(controls):
    net, x = trained(len(controls)), np.random.default_rng(0).uniform(-1, 1, 500)
    position = torch.tensor([controls]).reshape(1, -1)
    with torch.no_grad():
        y, _ = net(torch.tensor(x, dtype=torch.float32)[None, None], position, net.initial_state(position))
    memory = net.receptive_field  # before it the net hears its stored past, the reference silence
    np.testing.assert_allclose(y[0, 0, memory:], by_hand(net, x, controls)[memory:], atol=2e-5)


def test_moving_controls_act_sample_by_sample():
    net, x = trained(2), torch.randn(2, 1, 200)
    start, target = torch.rand(2, 2), torch.rand(2, 2)
    expected = played_by_hand(net, x, glide(start, target, 200))
    torch.testing.assert_close(played(net, x, start, target), expected, atol=1e-5, rtol=1e-5)


def test_a_fresh_net_is_the_identity():
    net, x = WienerHammersteinNet(2, 16, 4), torch.randn(2, 1, 100)
    controls = torch.zeros(2, 2)
    y, _ = net(x, controls, net.initial_state(controls))
    torch.testing.assert_close(y, x)


def test_it_recovers_a_machine_of_its_own_kind():
    x = torch.from_numpy(np.random.default_rng(1).uniform(-1, 1, (4, 1, 1024))).float()
    bent = np.tanh(2 * lfilter([0.6, 0.3, -0.2], [1.0], x.numpy(), axis=-1))
    target = torch.from_numpy(lfilter([0.5, -0.25], [1.0], bent, axis=-1)).float()
    torch.manual_seed(0)
    net, controls = WienerHammersteinNet(0, 4, 4), torch.zeros(4, 0)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    for _ in range(500):
        y, _ = net(x, controls, net.initial_state(controls))
        esr = (y - target).square().sum() / target.square().sum()
        optimizer.zero_grad()
        esr.backward()
        optimizer.step()
    assert esr.item() < 5e-4  # the best linear filter leaves .034


def test_stated_counts():
    def count(*shape):
        return sum(parameter.numel() for parameter in WienerHammersteinNet(*shape).parameters())

    assert count(0, 257, 8) == 539
    assert count(2, 100, 5) == 2 * 100 * 3 + 3 * 5 + 1 + 6
    assert WienerHammersteinNet(0, 257, 8).receptive_field == 513


def test_its_responses_are_the_filters_and_the_curve_at_the_given_controls():
    net, controls = trained(1), torch.tensor([[0.7]])
    assert isinstance(net, Explained)
    first, curve, second = net.responses(8000, controls)
    g = (net.first.taps[0, 0] + 0.7 * net.first.taps[1, 0]).detach().numpy()[::-1]
    expected = 20 * np.log10(np.abs(freqz(g, worN=first.x, fs=8000)[1]))
    np.testing.assert_allclose(first.y, expected, atol=1e-4)
    assert (first.kind, curve.kind, second.kind) == ("magnitude", "curve", "magnitude")
    drive, offset = net.drive.affine(controls)[0]
    at = len(curve.x) // 3
    with torch.no_grad():
        bent = net.curve(drive * torch.full((1, 1, 1), curve.x[at], dtype=torch.float32) + offset)
    assert curve.y[at] == pytest.approx(float(bent), abs=1e-6)


@pytest.mark.parametrize("law", ["streaming", "causal", "gradients", "export"])
def test_the_smallest_one_keeps_the_laws(law):
    class Smallest(WienerHammerstein):
        def __init__(self, **training):
            super().__init__(taps=2, units=1, **training)

    testing.CHECKS[law](testing.perturbed(Smallest, testing.CONTROLS))


ANTIALIASED = {"taps": 5, "units": 2, "curve": "antialiased"}


@pytest.mark.parametrize(
    "law",
    [
        "streaming",
        "pure",
        "causal",
        "gradients",
        "controls",
        "finite",
        "rest",
        "checkpoint",
        "folded",
        "export",
    ],
)
def test_an_antialiased_one_keeps_the_laws(law):
    testing.CHECKS[law](testing.perturbed(WienerHammerstein, testing.CONTROLS, **ANTIALIASED))


def test_an_antialiased_one_is_a_sample_late_and_says_that_no_format_of_layers_has_it():
    net = WienerHammersteinNet(0, **ANTIALIASED)
    assert (net.latency_samples, net.receptive_field) == (1, 10)
    with pytest.raises(UndescribableError, match="averaged between the samples"):
        net.described()


def test_a_curve_nobody_knows_is_refused():
    with pytest.raises(
        ModelArgumentError, match=r"^model.curve: found 'soft'; expected one of tanh_sum, antialiased"
    ):
        WienerHammersteinNet(0, curve="soft")
