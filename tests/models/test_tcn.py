"""TCN against a plain zero-padded one, its published sizes, its variants under the laws."""

import pytest
import torch
from gliding import glide, played
from small_nets import perturbed
from torch import nn

from tapezoo import testing
from tapezoo.models.tcn import TCN, TCNNet


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def plain_tcn(net: TCNNet, x: torch.Tensor, path: torch.Tensor, activation: str) -> torch.Tensor:
    """The paper's formulas on a whole signal after silence, from torch's convolutions alone.

    path: (batch, K, samples), the controls.
    """
    h = x
    for block in net.blocks:
        reach = (block.dilated.kernel_size[0] - 1) * block.dilated.dilation[0]
        u = block.dilated(nn.functional.pad(h, (reach, 0)))
        if path.shape[1]:
            gain, offset = block.modulation.affine(net.embedding(path.mT)).mT.chunk(2, dim=1)
            u = gain * u + offset
        sloped = (
            torch.where(u > 0, u, block.activation.weight[:, None] * u) if activation == "prelu" else None
        )
        u = torch.tanh(u) if sloped is None else sloped
        groups = block.dilated.in_channels  # the paper's residual is a grouped 1x1
        h = u + nn.functional.conv1d(h, block.residual[..., None], groups=groups)
    return torch.tanh(net.output(h))


@pytest.mark.parametrize("activation", ["prelu", "tanh"])
@pytest.mark.parametrize("num_controls", [0, 2])
@pytest.mark.parametrize("moving", [False, True])
def test_the_net_is_the_plain_one_after_silence(activation, num_controls, moving):
    torch.manual_seed(0)
    net = TCNNet(num_controls, 6, 3, 4, 3, activation, 5, "film")
    x, controls = torch.randn(2, 1, 200), torch.rand(2, num_controls)
    start = 1 - controls if moving else controls
    expected = plain_tcn(net, x, glide(start, controls, 200), activation).detach()
    torch.testing.assert_close(played(net, x, start, controls), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("kernel_size", "num_blocks", "receptive_field", "parameters", "published"),
    [(5, 4, 4445, 25905, 26), (13, 4, 13333, 50737, 51), (5, 5, 44445, 33201, 33)],
    ids=["uTCN-100", "uTCN-300", "uTCN-1000"],
)
def test_the_papers_nets_have_their_sizes(kernel_size, num_blocks, receptive_field, parameters, published):
    model = TCN(kernel_size=kernel_size, num_blocks=num_blocks, controls=testing.CONTROLS)
    assert model.net.receptive_field == receptive_field
    assert count(model.net) == parameters
    assert round(parameters / 1000) == published  # the paper's table, in thousands


@pytest.mark.parametrize("activation", ["prelu", "tanh"])
@pytest.mark.parametrize("controls", [0, 3])
def test_the_parameter_formula_of_the_docstring(activation, controls):
    c, blocks, k, d = 7, 3, 4, 5
    convolutions = c * k * (1 + (blocks - 1) * c)
    if controls:
        embedding = 16 * (controls + 1) + 17 * d + d * (d + 1)
        expected = convolutions + blocks * (2 * c * (d + 1) + 2 * c) + embedding + c + 1
    else:
        expected = convolutions + 3 * blocks * c + c + 1
    if activation == "tanh":
        expected -= blocks * c
    assert count(TCNNet(controls, c, blocks, k, 2, activation, d, "film")) == expected


@pytest.mark.parametrize(
    "variant",
    [
        {"channels": 3, "num_blocks": 1, "kernel_size": 2},
        {"channels": 6, "num_blocks": 2, "kernel_size": 3, "dilation_growth": 9, "activation": "tanh"},
    ],
    ids=["smallest", "tanh"],
)
@pytest.mark.parametrize("law", ["streaming", "pure", "causal", "gradients", "controls", "rest", "export"])
def test_variants_keep_the_laws(variant, law):
    testing.CHECKS[law](perturbed(TCN, testing.CONTROLS, **variant))
