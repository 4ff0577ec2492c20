"""Control smoothing against a plain loop over samples."""

import pytest
import torch

from tapezoo.layers.smoothing import Knobs, aim, ramp, steps
from tapezoo.net import Net, settle


class Knob(Net):
    """Its output is its first control; the second one, if any, is added with a weight of 2."""

    def __init__(self, num_controls, smoothing_samples):
        super().__init__(num_controls, receptive_field=1, smoothing_samples=smoothing_samples)

    def forward(self, input, controls, state):
        path, knobs = self.smoothed(controls, state, input.shape[-1])
        weights = torch.arange(1.0, self.num_controls + 1).reshape(1, -1, 1)
        return (weights * path).sum(1, keepdim=True).expand(-1, -1, input.shape[-1]) + 0 * input, knobs


def by_samples(settings, block_samples, smoothing_samples):
    """One knob through `settings`, each held for a block, sample by sample in double precision."""
    value, target, start, n = settings[0], settings[0], settings[0], smoothing_samples
    path = []
    for setting in settings:
        if setting != target:
            start, target, n = value, setting, 0
        for _ in range(block_samples):
            n += 1
            value = target if n >= smoothing_samples else start + (target - start) * n / smoothing_samples
            path.append(value)
    return torch.tensor(path)


# a whole ramp, one turned back half-way, one that is let arrive, no change
SETTINGS = [[0.2, 0.9, 0.9, 0.1, 0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5, 0.0, 1.0, 1.0, 1.0]]


@pytest.mark.parametrize("smoothing_samples", [1, 40, 150])
@pytest.mark.parametrize("split", [1, 7, 64])
def test_a_knob_ramps_in_its_fixed_time_however_blocks_are_cut(smoothing_samples, split):
    block_samples = 64
    net, settings = Knob(1, smoothing_samples), torch.tensor(SETTINGS)
    state = net.initial_state(settings[:, :1])
    outputs = []
    for index in range(settings.shape[1]):
        for start in range(0, block_samples, split):
            input = torch.zeros(2, 1, min(split, block_samples - start))
            output, state = net(input, settings[:, index : index + 1], state)
            outputs.append(output)
    expected = torch.stack([by_samples(row, block_samples, smoothing_samples) for row in SETTINGS])
    torch.testing.assert_close(torch.cat(outputs, dim=-1)[:, 0], expected, atol=1e-6, rtol=0)
    assert torch.equal(state["controls"], settings[:, -1:])  # exactly there, not nearly
    assert torch.equal(state["control_ramp"], torch.zeros(2, 1))


def test_a_state_begins_with_the_knobs_at_the_given_controls_and_nothing_moves():
    net = Knob(2, 100)
    controls = torch.tensor([[0.25, 0.5], [1.0, 0.0]])
    path, knobs = net.smoothed(controls, net.initial_state(controls), 50)
    assert path.shape == (2, 2, 1)
    assert torch.equal(path[..., 0], controls)
    assert torch.equal(knobs["controls"], controls)


def test_one_moving_row_gives_every_row_a_path():
    net = Knob(1, 10)
    state = net.initial_state(torch.tensor([[0.5], [0.5]]))
    path, _ = net.smoothed(torch.tensor([[0.5], [1.0]]), state, 20)
    assert path.shape == (2, 1, 20)
    assert torch.equal(path[0], torch.full((1, 20), 0.5))
    torch.testing.assert_close(path[1, 0, 4], torch.tensor(0.75))


def test_a_net_without_controls_has_nothing_to_smooth():
    net = Knob(0, 10)
    assert net.initial_state(torch.zeros(2, 0)) == {}
    path, knobs = net.smoothed(torch.zeros(2, 0), {}, 5)
    assert (path.shape, knobs) == ((2, 0, 1), {})


def test_a_ramp_of_less_than_no_samples_is_refused():
    with pytest.raises(ValueError, match="smoothing_samples"):
        Knob(1, -1)


def test_settling_lets_the_knobs_arrive_first():
    net = Knob(2, 5000)
    controls = torch.tensor([[0.25, 0.75]])
    state, samples = settle(net, controls)
    assert torch.equal(state["controls"], controls)
    assert samples >= 5000
    net.store_rest(state)
    assert torch.equal(net.initial_state(torch.zeros(1, 2))["controls"], torch.zeros(1, 2))
    assert torch.equal(net.rest_state(1)["controls"], controls)


@pytest.mark.parametrize("split", [1, 7, 64, 300])
def test_steps_hold_each_pieces_first_value_however_blocks_are_cut(split):
    smoothing, step = 100, 32
    knobs = Knobs(torch.tensor([[0.0], [0.5]]), torch.tensor([[0.0], [0.5]]), torch.zeros(2, 1))
    held, parts = knobs.value, []
    for controls in (torch.tensor([[1.0], [0.5]]), torch.tensor([[0.2], [0.5]])):
        for start in range(0, 150, split):
            knobs = aim(knobs, controls, smoothing)
            path, after = ramp(knobs, min(split, 150 - start))
            stepped = steps(path, held, knobs.left, smoothing, step)
            held, knobs = stepped[..., -1], after
            parts.append(stepped)
    expected = []
    for begin, end in ((0.0, 1.0), (1.0, 0.2)):
        for n in range(1, 151):
            first = n - (n - 1) % step  # of the piece
            expected.append(end if n >= smoothing else begin + (end - begin) * first / smoothing)
    output = torch.cat(parts, dim=-1)
    torch.testing.assert_close(output[0, 0], torch.tensor(expected), atol=1e-6, rtol=0)
    assert torch.equal(output[1, 0], torch.full((300,), 0.5))
