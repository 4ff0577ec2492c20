"""GCN against a plain zero-padded one, its sizes, its variants under the laws."""

import pytest
import torch
from gliding import glide, played
from small_nets import perturbed
from torch import nn

from tapezoo import testing
from tapezoo.models.gcn import GCN, GCNNet


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def plain_gcn(net: GCNNet, x: torch.Tensor, path: torch.Tensor) -> torch.Tensor:
    """The papers' formulas on a whole signal after silence, from torch's convolutions alone.

    path: (batch, K, samples), the controls.
    """
    h, features = x, []
    for layer in net.layers.values():
        reach = (layer.dilated.kernel_size[0] - 1) * layer.dilated.dilation[0]
        u = layer.dilated(nn.functional.pad(h, (reach, 0)))
        channels = u.shape[1] // 2
        z = torch.tanh(u[:, :channels]) * torch.sigmoid(u[:, channels:])
        if path.shape[1]:
            gain, offset = layer.modulation.affine(path.mT).mT.chunk(2, dim=1)
            z = gain * z + offset
        features.append(z)
        h = h + layer.mix(z)
    return net.output(torch.cat(features, dim=1))


@pytest.mark.parametrize("num_blocks", [1, 2])
@pytest.mark.parametrize("num_controls", [0, 2])
@pytest.mark.parametrize("moving", [False, True])
def test_the_net_is_the_plain_one_after_silence(num_blocks, num_controls, moving):
    torch.manual_seed(0)
    net = GCNNet(num_controls, 6, num_blocks, 4, 3, 2, "film")
    x, controls = torch.randn(2, 1, 200), torch.rand(2, num_controls)
    start = 1 - controls if moving else controls
    expected = plain_gcn(net, x, glide(start, controls, 200)).detach()
    torch.testing.assert_close(played(net, x, start, controls), expected, atol=1e-6, rtol=1e-5)


def test_dilations_start_again_with_every_block():
    net = GCNNet(0, 4, 2, 3, 3, 4, "film")
    assert [layer.dilated.dilation[0] for layer in net.layers.values()] == [1, 4, 16, 1, 4, 16]
    assert net.receptive_field == 1 + 2 * 2 * (1 + 4 + 16)


@pytest.mark.parametrize(
    ("shape", "parameters", "receptive_field"),
    [
        ({}, 17121, 2047),
        ({"num_layers": 5, "kernel_size": 7, "dilation_growth": 4}, 16161, 2047),
        ({"num_blocks": 2, "num_layers": 9}, 31969, 2045),
    ],
    ids=["ten layers", "five layers", "two blocks"],
)
def test_stated_sizes(shape, parameters, receptive_field):
    model = GCN(**shape)
    assert (count(model.net), model.net.receptive_field) == (parameters, receptive_field)
    named = dict(model.net.named_parameters())
    assert sum(named[name].numel() for name in GCNNet.dead_parameters) == 16 * 17


@pytest.mark.parametrize("controls", [0, 3])
def test_the_parameter_formula_of_the_docstring(controls):
    c, layers, k = 5, 6, 4
    expected = 2 * c * k * (1 + (layers - 1) * c) + 2 * c * layers + layers * c * (c + 1) + layers * c + 1
    expected += 2 * layers * c * (controls + 1) if controls else 0
    assert count(GCNNet(controls, c, 2, layers // 2, k, 2, "film")) == expected


@pytest.mark.parametrize(
    "variant",
    [
        {"channels": 3, "num_layers": 1, "kernel_size": 2},
        {"channels": 4, "num_blocks": 2, "num_layers": 2, "dilation_growth": 4},
    ],
    ids=["one layer", "two blocks"],
)
@pytest.mark.parametrize("law", ["streaming", "pure", "causal", "gradients", "controls", "rest", "export"])
@pytest.mark.usefixtures("few_splits")
def test_variants_keep_the_laws(variant, law):
    testing.CHECKS[law](perturbed(GCN, testing.CONTROLS, **variant))
