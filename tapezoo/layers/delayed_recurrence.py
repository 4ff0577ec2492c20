"""LSTM and GRU layers that hear their state of more than one sample ago, read between the samples."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tapezoo.layers.delayed_loops import gru_rows, lstm_rows
from tapezoo.layers.row_blocks import runs_compiled


def delay_taps(delay_samples: float, order: int = 3) -> Tensor:
    """Lagrange's interpolation of a delay, from samples that are 1 or more old.

    Its tap for the sample k ago is `prod_{j != k} (delay - j) / (k - j)` over `order + 1` neighbours k, j. The delay
    lies in the middle of them if all can be 1 or more samples old, so from 2 samples on; at whole samples it is exact.

    Välimäki, Laakso, "Principles of fractional delay filters", ICASSP 2000.

    Args:
        delay_samples: 1 or more.
        order: 1: linear; 3: cubic. Odd.

    Returns:
        The taps, oldest first and that of the last sample last: as many as the oldest is old.
    """
    first = max(1, math.floor(delay_samples) - order // 2)
    ages = range(first, first + order + 1)
    taps = torch.zeros(first + order, dtype=torch.float64)
    for age in ages:
        others = [other for other in ages if other != age]
        taps[-age] = math.prod((delay_samples - other) / (age - other) for other in others)
    return taps


def spread_taps(taps: Tensor, ratio: float) -> Tensor:
    """A filter for a sample rate `ratio` times as high: each tap is a delay of that many more samples.

    Args:
        taps: (1, 1, taps), the last one for the current sample.
        ratio: 1 or more.
    """
    delays = [age * ratio for age in range(taps.shape[-1])]
    longest = math.floor(delays[-1]) + 4
    spread = taps.new_zeros(1, 1, longest)
    spread[..., -1] = taps[..., -1]
    for age, delay in enumerate(delays[1:], start=1):
        read = delay_taps(delay).to(taps)
        spread[..., longest - 1 - len(read) : longest - 1] += taps[..., -1 - age, None] * read
    return spread


def run_delayed_lstm(
    sums: Tensor, hidden: Tensor, cell: Tensor, recurrent: Tensor, taps: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """An LSTM layer that hears `taps` of its last h and c; gates as in PyTorch: i, f, g, o.

    Args:
        sums: What the input and the biases add to the gates.
        hidden: The last values of h, oldest first.
        cell: Those of c.
        recurrent: Weights of h.
        taps: Of h and c alike, see `delay_taps`.

    Returns:
        h of every sample, and the last values of h and c after the block.

    Shape:
        sums: (batch, samples, 4 H); hidden, cell: (batch, taps, H); recurrent: (H, 4 H); taps: (1, 1, taps).
    """
    if not _only_plays(sums):
        output: tuple[Tensor, Tensor, Tensor] = _loop_lstm(sums, hidden, cell, recurrent, taps)
        return output
    length = taps.shape[2]
    states = [nn.functional.pad(state, (0, 0, 0, sums.shape[1])).contiguous() for state in (hidden, cell)]
    work = sums.new_empty(hidden.shape[2]), sums.new_empty(sums.shape[2])
    given = sums.contiguous(), *states, recurrent.contiguous(), taps[0, 0].contiguous(), *work
    lstm_rows(*(value.detach().numpy() for value in given))
    return states[0][:, length:], states[0][:, -length:], states[1][:, -length:]


def run_delayed_gru(
    sums: Tensor, hidden: Tensor, recurrent: Tensor, bias: Tensor, taps: Tensor
) -> tuple[Tensor, Tensor]:
    """A GRU layer that hears `taps` of its last h; gates as in PyTorch: r, z, m.

    Args:
        sums: What the input and its biases add to the gates.
        hidden: The last values of h, oldest first.
        recurrent: Weights of h.
        bias: That of h, which the reset gate scales in m.
        taps: See `delay_taps`.

    Returns:
        h of every sample, and its last values after the block.

    Shape:
        sums: (batch, samples, 3 H); hidden: (batch, taps, H); recurrent: (H, 3 H); bias: (3 H,); taps: (1, 1, taps).
    """
    if not _only_plays(sums):
        output: tuple[Tensor, Tensor] = _loop_gru(sums, hidden, recurrent, bias, taps)
        return output
    length = taps.shape[2]
    states = nn.functional.pad(hidden, (0, 0, 0, sums.shape[1])).contiguous()
    work = sums.new_empty(hidden.shape[2]), sums.new_empty(sums.shape[2])
    given = sums.contiguous(), states, recurrent.contiguous(), bias, taps[0, 0].contiguous(), *work
    gru_rows(*(value.detach().numpy() for value in given))
    return states[:, length:], states[:, -length:]


def _only_plays(sums: Tensor) -> bool:
    """Whether the compiled loops run: without a gradient, which they have none for."""
    return not torch.is_grad_enabled() and runs_compiled(sums)


# both are scripted, so that in a traced graph too the loops run once for every sample; finished samples are joined in
# pieces of 64, so that a long block is not copied at every sample
@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _loop_lstm(
    sums: Tensor, hidden: Tensor, cell: Tensor, recurrent: Tensor, taps: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """See `run_delayed_lstm`."""
    length = taps.shape[2]
    features = sums[:, :0, : hidden.shape[2]]
    for first in range(0, sums.shape[1], 64):
        piece = sums[:, first : first + 64]
        for n in range(piece.shape[1]):
            gates = piece[:, n] + torch.matmul(torch.matmul(taps, hidden[:, n : n + length])[:, 0], recurrent)
            let_in, kept, candidate, shown = gates.chunk(4, dim=1)
            before = torch.matmul(taps, cell[:, n : n + length])[:, 0]
            now = torch.sigmoid(kept) * before + torch.sigmoid(let_in) * torch.tanh(candidate)
            cell = torch.cat([cell, now.unsqueeze(1)], dim=1)
            hidden = torch.cat([hidden, (torch.sigmoid(shown) * torch.tanh(now)).unsqueeze(1)], dim=1)
        features = torch.cat([features, hidden[:, length:]], dim=1)
        hidden, cell = hidden[:, -length:], cell[:, -length:]
    return features, hidden, cell


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _loop_gru(
    sums: Tensor, hidden: Tensor, recurrent: Tensor, bias: Tensor, taps: Tensor
) -> tuple[Tensor, Tensor]:
    """See `run_delayed_gru`."""
    length = taps.shape[2]
    features = sums[:, :0, : hidden.shape[2]]
    for first in range(0, sums.shape[1], 64):
        piece = sums[:, first : first + 64]
        for n in range(piece.shape[1]):
            before = torch.matmul(taps, hidden[:, n : n + length])[:, 0]
            r_in, z_in, m_in = piece[:, n].chunk(3, dim=1)
            r_own, z_own, m_own = torch.addmm(bias, before, recurrent).chunk(3, dim=1)
            m = torch.tanh(m_in + torch.sigmoid(r_in + r_own) * m_own)
            now = m + torch.sigmoid(z_in + z_own) * (before - m)
            hidden = torch.cat([hidden, now.unsqueeze(1)], dim=1)
        features = torch.cat([features, hidden[:, length:]], dim=1)
        hidden = hidden[:, -length:]
    return features, hidden
