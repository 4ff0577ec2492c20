"""What a net says of itself: plain data, complete, and enough to play the net by."""

import json

import pytest
import torch
from torch import nn

from tapezoo import testing
from tapezoo.architecture import Activation, Architecture, Convolution, Dense, SkipStack
from tapezoo.models.fir import FIR, FIRNet
from tapezoo.models.gcn import GCN
from tapezoo.models.grey_box import GreyBox
from tapezoo.models.lstm import HyperLSTMNet, LSTMNet
from tapezoo.models.tcn import TCN, TCNNet
from tapezoo.models.wavenet import WaveNet, WaveNetNet
from tapezoo.net import Net, UndescribableError
from tapezoo.testing.handover import expect_description_fits


def test_a_description_is_plain_data_that_says_every_layers_kind():
    told = json.loads(LSTMNet(2, 4, 2, 3, 100.0).described().to_json())
    assert told["version"] == 2
    assert [layer["kind"] for layer in told["layers"]] == ["lstm", "lstm", "dense"]
    assert [layer["inputs"] for layer in told["layers"]] == [3, 4, 4]
    assert told["layers"][1]["weight_ih"] == "lstm.weight_ih_l1"
    assert (told["controls_at"], told["num_controls"], told["smoothing_samples"]) == ("input", 2, 1024)
    assert (told["linear_path"]["kernel_size"], told["linear_path"]["state"]) == (3, "past")
    assert told["state"] == ["hidden", "cell", "past"]


def test_the_shape_of_neural_amp_modelers_standard_can_be_read_from_it():
    stacks = WaveNetNet(0).described().layers
    assert all(isinstance(stack, SkipStack) for stack in stacks)
    assert [(stack.widen.inputs, stack.widen.outputs, stack.head.outputs) for stack in stacks] == [
        (1, 16, 8),
        (16, 8, 1),
    ]
    assert [layer.convolution.dilation for layer in stacks[0].layers] == [2**power for power in range(10)]
    assert [stack.head.bias is not None for stack in stacks] == [False, True]


@pytest.mark.parametrize("fold", [False, True])
def test_a_modulation_is_named_and_gone_once_folded(fold):
    net = LSTMNet(1, 4, 1, 1, 100.0, "film")
    if fold:
        net = net.folded(torch.tensor([0.3]))
    assert [part.by for part in net.described().modulations()] == ([] if fold else ["FiLM"])


def test_a_net_of_something_else_says_of_what():
    with pytest.raises(UndescribableError, match="a hyper-network without controls"):
        HyperLSTMNet(0, 4, 1, 1, 100.0, 0).described()


@pytest.mark.parametrize(("conditioning", "taps"), [("hyper", 3), ("hyper_blend", 0)])
def test_weights_that_follow_the_controls_are_described(conditioning, taps):
    net = HyperLSTMNet(2, 4, 2, taps, 100.0, 1, conditioning)
    expect_description_fits(net)
    [layer] = net.described().layers
    assert (layer.cell, layer.layers, layer.taps, layer.bent, layer.components) == ("lstm", 2, taps, 1, 4)
    assert layer.blend == (conditioning == "hyper_blend")


def test_folded_these_describe_the_plain_net():
    at = torch.tensor([0.3])
    assert HyperLSTMNet(1, 4, 1, 1, 100.0, 0).folded(at).described().layers[0].kind == "lstm"
    assert FIRNet(1, 8).folded(at).described().layers == (Convolution(1, 1, 8, "taps", state="past"),)


def play(layer, signal, weights):
    """The layers of a TCN by their description alone, from silence."""
    if isinstance(layer, Convolution):
        padded = nn.functional.pad(signal, ((layer.kernel_size - 1) * layer.dilation, 0))
        bias = None if layer.bias is None else weights[layer.bias]
        return nn.functional.conv1d(padded, weights[layer.weight], bias, dilation=layer.dilation)
    if isinstance(layer, Activation):
        return torch.tanh(signal) if layer.weight is None else torch.prelu(signal, weights[layer.weight])
    bent = play(layer.activation, play(layer.convolution, signal, weights), weights)
    return bent + weights[layer.gain] * signal


def test_a_tcn_can_be_played_by_its_description_and_state_dict():
    torch.manual_seed(0)
    net, signal = TCNNet(0, channels=3, num_blocks=2), torch.randn(1, 1, 500)
    played = signal
    with torch.no_grad():
        for layer in net.described().layers:
            played = play(layer, played, net.state_dict())
        wanted, _ = net(signal, torch.zeros(1, 0), net.initial_state(torch.zeros(1, 0)))
    torch.testing.assert_close(played, wanted, atol=1e-5, rtol=1e-4)


SMALL = [
    *[(model, {"conditioning": name}) for model in (TCN, GCN, WaveNet) for name in ("film", "temporal_film")],
    (GCN, {"num_layers": 1}),
    (WaveNet, {"activation": "gated", "channels": [3]}),
    *[(GreyBox, {"memory": "level", "nonlinearity": curve}) for curve in ("tanh", "tanh_sum", "mlp")],
]


@pytest.mark.parametrize("num_controls", [0, 2])
@pytest.mark.parametrize(("model", "arguments"), SMALL)
def test_descriptions_of_variants_are_complete(model, arguments, num_controls):
    controls = testing.CONTROLS[:num_controls]
    testing.check_described(testing.fresh(model, controls, **arguments))


def spoilt(change):
    """A model whose net's description `change` has spoilt."""

    class SpoiltNet(FIRNet):
        def __init__(self, num_controls):
            super().__init__(num_controls, taps=8)

        def described(self):
            return change(super().described())

    class Spoilt(FIR):
        net_class = SpoiltNet

    return testing.fresh(Spoilt, [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda true: Architecture((Dense(1, 1, "gain"),), true.state),
            "gain, which is not in the state dict",
        ),
        (lambda true: Architecture((Convolution(1, 1, 7, "taps"),), true.state), r"\(1, 1, 7\) and has"),
        (lambda true: Architecture((), true.state), "leaves out taps"),
        (lambda true: Architecture(true.layers, ()), "state is described as"),
        (
            lambda true: Architecture(true.layers, true.state, num_controls=1),
            "num_controls is described as 1",
        ),
    ],
)
def test_the_law_catches_a_description_that_does_not_fit(change, said):
    with pytest.raises(testing.LawBroken, match=said):
        testing.check_described(spoilt(change))


def test_what_is_left_out_with_a_reason_is_no_fault():
    testing.check_described(
        spoilt(lambda true: Architecture((), true.state, left_out={"taps": "played by hand"}))
    )


def test_a_net_that_does_not_say_is_told_so():
    with pytest.raises(UndescribableError, match="no `described`"):
        Net.described(FIRNet(0, 8))
