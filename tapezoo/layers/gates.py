"""Initial gate biases of recurrent layers: each unit starts with a different memory length.

Tallec, Ollivier, "Can recurrent neural networks warp time?", ICLR 2018.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def spread_lstm_memories(lstm: nn.LSTM, memory_samples: float) -> None:
    """Sets forget gates to time constants from 2 to `memory_samples` samples, and input gates to match.

    Args:
        lstm: With any number of layers; its biases are overwritten.
        memory_samples: The last unit's time constant, in samples, 2 or more; the others are spaced geometrically.
    """
    forget = _opening(lstm.hidden_size, memory_samples)
    others = torch.zeros(2 * lstm.hidden_size)
    _set_biases(lstm, torch.cat([-forget, forget, others]))  # PyTorch's gates: input, forget, cell, output


def spread_gru_memories(gru: nn.GRU, memory_samples: float) -> None:
    """Sets update gates to time constants from 2 to `memory_samples` samples; the same gate controls the input.

    Args:
        gru: As in `spread_lstm_memories`.
        memory_samples: As in `spread_lstm_memories`.
    """
    update = _opening(gru.hidden_size, memory_samples)
    zeros = torch.zeros_like(update)
    _set_biases(gru, torch.cat([zeros, update, zeros]))  # PyTorch's gates: reset, update, candidate


def _opening(units: int, memory_samples: float) -> Tensor:
    # b = log(T - 1) gives sigmoid(b) = 1 - 1 / T, a time constant of T samples
    return torch.linspace(0.0, math.log(memory_samples - 1), units)


@torch.no_grad()
def _set_biases(recurrence: nn.RNNBase, bias: Tensor) -> None:
    for name, parameter in recurrence.named_parameters():
        if name.startswith("bias_ih"):
            parameter.copy_(bias)
        elif name.startswith("bias_hh"):
            parameter.zero_()
