"""The torch player: blocks of any length, the last hop, and controls that change between pieces."""

import pytest
import torch
from export.nets import HopNet, lstm

from tapezoo.bundle.play import repeat_rows
from tapezoo.bundle.play import settle as settle_arrays
from tapezoo.export.rounding import net_step
from tapezoo.net import Net
from tapezoo.play import play, settle, stream


@pytest.mark.parametrize("block_samples", [4, 100, 4096])
def test_a_last_partial_hop_is_padded_and_trimmed(block_samples):
    net, input = HopNet(), torch.rand(2, 1, 1001) - 0.5
    state, none = net.initial_state(torch.zeros(2, 0)), torch.zeros(2, 0)
    whole, _ = net(torch.nn.functional.pad(input, (0, 3)), none, state)
    torch.testing.assert_close(play(net, input, none, state, block_samples), whole[..., :1001])


def test_a_path_of_controls_tells_the_net_piece_by_piece():
    net, input = lstm(2), torch.rand(3, 1, 300) - 0.5
    told = torch.rand(300, 3, 2)

    def path(start, samples):
        for first in range(0, samples, 50):
            yield slice(first, first + 50), told[start + first]

    with torch.no_grad():
        state = net.initial_state(told[0])
        output = torch.cat(list(stream(net, input.split(100, dim=-1), path, state)), dim=-1)
        parts = []
        for start in range(0, 300, 50):
            part, state = net(input[..., start : start + 50], told[start], state)
            parts.append(part)
    assert torch.equal(output, torch.cat(parts, dim=-1))


class Counting(Net):
    """Counts the samples for ever, and hears half of its last output."""

    def __init__(self):
        super().__init__(0, receptive_field=None)
        self.register_rest("last", torch.ones(1))
        self.register_endless("count", torch.tensor(5))

    def forward(self, input, controls, state):
        samples = input.shape[-1]
        output = state["last"][:, None] * 0.5 ** torch.arange(1, samples + 1)
        return input + output, {"last": output[..., -1], "count": state["count"] + samples}


def test_settling_neither_waits_for_a_state_that_runs_on_for_ever_nor_moves_it():
    net = Counting()
    state, samples = settle(net, torch.zeros(2, 0))
    assert samples == 4096
    assert state["count"].tolist() == [5, 5]
    assert not state["last"].any()
    rest = repeat_rows({"last": net.rest_last.numpy(), "count": net.rest_count.numpy()}, 2)
    settled = settle_arrays(net_step(net), torch.zeros(2, 0).numpy(), rest, samples, 2048, net.endless_states)
    assert settled["count"].tolist() == [5, 5]
    assert not settled["last"].any()
