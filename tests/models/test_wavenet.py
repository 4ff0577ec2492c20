"""WaveNet against a plain zero-padded one, its published size, its variants under the laws."""

from pathlib import Path

import pytest
import torch
import yaml
from gliding import glide, played
from small_nets import perturbed
from torch import nn

from tapezoo import testing
from tapezoo.models.arguments import ModelArgumentError
from tapezoo.models.wavenet import WaveNet, WaveNetNet

RECIPES = Path(__file__).parents[2] / "recipes" / "wavenet"
SHAPE = ("channels", "dilations", "kernel_size", "head_taps", "activation", "head_scale")


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
            if activation == "leaky_relu":
                z = torch.where(u > 0, u, 0.01 * u)
            elif activation == "gated":
                half = u.shape[1] // 2
                z = torch.tanh(u[:, :half]) * torch.sigmoid(u[:, half:])
            else:
                z = torch.tanh(u)
            if film:
                gain, offset = layer.modulation.affine(path.mT).mT.chunk(2, dim=1)
                z = gain * z + offset
            y, head = y + layer.residual(z), head + z
        head = array.head(nn.functional.pad(head, (array.head.kernel_size[0] - 1, 0)))
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


def test_with_layers_and_a_head_of_their_own_taps_it_is_the_plain_one_after_silence():
    torch.manual_seed(0)
    net = WaveNetNet(1, [5, 3], [1, 5, 2], [4, 2, 7], "leaky_relu", 0.02, "concat", head_taps=6)
    x, controls = torch.randn(2, 1, 200), torch.rand(2, 1)
    expected = plain_wavenet(net, x, glide(controls, controls, 200), "leaky_relu").detach()
    torch.testing.assert_close(played(net, x, controls, controls), expected, atol=1e-6, rtol=1e-5)
    assert net.receptive_field == 6 + 2 * (3 * 1 + 1 * 5 + 6 * 2)


@pytest.mark.parametrize(("recipe", "parameters"), [("a2-lite", 1870), ("a2-full", 12145)])
def test_the_a2_recipes_have_nams_published_sizes(recipe, parameters):
    arguments = yaml.safe_load((RECIPES / f"{recipe}.yaml").read_text())["model"]["init_args"]
    shape = {name: arguments[name] for name in SHAPE}
    net = WaveNetNet(0, **shape)
    assert len(net.layer_names) == 23
    assert count(net) == parameters
    assert net.receptive_field == 6347


@pytest.mark.parametrize(
    ("argument", "value", "found", "expected"),
    [
        ("kernel_size", [3, 3], "2 numbers", "one number, or as many as model.dilations has, 3"),
        ("kernel_size", [3, 3, 1], "[3, 3, 1]", "from 2"),
        ("head_taps", 0, "0", "from 1"),
        ("activation", "relu", "'relu'", "leaky_relu"),
    ],
)
def test_a_shape_from_which_no_net_can_be_built_is_named(argument, value, found, expected):
    with pytest.raises(ModelArgumentError) as caught:
        WaveNetNet(0, [4], [1, 3, 9], **{argument: value})
    for part in (f"model.{argument}", found, expected):
        assert part in str(caught.value)


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
        {
            "channels": [3],
            "dilations": [1, 3, 2],
            "kernel_size": [4, 2, 4],
            "activation": "leaky_relu",
            "head_taps": 5,
        },
    ],
    ids=["smallest", "gated", "a2"],
)
@pytest.mark.parametrize("law", ["streaming", "pure", "causal", "gradients", "controls", "rest", "export"])
def test_variants_keep_the_laws(variant, law):
    testing.CHECKS[law](perturbed(WaveNet, testing.CONTROLS, **variant))
