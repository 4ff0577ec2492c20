"""Every registered model of this distribution keeps the laws, and the laws can tell."""

import pytest
import torch

from tapezoo import models, registry, testing
from tapezoo.models.fir import FIR, FIRNet
from tapezoo.models.lstm import LSTM, LSTMNet

OURS = [found.name for found in registry.registrations() if found.distribution == "tapezoo"]


@pytest.mark.parametrize("law", [law for name in OURS for law in testing.laws(models.resolve(name))], ids=str)
def test_law(law):
    if law.exemption:
        pytest.skip(law.exemption)
    law()


@pytest.mark.parametrize(
    "variant", [{"num_layers": 2}, {"linear_taps": 0}, {"linear_taps": 64, "hidden_size": 8}]
)
@pytest.mark.parametrize("name", ["streaming", "pure", "gradients", "rest", "export"])
def test_lstm_variants_keep_the_laws(variant, name):
    class Variant(LSTM):
        def __init__(self, **training):
            super().__init__(**variant, **training)

    testing.CHECKS[name](testing.perturbed(Variant, testing.CONTROLS))


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
    return forward(input, controls, {"past": torch.zeros_like(state["past"])})


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
    return forward(input, torch.zeros_like(controls), state)


def pops(net, input, controls, state, forward):
    output, state = forward(input, controls, state)
    return output + torch.nn.functional.pad(torch.ones(1), (0, input.shape[-1] - 1)), state


def divides(net, input, controls, state, forward):
    output, state = forward(input, controls, state)
    return output + 0 / input, state


def remembers_everything(net, input, controls, state, forward):
    output, _ = forward(input, controls, state)
    return output + state["past"].sum(dim=-1, keepdim=True), {"past": state["past"] + 0.0}


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


def test_the_gradient_law_catches_an_unused_parameter():
    class Idle(FIR):
        def __init__(self, **training):
            super().__init__(taps=8, **training)
            self.net.idle = torch.nn.Parameter(torch.ones(3))

    with pytest.raises(testing.LawBroken, match="idle receives no gradient"):
        testing.check_gradients(testing.perturbed(Idle, []))

    class Declared(Idle):
        dead_parameters = {"idle": "kept for a test"}  # noqa: RUF012

    testing.check_gradients(testing.perturbed(Declared, []))


def test_published_parameter_counts():
    def count(net):
        return sum(parameter.numel() for parameter in net.parameters())

    assert count(LSTMNet(0, 32, 1, 1, 1000.0)) == 4514
    assert count(FIRNet(2, 257)) == 257 * 3
