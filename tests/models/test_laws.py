"""Every registered model of this distribution keeps the laws, and the laws can tell."""

import dataclasses
import functools
import inspect

import pytest
import torch
from small_nets import SIZES, kept, perturbed, small

from tapezoo import models, registry, testing
from tapezoo.layers import CONDITIONERS
from tapezoo.models.arguments import ModelArgumentError
from tapezoo.models.fir import FIR, FIRNet
from tapezoo.models.lstm import LSTM, LSTMNet
from tapezoo.net import UndescribableError

OURS = [found.name for found in registry.registrations("models") if found.distribution == "tapezoo"]


# at their own sizes these play for half a minute in the blocks of the gate; small ones take a tenth of that
LONG_EXPORTS = (
    *("GCN", "GreyBox", "Mamba", "MelVocoder", "S4D", "SpectralUNet"),
    *("SubBand", "TCN", "Transformer", "TwoBranch", "WaveNet", "WaveUNet"),
)
ALL_LAWS = [(name, law) for name in OURS for law in testing.laws(models.resolve(name))]
# the graph with controls takes ten seconds, and holds what the one without has
CONTROLLED_EXPORTS = ("STNGrid", "STNPolynomial", "EDLSTM", "BlockEDLSTM", "GRU")
# what plays seconds is played with controls, and without them by a net of each kind; the other laws are quick
LONG_LAWS = ("streaming", "finite", "fading_memory", "rest")
WITHOUT_CONTROLS = ("FIR", "LSTM", "WaveNet")


def is_quick(name, law):
    if law.name in LONG_LAWS:
        return bool(law.controls) or name in WITHOUT_CONTROLS
    if law.name != "export":
        return True
    if name in CONTROLLED_EXPORTS:
        return bool(law.controls)
    return name not in (*LONG_EXPORTS, "STN")  # test_stn.py takes a small one through the gate


def shrunk(name, law):
    """The law on a small net where a large one plays long; it is kept by the large one in the slow tests."""
    plays_long = law.name in (*LONG_LAWS, "folded") and name in LONG_EXPORTS
    return dataclasses.replace(law, arguments=SIZES[name]) if plays_long else law


QUICK_LAWS = [shrunk(name, law) for name, law in ALL_LAWS if is_quick(name, law)]
# those whose length is cut here, as `tapezoo check` has them: minutes
WHOLE_LAWS = [law for _, law in ALL_LAWS if law.name in (*LONG_LAWS, "folded", "export")]


@pytest.fixture
def settled_once(monkeypatch):
    """A copy for each law of one perturbed model."""
    monkeypatch.setattr("tapezoo.testing.law.perturbed", perturbed)
    monkeypatch.setattr("tapezoo.testing.law.fresh", kept)  # whose declarations are read


def expect_kept(law):
    if law.exemption:
        pytest.skip(law.exemption)
    try:
        law()
    except UndescribableError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("law", QUICK_LAWS, ids=str)
@pytest.mark.usefixtures("settled_once")
def test_law(law):
    expect_kept(law)


@pytest.mark.slow
@pytest.mark.parametrize("law", WHOLE_LAWS, ids=str)
@pytest.mark.usefixtures("whole_exports", "whole_laws")
def test_law_at_its_whole_length(law):
    expect_kept(law)


SMALL_EXPORTS = [
    pytest.param(name, controls, marks=pytest.mark.slow if controls == 0 and name != "GCN" else ())
    for name in LONG_EXPORTS
    for controls in (0, 2)
]


# its graph has four thousand nodes otherwise; with peaks it passes in test_every_export.py
SMALLEST = {"GreyBox": {"peaks": 0, "followers": 1}}


@pytest.mark.parametrize(("name", "num_controls"), SMALL_EXPORTS)
def test_a_small_one_passes_the_gate(name, num_controls):
    testing.CHECKS["export"](small(name, None, num_controls, **SMALLEST.get(name, {})))


@pytest.mark.parametrize(
    "variant", [{"num_layers": 2}, {"linear_taps": 0}, {"linear_taps": 64, "hidden_size": 8}]
)
@pytest.mark.parametrize("name", ["streaming", "pure", "gradients", "rest", "export"])
def test_lstm_variants_keep_the_laws(variant, name):
    testing.CHECKS[name](perturbed(LSTM, testing.CONTROLS, **variant))


