"""An LSTM for training on a CPU: its own compiled loops and a hand-written gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tapezoo.layers.recurrent_loops import lstm_backward, lstm_forward
from tapezoo.layers.row_blocks import (
    cut_gates,
    flat,
    lanes_like,
    pad_gates,
    pad_units,
    padded_units,
    run_shares,
    shares,
    with_ones,
)

_GATES = 4  # i, f, g, o, in PyTorch's order
_HALVES = (0.5, 0.5, 1.0, 0.5)


def run_lstm_for_training(
    input: Tensor, hidden: Tensor, cell: Tensor, weights: Sequence[Sequence[Tensor]]
) -> tuple[Tensor, Tensor, Tensor]:
    """An LSTM equal to PyTorch's but faster on a CPU: see `tapezoo.layers.recurrent_loops`.

    Everything that depends on the previous sample is one compiled loop, forward and backward. The gradient of the
    weights is a matrix product per sample, taken while its factors are in the cache. If no gradient is needed, nothing
    is stored for it. Features lie in memory sample by sample, as PyTorch's do. `benchmarks/train.py` compares the whole
    net with one built on `nn.LSTM`.

    Args:
        input: The signals.
        hidden: The hidden state before the block.
        cell: The cell state before the block.
        weights: weight_ih, weight_hh and the sum of both biases, of every layer.

    Shape:
        input: (batch, samples, channels); hidden, cell: (layers, batch, H); output: (batch, samples, H).
    """
    features = input.transpose(0, 1)
    last_hidden, last_cell = [], []
    for h, c, (W, U, b) in zip(hidden, cell, weights, strict=True):
        if torch.is_grad_enabled():
            features, c = _LSTM.apply(features, h, c, W, U, b)  # type: ignore[no-untyped-call]
        else:
            passed = _run(features, h, c, W, U, b, kept=False)
            features, c = passed.hidden[1:, :, : U.shape[1]], passed.cells[-1, :, : U.shape[1]]
        last_hidden.append(features[-1])
        last_cell.append(c)
    return features.transpose(0, 1), torch.stack(last_hidden), torch.stack(last_cell)


class _Passed(NamedTuple):
    """The arrays that `lstm_forward` fills, and its arguments."""

    signal: Tensor
    hidden: Tensor
    cells: Tensor
    gates: Tensor


def _run(signal: Tensor, h: Tensor, c: Tensor, W: Tensor, U: Tensor, b: Tensor, kept: bool) -> _Passed:
    samples, rows, channels = signal.shape
    size, lanes = U.shape[1], lanes_like(signal)
    units = padded_units(size, lanes)
    halves = torch.tensor(_HALVES, dtype=signal.dtype).repeat_interleave(units)
    into, recurrent = ((pad_gates(each, _GATES, units).t() * halves).contiguous() for each in (W, U))
    bias = pad_gates(b, _GATES, units) * halves
    signal = with_ones(signal)
    hidden = signal.new_empty(samples + 1, rows, units)
    cells = signal.new_empty(samples + 1 if kept else 1, rows, units)
    gates = signal.new_empty(samples if kept else 1, rows, _GATES * units)
    hidden[0], cells[0] = pad_units(h, units), pad_units(c, units)
    arrays = [flat(each) for each in (signal, into, recurrent, bias, hidden, cells, gates)]
    sizes = channels, size, units, lanes, samples, rows
    run_shares(lambda _, *part: lstm_forward(*arrays, *sizes, *part, int(kept)), shares(rows))
    return _Passed(signal, hidden, cells, gates)


class _LSTM(torch.autograd.Function):
    """One layer: (samples, batch, channels) -> (samples, batch, H), and the cell after them."""

    @staticmethod
    def forward(
        ctx: Any, signal: Tensor, h: Tensor, c: Tensor, W: Tensor, U: Tensor, b: Tensor
    ) -> tuple[Tensor, Tensor]:
        passed = _run(signal, h, c, W, U, b, kept=True)
        ctx.save_for_backward(W, U, *passed)
        ctx.set_materialize_grads(False)
        size = U.shape[1]
        return passed.hidden[1:, :, :size], passed.cells[-1, :, :size].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor | None, for_last: Tensor | None) -> tuple[Tensor | None, ...]:
        W, U, signal, hidden, cells, gates = ctx.saved_tensors
        samples, rows, channels = signal.shape[0], signal.shape[1], signal.shape[2] - 1
        size, lanes, units = U.shape[1], lanes_like(signal), hidden.shape[-1]
        given = signal.new_zeros(samples, rows, units) if given is None else pad_units(given, units)
        d_h = signal.new_zeros(rows, units)
        d_c = torch.zeros_like(d_h) if for_last is None else pad_units(for_last, units).clone()
        back = pad_units(pad_gates(U, _GATES, units), units)
        wide = padded_units(channels, lanes) if ctx.needs_input_grad[0] else 0
        through = pad_units(pad_gates(W, _GATES, units)[:, :wide], wide)
        for_signal = signal.new_zeros(samples, rows, wide)
        d_gates = signal.new_empty(rows, _GATES * units)
        parts = shares(rows)
        for_units = signal.new_zeros(len(parts), units, _GATES * units)
        for_inputs = signal.new_zeros(len(parts), channels + 1, _GATES * units)
        arrays = [
            flat(each) for each in (given, signal, hidden, cells, gates, back, through, d_h, d_c, d_gates)
        ]
        sizes = channels, wide, units, lanes, samples, rows

        def run(share: int, first: int, last: int) -> None:
            sums = flat(for_units[share]), flat(for_inputs[share]), flat(for_signal)
            lstm_backward(*arrays, *sums, *sizes, first, last)

        run_shares(run, parts)
        for_U = cut_gates(for_units.sum(dim=0)[:size].t(), _GATES, size)
        inputs = cut_gates(for_inputs.sum(dim=0).t(), _GATES, size)
        for_signal = for_signal[..., :channels] if wide else None
        return for_signal, d_h[:, :size], d_c[:, :size], inputs[:, :channels], for_U, inputs[:, channels]
