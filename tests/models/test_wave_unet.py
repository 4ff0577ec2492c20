"""WaveUNet against one pass over the whole signal, its reach and its latency sample by sample, its limits."""

import pytest
import torch
from gliding import glide
from numpy_cells import count
from small_nets import perturbed
from torch import Tensor
from torch.nn.functional import conv1d, leaky_relu, pad

from tapezoo import testing
from tapezoo.data.batch import Batch
from tapezoo.models.arguments import ModelArgumentError
from tapezoo.models.wave_unet import WaveUNet, WaveUNetNet
from tapezoo.net import UndescribableError


def layer(module, h: Tensor, path: Tensor) -> Tensor:
    """One convolution after zeros, FiLM and the rectifier."""
    u = conv1d(pad(h, (module.filter.kernel_size[0] - 1, 0)), module.filter.weight, module.filter.bias)
    if path.shape[1]:
        gain, offset = module.modulation.affine(path.mT).mT.chunk(2, dim=1)
        u = u * gain + offset
    return leaky_relu(u, 0.2)


def late(h: Tensor, samples: int) -> Tensor:
    return pad(h, (samples, 0))[..., : h.shape[-1]]


def in_one_pass(net: WaveUNetNet, x: Tensor, path: Tensor, delays: list[int]) -> Tensor:
    """The whole signal at once, after zeros in every state; path: (batch, K, samples), the controls."""
    skips, h = [], x
    for level, module in enumerate(net.down):
        h = layer(module, h, path[..., 2**level - 1 :: 2**level])
        if level < len(net.up):
            skips.append(late(h, delays[level]))
            h = h[..., 1::2]
    for level in reversed(range(len(net.up))):
        joined = torch.cat([h.repeat_interleave(2, dim=-1), skips[level]], dim=1)
        h = layer(net.up[level], joined, path[..., 2**level - 1 :: 2**level])
    return conv1d(torch.cat([h, late(x, net.latency_samples)], dim=1), net.output.weight, net.output.bias)


# p = 2, q = 1: of 23 samples 3 go to level 0, 6 to level 1, the rest inwards; 37 is the symmetric net's
@pytest.mark.parametrize(("lookahead", "delays"), [(0, [0, 0, 0]), (23, [20, 7, 0]), (37, [34, 14, 4])])
@pytest.mark.parametrize("blocks", [[240], [8, 96, 16, 120]])
@torch.no_grad()
def test_in_blocks_it_is_what_one_pass_over_the_signal_gives(lookahead, delays, blocks):
    torch.manual_seed(0)
    net = WaveUNetNet(2, 3, 3, 5, 3, lookahead)
    for parameter in net.parameters():
        parameter.add_(0.2 * torch.randn_like(parameter))
    x, target = torch.randn(2, 1, 240), torch.rand(2, 2)
    start, parts = 1 - target, []
    state = net.initial_state(start)
    for part in x.split(blocks, dim=-1):
        output, state = net(part, target, state)
        parts.append(output)
    expected = in_one_pass(net, x, glide(start, target, 240), delays)
    torch.testing.assert_close(torch.cat(parts, dim=-1), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("K", "C", "L", "k", "k_up", "reach"), [(0, 8, 4, 7, 3, 217), (0, 8, 6, 7, 3, 889), (2, 3, 2, 4, 2, 25)]
)
def test_the_documented_parameter_counts_and_reach(K, C, L, k, k_up, reach):
    widths = [(level + 1) * C for level in range(L + 1)]
    down = sum(k * before * width + width for before, width in zip([1, *widths], widths, strict=False))
    up = sum(k_up * (widths[at] + widths[at + 1]) * widths[at] + widths[at] for at in range(L))
    net = WaveUNetNet(K, C, L, k, k_up)
    assert count(net) == down + up + C + 2 + (2 * (K + 1) * C * (L + 1) ** 2 if K else 0)
    assert net.receptive_field == reach
    if (L, K) == (4, 0):
        assert count(net) == 31626


