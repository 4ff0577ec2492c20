"""A GRU for training on a CPU: the gradient written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

STEPS_AT_ONCE = 64  # of the gradient: as much as stays in a core's cache


def run_gru_for_training(
    input: Tensor, hidden: Tensor, weights: Sequence[Sequence[Tensor]]
) -> tuple[Tensor, Tensor]:
    """A GRU as torch's, with a gradient written by hand, for speed on a CPU.

    All that does not depend on the gradient of the sample after is computed for many samples at once; what is left
    for each sample are three operations. `benchmarks/train.py` compares the whole net with one on `nn.GRU`.

    Args:
        input: The signals.
        hidden: Of the sample before.
        weights: weight_ih, weight_hh, bias_ih and the candidate's part of bias_hh, of every layer; the gates' part
            stands beside bias_ih and can be added to it.

    Shape:
        input: (batch, samples, channels); hidden: (layers, batch, H); output: (batch, samples, H).
    """
    features = input.permute(1, 2, 0)  # (samples, channels, batch)
    last = []
    for start, (W, U, b, c_m) in zip(hidden, weights, strict=True):
        sums = torch.matmul(W, features) + b.unsqueeze(1)  # (samples, 3 H, batch)
        features = _Recurrence.apply(sums, U, c_m, start.t())[1:]  # type: ignore[no-untyped-call]
        last.append(features[-1].t())
    return features.permute(2, 0, 1), torch.stack(last)


class _Recurrence(torch.autograd.Function):
    """h[-1], h[0], ... (samples + 1, H, batch) from the inputs' part of the gates (samples, 3 H, batch)."""

    @staticmethod
    def forward(ctx: Any, sums: Tensor, U: Tensor, c_m: Tensor, start: Tensor) -> Tensor:
        samples, _, batch = sums.shape
        H = U.shape[1]
        gates = torch.empty_like(sums)  # r, z, m of every sample
        inner = sums.new_empty(samples, H, batch)  # U_m h + c_m
        hidden = sums.new_empty(samples + 1, H, batch)
        hidden[0] = start
        U_rz, U_m = U[: 2 * H], U[2 * H :]
        c_m = c_m.unsqueeze(1).expand(H, batch).contiguous()
        h = hidden[0]
        for n, after in enumerate(hidden[1:].unbind()):
            rz, (r, z, m) = gates[n, : 2 * H], gates[n].view(3, H, batch)
            torch.addmm(sums[n, : 2 * H], U_rz, h, out=rz).sigmoid_()
            torch.addmm(c_m, U_m, h, out=inner[n])
            torch.addcmul(sums[n, 2 * H :], r, inner[n], out=m).tanh_()
            torch.lerp(m, h, z, out=after)
            h = after
        ctx.save_for_backward(U, gates, inner, hidden)
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, ...]:
        U, gates, inner, hidden = ctx.saved_tensors
        samples, _, batch = gates.shape
        H = U.shape[1]
        U_transposed = U.t().contiguous()
        for_sums, for_U, for_c = torch.empty_like(gates), torch.zeros_like(U), U.new_zeros(H)
        d_h = given[samples].clone()  # of h[n], while the loop goes back
        d_before = torch.empty_like(d_h)
        for stop in range(samples, 0, -STEPS_AT_ONCE):
            steps = slice(max(stop - STEPS_AT_ONCE, 0), stop)
            r, z, m = gates[steps].view(-1, 3, H, batch).unbind(1)
            before = hidden[steps]
            # what d_h[n] is multiplied with to give the gradient of each sum inside a gate
            to_m = (1 - z) * (1 - m * m)
            to_inner = to_m * r
            to_z = (before - m) * z * (1 - z)
            to_r = to_m * inner[steps] * r * (1 - r)
            factors = torch.stack([to_r, to_z, to_inner], dim=1)  # (steps, 3, H, batch)
            d_gates, d_hidden = torch.empty_like(factors), torch.empty_like(z)
            for n in range(len(factors) - 1, -1, -1):
                d_hidden[n] = d_h
                torch.mul(factors[n], d_h, out=d_gates[n])
                torch.addcmul(given[steps.start + n], d_h, z[n], out=d_before)
                torch.addmm(d_before, U_transposed, d_gates[n].view(3 * H, batch), out=d_h)
            d_gates = d_gates.view(-1, 3 * H, batch)
            for_sums[steps, : 2 * H] = d_gates[:, : 2 * H]
            torch.mul(d_hidden, to_m, out=for_sums[steps, 2 * H :])
            rows = d_gates.transpose(0, 1).reshape(3 * H, -1)  # (3 H, steps batch)
            for_U.addmm_(rows, before.transpose(0, 1).reshape(H, -1).t())
            for_c += d_gates[:, 2 * H :].sum(dim=(0, 2))
        return for_sums, for_U, for_c, d_h
