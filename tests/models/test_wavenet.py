"""WaveNet against a plain zero-padded one, its published size, its variants under the laws."""

import pytest
import torch
from gliding import glide, played
from small_nets import perturbed
from torch import nn

from tapezoo import testing
from tapezoo.models.wavenet import WaveNet, WaveNetNet


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def plain_wavenet(
    net: WaveNetNet, x: torch.Tensor, path: torch.Tensor, activation: str, film: bool = False
) -> torch.Tensor:
    """The paper's formulas on a whole signal after silence, from torch's convolutions alone.

    path: (batch, K, samples), the controls, beside x or in each layer's FiLM.
    """
    c = x if film else torch.cat([x, path], dim=1)
    y, head = x, 0.0
    for array in net.arrays.values():
        y = nn.functional.conv1d(y, array.widen.weight)
        for layer in array.layers.values():
            reach = (layer.dilated.kernel_size[0] - 1) * layer.dilated.dilation[0]
            u = layer.dilated(nn.functional.pad(y, (reach, 0))) + layer.mix(c)
            if activation == "gated":
                half = u.shape[1] // 2
                z = torch.tanh(u[:, :half]) * torch.sigmoid(u[:, half:])
            else:
                z = torch.tanh(u)
            if film:
                gain, offset = layer.modulation.affine(path.mT).mT.chunk(2, dim=1)
                z = gain * z + offset
            y, head = y + layer.residual(z), head + z
        head = array.head(head)
    return 0.02 * head


@pytest.mark.parametrize("activation", ["tanh", "gated"])
@pytest.mark.parametrize(
    ("conditioning", "num_controls"), [("concat", 0), ("concat", 2), ("film", 2)], ids=str
)
@pytest.mark.parametrize("moving", [False, True])
def test_the_net_is_the_plain_one_after_silence(activation, conditioning, num_controls, moving):
    torch.manual_seed(0)
    net = WaveNetNet(num_controls, [6, 4], [1, 2, 4, 8], 3, activation, 0.02, conditioning)
    x, controls = torch.randn(2, 1, 200), torch.rand(2, num_controls)
    start = 1 - controls if moving else controls
    path = glide(start, controls, 200)
    expected = plain_wavenet(net, x, path, activation, conditioning == "film").detach()
    torch.testing.assert_close(played(net, x, start, controls), expected, atol=1e-6, rtol=1e-5)


def test_the_default_is_nams_standard_with_its_published_size():
    model = WaveNet()
    assert count(model.net) == 13801
    assert model.net.receptive_field == 4093
    dead = dict(model.net.named_parameters())
    assert sum(dead[name].numel() for name in WaveNetNet.dead_parameters) == 72


@pytest.mark.parametrize("activation", ["tanh", "gated"])
@pytest.mark.parametrize(("channels", "layers", "taps", "controls"), [([5], 1, 2, 0), ([12, 6, 3], 4, 3, 2)])
def test_the_parameter_formula_of_the_docstring(activation, channels, layers, taps, controls):
    net = WaveNetNet(
        controls, channels, [2**layer for layer in range(layers)], taps, activation, 0.02, "concat"
    )
    expected = 1
    for before, width, head in zip([1, *channels], channels, [*channels[1:], 1], strict=False):
        doubled = 2 * width if activation == "gated" else width
        layer = doubled * width * taps + doubled + doubled * (1 + controls) + width**2 + width
        expected += before * width + layers * layer + width * head
    assert count(net) == expected


@pytest.mark.parametrize(
    "variant",
    [
        {"channels": [4], "dilations": [1], "kernel_size": 2},
        {"channels": [4, 3], "dilations": [1, 9], "activation": "gated"},
    ],
    ids=["smallest", "gated"],
)
@pytest.mark.parametrize("law", ["streaming", "pure", "causal", "gradients", "controls", "rest", "export"])
def test_variants_keep_the_laws(variant, law):
    testing.CHECKS[law](perturbed(WaveNet, testing.CONTROLS, **variant))
