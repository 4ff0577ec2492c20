"""The torch player: blocks of any length, the last hop, and controls that change between pieces."""

import pytest
import torch
from export.nets import HopNet, lstm

from tapezoo.play import play, stream


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