# what is smallest for each; every conditioner but the default, which the laws above check
SMALL = {
    "BlockEDLSTM": {"hidden_size": 3, "hop_samples": 24},
    "EDLSTM": {"hidden_size": 3, "window_samples": 9},
    "GCN": {"channels": 3, "num_layers": 2},
    "Mamba": {"channels": 3, "modes": 2, "num_blocks": 1, "kernel_size": 2},
    "TCN": {"channels": 3, "num_blocks": 2, "kernel_size": 3, "cond_dim": 4},
    "Transformer": {"channels": 4, "heads": 2, "num_blocks": 1, "window_frames": 3, "hop_samples": 4},
    "S4D": {"channels": 3, "modes": 2, "num_blocks": 1, "longest_memory_samples": 200.0},
    "WaveNet": {"channels": [3], "dilations": [1, 3]},
    "WaveUNet": {"channels": 2, "num_levels": 1, "kernel_size": 2, "up_kernel_size": 2},
}
OTHERS = [
    (name, conditioning)
    for name in SMALL
    for conditioning in CONDITIONERS
    if conditioning != inspect.signature(models.resolve(name)).parameters["conditioning"].default
]


@functools.cache
def conditioned(name, conditioning, num_controls):
    """A small net of that kind, perturbed."""
    controls = testing.CONTROLS[:num_controls]
    return testing.perturbed(models.resolve(name), controls, **SMALL[name], conditioning=conditioning)


@pytest.mark.parametrize("law", ["pure", "controls", "gradients"])
@pytest.mark.parametrize(("name", "conditioning"), OTHERS)
def test_other_conditionings_keep_the_laws(name, conditioning, law):
    testing.CHECKS[law](conditioned(name, conditioning, 2))


# the graph of the memory is the same in each: one convolutional net and, in test_lstm.py, a recurrent one show it
MEMORIES = [
    pytest.param(name, law, marks=pytest.mark.slow if law == "export" and name != "GCN" else ())
    for law in ("streaming", "fading_memory", "export")
    for name in SMALL
]


@pytest.mark.parametrize(("name", "law"), MEMORIES)
def test_a_conditioning_with_a_memory_keeps_the_laws_of_memories(name, law):
    testing.CHECKS[law](conditioned(name, "temporal_film", 2))


@pytest.mark.parametrize("name", SMALL)
def test_the_signal_alone_modulates_a_net_without_controls(name):
    model = conditioned(name, "temporal_film", 0)
    assert model.net.receptive_field is None
    testing.CHECKS["gradients"](model)


@pytest.mark.parametrize("name", SMALL)
def test_a_conditioner_nobody_knows_is_refused(name):
    with pytest.raises(
        ModelArgumentError, match=r"^model.conditioning: found 'affine'; expected one of film"
    ):
        models.resolve(name)(conditioning="affine")


def broken(change):
    """FIR with a net whose forward `change` has spoilt."""

    class BrokenNet(FIRNet):
        def forward(self, input, controls, state):
            return change(self, input, controls, dict(state), super().forward)

    class Broken(FIR):
        def __init__(self, **training):
            super().__init__(taps=32, **training)
            self.net = BrokenNet(self.num_controls, 32)

    return Broken


def forgets(net, input, controls, state, forward):
    return forward(input, controls, {**state, "past": torch.zeros_like(state["past"])})


def counts_blocks(net, input, controls, state, forward):
    net.calls = getattr(net, "calls", 0) + 1
    output, state = forward(input, controls, state)
    return output + 0.001 * net.calls, state


def writes_into_state(net, input, controls, state, forward):
    output, after = forward(input, controls, state)
    state["past"].add_(1.0)
    return output, after


def mixes_rows(net, input, controls, state, forward):
    output, state = forward(input, controls, state)
    return output - output.mean(dim=0, keepdim=True), state


def looks_ahead(net, input, controls, state, forward):
    output, state = forward(input, controls, state)
    return output + 0.5 * torch.nn.functional.pad(input, (0, 1))[..., 1:], state


def hears_longer(net, input, controls, state, forward):
    output, state = forward(input, controls, state)
    return output + 0.1 * torch.nn.functional.pad(input, (100, 0))[..., :-100], state


