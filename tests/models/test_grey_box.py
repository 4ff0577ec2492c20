"""What is particular to the grey box."""

import numpy as np
import pytest
import torch
from gliding import glide
from small_nets import perturbed

from tapezoo import testing
from tapezoo.layers.responses import Explained
from tapezoo.models.grey_box import GreyBox, GreyBoxNet

RATE = 44100


def trained(num_controls=0, peaks=1, followers=2, memory="lag", nonlinearity="tanh"):
    torch.manual_seed(0)
    net = GreyBoxNet(num_controls, peaks, followers, memory, nonlinearity, RATE)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return net


@pytest.mark.parametrize(("num_controls", "moving"), [(0, False), (1, False), (1, True)])
def test_the_blocks_are_chained_as_the_docstring_says(num_controls, moving):
    net, controls, x = trained(num_controls), torch.rand(2, num_controls), torch.randn(2, 1, 300)
    start = 1 - controls if moving else controls
    path, state = glide(start, controls, 300), net.initial_state(start)
    with torch.no_grad():
        y, after = net(x, controls, state)
        levels = torch.stack([net.levels(setting).expand(2, -1) for setting in path.unbind(-1)], dim=-1)
        log_gain, b, gain = (value[:, None] for value in levels.unbind(1))
        u, _ = net.input_eq(x * torch.exp(log_gain), controls, path, state["input_eq"])
        v, _ = net.memory(u, controls, path, state["memory"])
        d, c = torch.exp(3 * torch.tanh(net.curve.log_drive / 3)), 3 * torch.tanh(net.curve.bias / 3)
        f = [(torch.tanh(d * w + c) - torch.tanh(c)) / (d * (1 - torch.tanh(c) ** 2)) for w in (v + b, b)]
        expected, _ = net.output_eq(f[0] - f[1], controls, path, state["output_eq"])
    torch.testing.assert_close(y, gain * expected, atol=1e-5, rtol=1e-5)
    assert {name: value.shape for name, value in after.items()} == {n: v.shape for n, v in state.items()}


@pytest.mark.parametrize("nonlinearity", ["tanh_sum", "mlp", "tanh"])
def test_silence_gives_silence_and_a_fresh_net_changes_quiet_signals_little(nonlinearity):
    controls = torch.zeros(1, 0)
    net = trained(nonlinearity=nonlinearity)
    silence, _ = net(torch.zeros(1, 1, 50), controls, net.initial_state(controls))
    assert torch.equal(silence, torch.zeros(1, 1, 50))
    fresh, x = GreyBoxNet(0, 2, 2, "level", nonlinearity, RATE), 0.01 * torch.randn(1, 1, 200)
    y, _ = fresh(x, controls, fresh.initial_state(controls))
    assert float((y - x).detach().square().sum() / x.square().sum()) < 0.05


def test_stated_counts():
    def count(*arguments):
        return sum(parameter.numel() for parameter in GreyBoxNet(*arguments, RATE).parameters())

    assert count(0, 2, 4, "lag", "tanh_sum") == 64
    for peaks, followers, controls, name, curve in (
        (0, 1, 0, "tanh", 2),
        (3, 2, 2, "tanh_sum", 25),
        (1, 4, 1, "mlp", 96),
    ):
        numbers = 6 * (2 + peaks) + 3 + 3 * followers
        hyper = 4 * 16 * (1 + controls) + 16 * numbers if controls else 0
        assert count(controls, peaks, followers, "level", name) == numbers + hyper + curve


@pytest.mark.parametrize("memory", ["lag", "level"])
def test_its_responses_are_what_its_blocks_do(memory):
    net, controls = trained(1, memory=memory), torch.tensor([[0.4]])
    assert isinstance(net, Explained)
    responses = net.responses(RATE, controls)
    names = list(dict.fromkeys(response.block for response in responses))
    assert names == ["input equaliser", memory, "curve", "output equaliser"]

    whole, *parts = (response for response in responses if response.block == "output equaliser")
    impulse = torch.zeros(1, 1, 1 << 16)
    impulse[..., 0] = 1.0
    with torch.no_grad():
        louder = net.gains(controls[..., None])[2] * impulse
        heard, _ = net.output_eq(louder, controls, controls[..., None], torch.zeros(1, 3, 2))
        spectrum = 20 * np.log10(np.abs(np.fft.rfft(heard[0, 0].double().numpy())))
        bins = np.fft.rfftfreq(1 << 16, 1 / RATE)
        np.testing.assert_allclose(whole.y, np.interp(whole.x, bins, spectrum), atol=0.02)
        assert len(parts) == 3
        assert all("Hz" in part.label and "dB" in part.label for part in parts)

        (curve,) = (response for response in responses if response.block == "curve")
        bias = net.gains(controls[..., None])[1]
        at = torch.tensor(curve.x[70], dtype=torch.float32)
        assert curve.y[70] == pytest.approx(float(net.curve(at + bias) - net.curve(bias)), abs=1e-6)


@pytest.mark.parametrize("law", ["pure", "gradients", "finite", "fading_memory", "rest", "controls"])
@pytest.mark.parametrize(
    "variant",
    [{"memory": "level", "nonlinearity": "mlp"}, {"peaks": 0, "followers": 1, "nonlinearity": "tanh"}],
    ids=str,
)
def test_variants_keep_the_laws(variant, law):
    testing.CHECKS[law](perturbed(GreyBox, testing.CONTROLS, **variant))


def test_equalisers_that_are_turned_far_at_once_do_not_click():
    net = GreyBoxNet(1, 1, 1, "lag", "tanh", RATE)
    with torch.no_grad():
        for eq in (
            net.input_eq,
            net.output_eq,
        ):  # all gains from -8 to +8 dB, frequencies over an octave or more
            hidden, _, last = eq.raw.hyper
            hidden.weight.fill_(2.0)
            hidden.bias.fill_(-1.0)
            last.weight.copy_(
                torch.tensor([0.6] * 3 + [1.0] * 3 + [0.0] * 3)[:, None].expand(-1, 16) / 16 / 0.76
            )
        n = torch.arange(8192)
        sine = (0.5 * torch.sin(2 * np.pi * 440 / RATE * n)).reshape(1, 1, -1)
        low, high = torch.zeros(1, 1), torch.ones(1, 1)
        _, state = net(sine, low, net.initial_state(low))
        sine = (0.5 * torch.sin(2 * np.pi * 440 / RATE * (n + 8192))).reshape(1, 1, -1)
        parts = []
        for block in sine.split(64, dim=-1):
            output, state = net(block, high, state)
            parts.append(output)
        bend = torch.cat(parts, dim=-1)[0, 0].diff(n=2).abs()
        steady = [
            float(net(sine, at, net.initial_state(at))[0][0, 0, 4096:].diff(n=2).abs().max())
            for at in (low, high)
        ]
    assert max(steady) > 2 * min(steady)  # they were turned
    # beside what the louder setting does anyway; coefficients that jumped gave more than tenfold
    assert float(bend.max()) < 1.5 * max(steady)
