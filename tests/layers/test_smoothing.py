"""Control smoothing against a plain loop over samples."""

import numpy as np
import pytest
import torch

from tapezoo.layers.smoothing import fill_history, glide, samples_left, steps
from tapezoo.net import KNOBS, Net
from tapezoo.play import settle


class Knob(Net):
    """Its output is its first control; the second one, if any, is added with a weight of 2."""

    def __init__(self, num_controls, smoothing_samples):
        super().__init__(num_controls, receptive_field=1, smoothing_samples=smoothing_samples)

    def forward(self, input, controls, state):
        path, knobs = self.smoothed(controls, state, input.shape[-1])
        weights = torch.arange(1.0, self.num_controls + 1).reshape(1, -1, 1)
        return (weights * path).sum(1, keepdim=True).expand(-1, -1, input.shape[-1]) + 0 * input, knobs


def by_samples(settings, block_samples, smoothing_samples):
    """One knob through `settings`, each held for a block: the mean of its last targets, in double precision."""
    told = np.repeat(settings, block_samples).astype(np.float64)
    told = np.concatenate([np.full(smoothing_samples - 1, settings[0]), told])
    means = np.convolve(told, np.full(smoothing_samples, 1 / smoothing_samples), mode="valid")
    return torch.from_numpy(means).float()


# a whole glide, one turned back half-way, one that is let arrive, no change
SETTINGS = [[0.2, 0.9, 0.9, 0.1, 0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5, 0.0, 1.0, 1.0, 1.0]]


@pytest.mark.parametrize("smoothing_samples", [1, 40, 150])
@pytest.mark.parametrize("split", [1, 7, 64])
def test_a_knob_is_at_the_mean_of_its_last_targets_however_blocks_are_cut(smoothing_samples, split):
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
    assert torch.equal(outputs[-1][..., -1], settings[:, -1:])  # exactly there, not nearly
    assert torch.equal(state[KNOBS], settings[:, -1:, None].expand(-1, -1, smoothing_samples))


def test_a_lone_new_target_is_a_straight_line_and_then_exactly_there():
    net, controls = Knob(1, 1000), torch.tensor([[0.3]])
    path, _ = net.smoothed(controls, net.initial_state(torch.tensor([[0.9]])), 1200)
    wanted = 0.9 - 0.6 * np.minimum(np.arange(1, 1201) / 1000, 1)
    np.testing.assert_allclose(path[0, 0].numpy(), wanted, atol=1e-7)
    assert torch.equal(path[..., 999:], controls.unsqueeze(-1).expand(-1, -1, 201))


@pytest.mark.parametrize("every_samples", [1, 16, 64, 500])
def test_a_moving_knob_is_followed_as_late_however_often_it_is_told(every_samples):
    length, samples = 1024, 6000
    net, state, paths = Knob(1, length), Knob(1, length).initial_state(torch.zeros(1, 1)), []
    for start in range(0, samples, every_samples):
        # a straight way, told at each step's middle
        told = torch.full((1, 1), (start + (every_samples - 1) / 2) / samples)
        path, state = net.smoothed(told, state, every_samples)
        paths.append(path.expand(-1, -1, every_samples))
    way = torch.cat(paths, dim=-1)[0, 0, 2000:].double().numpy() * samples
    late = np.arange(2000, 2000 + len(way)) - way
    assert late.mean() == pytest.approx((length - 1) / 2, abs=1)
    assert np.abs(late - late.mean()).max() <= every_samples / 8  # the steps of a slow one, smoothed


def test_a_way_of_many_targets_is_in_single_precision_what_it_is_in_double():
    told = torch.rand(1, 3, 200)
    ways = []
    for dtype in (torch.float32, torch.float64):
        history, parts = (
            fill_history(torch.rand(1, 3, generator=torch.Generator().manual_seed(0)).to(dtype), 1024),
            [],
        )
        for controls in told.to(dtype).unbind(-1):
            path, history = glide(history, controls, 7)
            parts.append(path)
        ways.append(torch.cat(parts, dim=-1).double())
    torch.testing.assert_close(*ways, atol=1e-7, rtol=0)


def test_weights_from_before_the_history_load_with_their_rest():
    net = Knob(2, 100)
    net.load_state_dict(
        {
            "rest_controls": torch.tensor([0.2, 0.4]),
            "rest_control_targets": torch.tensor([0.2, 0.4]),
            "rest_control_ramp": torch.zeros(1),
        }
    )
    assert torch.equal(net.rest_state(1)[KNOBS], torch.tensor([[[0.2], [0.4]]]).expand(-1, -1, 100))


def test_a_state_begins_with_the_knobs_at_the_given_controls_and_nothing_moves():
    net = Knob(2, 100)
    controls = torch.tensor([[0.25, 0.5], [1.0, 0.0]])
    path, knobs = net.smoothed(controls, net.initial_state(controls), 50)
    assert path.shape == (2, 2, 1)
    assert torch.equal(path[..., 0], controls)
    assert torch.equal(knobs[KNOBS], fill_history(controls, 100))


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
    assert torch.equal(state[KNOBS], fill_history(controls, 5000))
    assert samples >= 5000
    net.store_rest(state)
    assert torch.equal(net.initial_state(torch.zeros(1, 2))[KNOBS], torch.zeros(1, 2, 5000))
    assert torch.equal(net.rest_state(1)[KNOBS], fill_history(controls, 5000))


@pytest.mark.parametrize("split", [1, 7, 64, 300])
def test_steps_hold_each_pieces_first_value_however_blocks_are_cut(split):
    smoothing, step = 100, 32
    history, parts = fill_history(torch.tensor([[0.0], [0.5]]), smoothing), []
    held = history[..., -1]
    for controls in (torch.tensor([[1.0], [0.5]]), torch.tensor([[0.2], [0.5]])):
        for start in range(0, 150, split):
            left = samples_left(history, controls)
            path, history = glide(history, controls, min(split, 150 - start))
            stepped = steps(path, held, left, smoothing, step)
            held = stepped[..., -1]
            parts.append(stepped)
    expected = []
    for begin, end in ((0.0, 1.0), (1.0, 0.2)):
        for n in range(1, 151):
            first = n - (n - 1) % step  # of the piece
            expected.append(end if n >= smoothing else begin + (end - begin) * first / smoothing)
    output = torch.cat(parts, dim=-1)
    torch.testing.assert_close(output[0, 0], torch.tensor(expected), atol=1e-6, rtol=0)
    assert torch.equal(output[1, 0], torch.full((300,), 0.5))
