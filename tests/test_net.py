"""The contract's own code: rest states."""

import pytest
import torch

from tapezoo.models.fir import FIRNet
from tapezoo.models.lstm import LSTMNet
from tapezoo.net import KNOBS, Net, UnfoldableError
from tapezoo.play import SETTLE_BLOCK_SAMPLES, StateError, settle


class Leak(Net):
    """`s[n] = decay s[n-1] + (1 - decay) (x[n] + 0.5)`: at rest at 0.5 + controls, far from zero."""

    def __init__(self, decay: float) -> None:
        super().__init__(1, receptive_field=None)
        self.decay = decay
        self.register_rest("level", torch.zeros(1))

    def forward(self, input, controls, state):
        level, output = state["level"], []
        path, knobs = self.smoothed(controls, state, input.shape[-1])
        path = path.expand(-1, -1, input.shape[-1])
        for sample, knob in zip(input.unbind(-1), path.unbind(-1), strict=True):  # (batch, 1)
            level = self.decay * level + (1 - self.decay) * (sample + 0.5 + knob)
            output.append(level)
        return torch.stack(output, dim=-1), {"level": level, **knobs}


def test_settling_finds_the_state_after_silence_for_every_row_of_controls():
    state, samples = settle(Leak(0.999), torch.tensor([[0.0], [0.25]]))
    torch.testing.assert_close(state["level"], torch.tensor([[0.5], [0.75]]), atol=1e-4, rtol=0)
    assert SETTLE_BLOCK_SAMPLES < samples < 20 * SETTLE_BLOCK_SAMPLES


def test_settling_stops_at_its_limit_with_a_memory_that_never_fades():
    _, samples = settle(Leak(1.0 - 1e-6), torch.zeros(1, 1), tolerance=1e-9, limit_samples=8192)
    assert samples == 8192


def test_a_stored_rest_state_is_what_the_net_starts_from_and_survives_saving():
    net = LSTMNet(0, 4, 1, 1, 1000.0)
    torch.nn.init.normal_(net.lstm.bias_ih_l0)
    state, _ = settle(net, torch.zeros(1, 0))
    net.store_rest(state)
    copy = LSTMNet(0, 4, 1, 1, 1000.0)
    copy.load_state_dict(net.state_dict())
    start = copy.initial_state(torch.zeros(3, 0))
    assert start["hidden"].shape == (3, 1, 4)
    torch.testing.assert_close(start["hidden"], state["hidden"].expand(3, -1, -1))
    start["hidden"].zero_()  # a copy: writing to it must not reach the net
    assert copy.initial_state(torch.zeros(1, 0))["hidden"].abs().max() > 0


def test_a_net_without_a_forward_cannot_be_made():
    class Half(Net):
        pass

    with pytest.raises(TypeError, match="forward"):
        Half(0, None)  # type: ignore[abstract]


def test_fir_taps_are_linear_in_the_controls():
    net = FIRNet(1, 3)
    with torch.no_grad():
        net.taps.copy_(torch.tensor([[[0.0, 0.0, 1.0]], [[2.0, 0.0, 0.0]]]))
    input = torch.tensor([[[1.0, 0.0, 0.0, 0.0]]])
    controls = torch.tensor([[0.25]])
    output, _ = net(input, controls, net.initial_state(controls))
    torch.testing.assert_close(output, torch.tensor([[[1.0, 0.0, 0.5, 0.0]]]))


class Gain(Net):
    """A gain that takes its control as it comes."""

    def __init__(self, smoothing_samples: int) -> None:
        super().__init__(1, 1, smoothing_samples)

    def forward(self, input, controls, state):
        return input * controls.unsqueeze(-1), {}


def test_a_net_that_asks_for_no_glide_needs_no_state_for_it():
    net, controls = Gain(0), torch.tensor([[0.5]])
    assert net.initial_state(controls) == {}
    assert settle(net, controls) == ({}, 0)
    path, knobs = net.smoothed(controls, {}, 100)
    assert torch.equal(path, controls.unsqueeze(-1))
    assert knobs == {}


def test_a_net_that_forgets_its_knobs_is_told_what_to_write():
    with pytest.raises(
        StateError, match=r"Gain.forward: found a state with nothing.*self\.smoothed.*smoothing_samples=0"
    ):
        settle(Gain(64), torch.ones(1, 1))


def test_a_net_that_does_not_say_how_is_not_folded():
    with pytest.raises(
        UnfoldableError, match=r"^Leak: found no `folded`.*Implement `folded`.*without a grid"
    ):
        Leak(0.999).folded(torch.zeros(1))


def test_a_copy_without_knobs_has_neither_controls_nor_their_state():
    net = Leak(0.999)
    net.store_rest(settle(net, torch.ones(1, 1))[0])
    copy = net.without_knobs()
    assert (copy.num_controls, net.num_controls) == (0, 1)
    assert set(copy.rest_state(1)) == {"level"}
    assert set(net.rest_state(1)) == {"level", KNOBS}
    assert not any(name.startswith("rest_control") for name in copy.state_dict())
    copy.rest_level.zero_()
    assert float(net.rest_level) > 1.0
    nothing = torch.zeros(2, 0)
    path, knobs = copy.smoothed(nothing, copy.initial_state(nothing), 10)
    assert path.shape == (2, 0, 1)
    assert knobs == {}