def ignores_controls(net, input, controls, state, forward):
    still = torch.zeros_like(controls)
    return forward(input, still, {**state, "control_history": torch.zeros_like(state["control_history"])})


def pops(net, input, controls, state, forward):
    output, state = forward(input, controls, state)
    return output + torch.nn.functional.pad(torch.ones(1), (0, input.shape[-1] - 1)), state


def divides(net, input, controls, state, forward):
    output, state = forward(input, controls, state)
    return output + 0 / input, state


def remembers_everything(net, input, controls, state, forward):
    output, after = forward(input, controls, state)
    return output + state["past"].sum(dim=-1, keepdim=True), {**after, "past": state["past"] + 0.0}


@pytest.mark.parametrize(
    ("law", "change"),
    [
        ("streaming", forgets),
        ("pure", counts_blocks),
        ("pure", writes_into_state),
        ("pure", mixes_rows),
        ("causal", looks_ahead),
        ("causal", hears_longer),
        ("controls", ignores_controls),
        ("rest", pops),
        ("finite", divides),
        ("fading_memory", remembers_everything),
    ],
)
def test_a_law_catches_a_net_that_breaks_it(law, change):
    with pytest.raises(testing.LawBroken):
        testing.CHECKS[law](testing.perturbed(broken(change), testing.CONTROLS))


def forgets_the_controls(net, controls, folded):
    return folded(torch.zeros_like(controls))


def moves_the_original(net, controls, folded):
    with torch.no_grad():
        net.taps[0].add_(0.01)
    return folded(controls)


def keeps_its_knobs(net, controls, folded):
    return net


def has_a_state_of_its_own(net, controls, folded):
    other = folded(controls)
    other.register_rest("memory", torch.zeros(3))
    return other


def has_a_shape_of_its_own(net, controls, folded):
    other = folded(controls)
    other.taps = torch.nn.Parameter(torch.nn.functional.pad(other.taps, (int(controls.sum()), 0)))
    return other


def has_a_graph_of_its_own(net, controls, folded):
    other = folded(controls)
    if bool(controls.sum() > 1.0):
        other.register_forward_hook(lambda module, given, result: (result[0] + 0.0, result[1]))
    return other


def forgets_what_was_heard(net, controls, folded):
    other = folded(controls)
    other.register_forward_hook(lambda module, given, result: (result[0], {"past": 0.0 * result[1]["past"]}))
    return other


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (forgets_the_controls, "the folded net, block 0 at controls"),
        (moves_the_original, "folding changes taps of the original"),
        (keeps_its_knobs, "has 2 controls"),
        (has_a_state_of_its_own, "state memory of the folded net is not the net's own"),
        (has_a_shape_of_its_own, "two points differ"),
        (has_a_graph_of_its_own, "do not trace to the same graph"),
        (forgets_what_was_heard, "state past of the folded net, block"),
    ],
)
def test_the_folded_law_catches_a_net_that_breaks_it(change, said):
    class FoldedNet(FIRNet):
        def folded(self, controls):
            return change(self, controls, super().folded)

    class Folded(FIR):
        def __init__(self, **training):
            super().__init__(taps=32, **training)
            self.net = FoldedNet(self.num_controls, 32)

    with pytest.raises(testing.LawBroken, match=said):
        testing.CHECKS["folded"](testing.perturbed(Folded, testing.CONTROLS))


def test_the_gradient_law_catches_an_unused_parameter():
    class IdleNet(FIRNet):
        def __init__(self, num_controls):
            super().__init__(num_controls, taps=8)
            self.idle = torch.nn.Parameter(torch.ones(3))

    class Idle(FIR):
        net_class = IdleNet

    with pytest.raises(testing.LawBroken, match="idle receives no gradient"):
        testing.check_gradients(testing.perturbed(Idle, []))

    declared = testing.perturbed(Idle, [])
    declared.net.dead_parameters = {"idle": "kept for a test"}
    testing.check_gradients(declared)


def test_published_parameter_counts():
    def count(net):
        return sum(parameter.numel() for parameter in net.parameters())

    assert count(LSTMNet(0, 32, 1, 1, 1000.0)) == 4514
    assert count(FIRNet(2, 257)) == 257 * 3
