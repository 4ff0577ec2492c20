"""The gates a recurrent layer starts with, from the biases PyTorch documents."""

import pytest
import torch
from torch import nn

from tapezoo.layers.gates import spread_gru_memories, spread_lstm_memories


def biases(recurrence: nn.RNNBase, layer: int, gates: int) -> list[torch.Tensor]:
    """What every gate of one layer adds up to without input, one tensor per gate."""
    own = (getattr(recurrence, f"bias_{source}_l{layer}") for source in ("ih", "hh"))
    return list(sum(own).detach().chunk(gates))


@pytest.mark.parametrize("layer", [0, 1])
def test_what_an_lstms_cell_keeps_and_lets_in_adds_up_to_one(layer):
    lstm = nn.LSTM(3, 5, 2)
    spread_lstm_memories(lstm, 900.0)
    enter, forget, candidate, leave = biases(lstm, layer, 4)
    lengths = 1 / (1 - torch.sigmoid(forget))
    torch.testing.assert_close(lengths[[0, -1]], torch.tensor([2.0, 900.0]), rtol=1e-3, atol=0)
    spacing = torch.diff(torch.log(lengths - 1))
    torch.testing.assert_close(spacing, spacing[:1].expand(4), rtol=1e-3, atol=0)
    torch.testing.assert_close(torch.sigmoid(enter) + torch.sigmoid(forget), torch.ones(5))
    assert not candidate.any()
    assert not leave.any()


@pytest.mark.parametrize("layer", [0, 1])
def test_a_grus_update_gates_keep_for_two_samples_to_the_longest(layer):
    gru = nn.GRU(3, 5, 2)
    spread_gru_memories(gru, 900.0)
    reset, update, candidate = biases(gru, layer, 3)
    lengths = 1 / (1 - torch.sigmoid(update))
    torch.testing.assert_close(lengths[[0, -1]], torch.tensor([2.0, 900.0]), rtol=1e-3, atol=0)
    assert not reset.any()
    assert not candidate.any()