@pytest.mark.parametrize("lookahead", [0, 11])
def test_it_hears_exactly_its_receptive_field_and_nothing_beyond_its_hop(lookahead):
    """The gradient of every output of a hop, summed up by how far back the input lies."""
    net = perturbed(WaveUNet, [], channels=2, num_levels=3, kernel_size=4, lookahead_samples=lookahead).net
    x, nothing = torch.randn(1, 1, 160, requires_grad=True), torch.zeros(1, 0)
    output, _ = net(x, nothing, net.initial_state(nothing))
    heard = []
    for place in range(144, 152):
        gradient = torch.autograd.grad(output[0, 0, place], x, retain_graph=True)[0][0, 0]
        heard.append(gradient.nonzero().flatten())
    assert max(place - int(found[0]) for place, found in zip(range(144, 152), heard, strict=True)) == (
        net.receptive_field - 1
    )
    assert max(int(found[-1]) for found in heard) == 151  # the end of that hop


@torch.no_grad()
def test_the_signal_arrives_as_late_as_declared():
    net = WaveUNetNet(0, 2, 3, 5, 3, 23)
    for parameter in net.parameters():
        parameter.zero_()
    net.output.weight[0, -1] = 1.0  # x alone
    x, nothing = torch.randn(1, 1, 80), torch.zeros(1, 0)
    output, _ = net(x, nothing, net.initial_state(nothing))
    assert net.latency_samples == 23
    assert torch.equal(output, late(x, 23))


@torch.no_grad()
def test_symmetric_the_bottom_and_every_skip_arrive_together():
    """With each convolution passing on its middle tap, a slow ramp through any level is the same ramp."""
    p, q, levels = 2, 1, 3
    whole = (p + q) * (2**levels - 1) + 2**levels * p
    net = WaveUNetNet(0, 1, levels, 2 * p + 1, 2 * q + 1, whole)
    ramp, nothing = torch.arange(1.0, 321.0).reshape(1, 1, 320), torch.zeros(1, 0)
    for way in ("bottom", 2, 1, 0):
        for parameter in net.parameters():
            parameter.zero_()
        for module in net.down:
            module.filter.weight[0, 0, p] = 1.0
        for level, module in enumerate(net.up):
            module.filter.weight[0, level + 2 if level == way else 0, q] = 1.0
        net.output.weight[0, 0] = 1.0
        output, _ = net(ramp, nothing, net.initial_state(nothing))
        settled = (output - late(ramp, whole))[..., 160:]
        hop = 1 if way == 0 else 2 ** (levels if way == "bottom" else way)
        assert float(settled.abs().max()) <= hop - 1, way  # within a sample of that level
        assert float(settled.mean()) == pytest.approx((hop - 1) / 2, abs=1e-3), way


def row_of(samples: int) -> Batch:
    row = torch.zeros(1, 1, samples)
    return Batch(row, row, torch.zeros(1, 0), torch.tensor([samples]), ["row"])


def test_a_hop_that_does_not_divide_a_row_is_refused_with_what_is_possible():
    model = perturbed(WaveUNet, [], channels=1, num_levels=4, kernel_size=2, up_kernel_size=2)
    said = (
        "model.num_levels: found 4, a hop of 16 samples, .* row of 200 samples, .*; expected at most 3 levels"
    )
    with pytest.raises(ModelArgumentError, match=said):
        model.train_on(row_of(200), None)


def test_a_receptive_field_longer_than_a_row_is_refused_with_what_is_possible():
    model = perturbed(WaveUNet, [], channels=1, num_levels=4, kernel_size=7, up_kernel_size=3)
    said = "model.num_levels: found 4 with 7 and 3 taps, a receptive field of 217 .*; expected at most 208 samples"
    with pytest.raises(ModelArgumentError, match=said):
        model.train_on(row_of(208), None)


def test_the_input_scale_is_on_the_fresh_weights_that_hear_the_signal():
    torch.manual_seed(0)
    once = WaveUNetNet(0, 2, 1).state_dict()
    torch.manual_seed(0)
    scaled = WaveUNetNet(0, 2, 1, input_scale=5.0).state_dict()
    for name, value in once.items():
        torch.testing.assert_close(scaled[name], 5 * value if name == "down.0.filter.weight" else value)


def test_it_says_why_there_is_no_kernel():
    with pytest.raises(UndescribableError, match="several sample rates"):
        WaveUNetNet(0, 1, 1).described()


@pytest.mark.parametrize(
    "name", ["streaming", "pure", "causal", "gradients", "folded"]
)  # its graph: test_laws.py
@pytest.mark.usefixtures("few_splits")
def test_with_lookahead_it_keeps_the_laws(name):
    small = {"channels": 2, "num_levels": 2, "kernel_size": 4, "lookahead_samples": 9}
    testing.CHECKS[name](perturbed(WaveUNet, testing.CONTROLS, **small))
