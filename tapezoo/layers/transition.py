"""A tiny net applied sample by sample to its own last output: for training on a CPU, and for traced graphs."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tapezoo.layers.transition_loops import go_back, go_forward, tanh_table

UNLIMITED = 1e30  # initial limit of M, before any data are known; finite, so that limits can be interpolated
HEADROOM = 1.1  # factor on the largest true output in training


class Weights(NamedTuple):
    """Weights of N nets of L layers of W units, without those of the first layer for the signal.

    Args:
        feedback: Weights of the previous output in the first layer, (N, W).
        hidden: Weights of the layers after it, (N, L - 1, W, W).
        hidden_bias: (N, L - 1, W).
        head: (N, W).
        head_bias: (N,).
        limit: M is limited to +- this, (N,); it gets no gradient.
    """

    feedback: Tensor
    hidden: Tensor
    hidden_bias: Tensor
    head: Tensor
    head_bias: Tensor
    limit: Tensor


def run_transition(heard: Tensor, step: Tensor, turn: Tensor, start: Tensor, weights: Weights) -> Tensor:
    """`M[n] = M[n-1] + step[n] net(heard[n], turn[n] M[n-1])`, limited to +-limit, for N nets and R rows each.

    `net`: a_1 = tanh(heard + feedback M), a_l = tanh(hidden_l a_(l-1) + hidden_bias_l), head a_L + head_bias.

    A compiled loop over samples with a hand-written gradient: rows lie side by side in memory and are computed eight or
    more at once. The part of a net that does not depend on its own output (the first layer's sums without M) is in
    `heard`, from a plain matrix product. Step and turn get no gradient.

    Args:
        heard: The first layer's sums without M.
        step: Factor on the net's output.
        turn: Factor on M at the net's input.
        start: M before the block.
        weights: Weights of the nets.

    Shape:
        heard: (N, W, samples, R); step, turn: (N, samples, R); start: (N, R); result: (N, samples, R).
    """
    return _Transition.apply(heard, step, turn, start, *weights)[:, 1:]  # type: ignore[no-untyped-call, no-any-return]


class _Transition(torch.autograd.Function):
    """M[-1], M[0], ... (N, samples + 1, R)."""

    @staticmethod
    def forward(
        ctx: Any, heard: Tensor, step: Tensor, turn: Tensor, start: Tensor, *weights: Tensor
    ) -> Tensor:
        nets, width, samples, rows = heard.shape
        held = [value.detach().contiguous() for value in (heard, step, turn, *weights)]
        path = heard.new_empty(nets, samples + 1, rows)
        path[:, 0] = start
        units = heard.new_empty(nets, samples, 1 + weights[1].shape[1], width, rows)
        table = tanh_table(heard.new_empty(0).numpy().dtype)
        go_forward(*(value.numpy() for value in held), table, units.numpy(), path.numpy())
        ctx.save_for_backward(*held[1:], units, path)
        return path

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:
        step, turn, *weights, units, path = ctx.saved_tensors
        nets, samples, _, width, rows = units.shape
        for_heard = units.new_empty(nets, width, samples, rows)
        for_weights = [torch.zeros_like(value) for value in weights[:-1]]
        for_start = units.new_empty(nets, rows)
        go_back(
            given.contiguous().numpy(),
            *(
                value.numpy()
                for value in (step, turn, *weights, units, path, for_heard, *for_weights, for_start)
            ),
        )
        return for_heard, None, None, for_start, *for_weights, None


def loop_transition(heard: Tensor, step: Tensor, turn: Tensor, start: Tensor, weights: Weights) -> Tensor:
    """`run_transition` for one net in torch's own operators: a loop in exported graphs, and for any device.

    Shape:
        heard: (W, samples, R); step, turn: (samples, R); start: (R,); result: (samples, R).
    """
    feedback, hidden, hidden_bias, head, head_bias, limit = (part[0] for part in weights)
    signal = heard.permute(1, 2, 0), step.unsqueeze(2), start.unsqueeze(1), turn.unsqueeze(2) * feedback
    last = head.unsqueeze(1), head_bias, -limit, limit
    if hidden.shape[0] == 1:  # unrolled: in a graph, a loop within the loop costs more than its contents
        output = _loop_two_layers(*signal, hidden[0].t(), hidden_bias[0], *last)
    else:
        output = _loop_layers(*signal, hidden.transpose(1, 2), hidden_bias, *last)
    path: Tensor = output.squeeze(2)
    return path


# in both loops, finished samples are joined in pieces of 64, so that a long block is not copied at every sample
@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _loop_two_layers(
    heard: Tensor,
    step: Tensor,
    M: Tensor,
    feedback: Tensor,
    hidden: Tensor,
    hidden_bias: Tensor,
    head: Tensor,
    head_bias: Tensor,
    lowest: Tensor,
    highest: Tensor,
) -> Tensor:
    output = step[:0]
    for first in range(0, heard.shape[0], 64):
        sums, steps, fed = heard[first : first + 64], step[first : first + 64], feedback[first : first + 64]
        piece = step[:0]
        for n in range(sums.shape[0]):
            units = torch.tanh(torch.addcmul(sums[n], M, fed[n]))
            units = torch.tanh(torch.addmm(hidden_bias, units, hidden))
            M = torch.addcmul(M, steps[n], torch.addmm(head_bias, units, head))
            M = torch.minimum(torch.maximum(M, lowest), highest)
            piece = torch.cat([piece, M.unsqueeze(0)])
        output = torch.cat([output, piece])
    return output


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _loop_layers(
    heard: Tensor,
    step: Tensor,
    M: Tensor,
    feedback: Tensor,
    hidden: Tensor,
    hidden_bias: Tensor,
    head: Tensor,
    head_bias: Tensor,
    lowest: Tensor,
    highest: Tensor,
) -> Tensor:
    output = step[:0]
    for first in range(0, heard.shape[0], 64):
        sums, steps, fed = heard[first : first + 64], step[first : first + 64], feedback[first : first + 64]
        piece = step[:0]
        for n in range(sums.shape[0]):
            units = torch.tanh(torch.addcmul(sums[n], M, fed[n]))
            for layer in range(hidden.shape[0]):
                units = torch.tanh(torch.addmm(hidden_bias[layer], units, hidden[layer]))
            M = torch.addcmul(M, steps[n], torch.addmm(head_bias, units, head))
            M = torch.minimum(torch.maximum(M, lowest), highest)
            piece = torch.cat([piece, M.unsqueeze(0)])
        output = torch.cat([output, piece])
    return output
