"""The selective scan of S6: a bank of linear recurrences whose coefficients change with every sample."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

GROUP = 8  # unrolled: eight times eight samples are two nests of short loops, in a traced graph too
PIECE_SAMPLES = GROUP * GROUP
CACHED_SAMPLES = 512  # computed together: every sample has states of its own for as long


def selective_scan(
    x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """`h[t] = exp(delta[t] A) h[t-1] + delta[t] B[t] x[t]`, `y[t] = C[t] . h[t]`, for every channel by itself.

    Gu, Dao, "Mamba: linear-time sequence modeling with selective state spaces", 2023, algorithm 2, with A by
    zero-order hold and B by Euler's rule, as in their code. All channels of a row share B and C.

    In training a plain loop over the samples, on all rows and states at once, with the gradient written by hand: each
    tensor of states is read and written once. Else in pieces of 64 samples whose loops are unrolled, which can be
    traced for any length. Both multiply coefficients of at most 1 and divide by none, so that nothing overflows however
    fast a state forgets.

    Args:
        x: Input.
        delta: Step, 0 or more: the time by which the states advance. At 0 they hold.
        A: Rate of every state, below 0, in 1 / delta.
        B: How the input enters every state.
        C: How every state is heard.
        state: h before the first sample. Outside training all is computed in its type: float64 keeps time constants of
            many thousand samples, whose coefficients are near 1, alike in every runtime.

    Returns:
        y, and h after the last sample in the type of `state`.

    Shape:
        x, delta, y: (samples, rows, channels), samples 1 or more; A: (channels, N); B, C: (samples, rows, N);
        state: (rows, channels, N).
    """
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    if torch.is_grad_enabled() and not tracing:
        y, after = _ScanBySamples.apply(x, delta, A, B, C, state.to(x.dtype))  # type: ignore[no-untyped-call]
        return y, after.to(state.dtype)
    if tracing:
        return _scan_in_pieces(x, delta, A, B, C, state)
    parts = []
    for some in range(0, x.shape[0], CACHED_SAMPLES):
        part = slice(some, some + CACHED_SAMPLES)
        y, state = _scan_in_pieces(x[part], delta[part], A, B[part], C[part], state)
        parts.append(y)
    return torch.cat(parts), state


class _ScanBySamples(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        a = (delta.unsqueeze(-1) * A).exp_()  # (samples, rows, channels, N)
        h = (delta * x).unsqueeze(-1) * B.unsqueeze(2)
        before = state
        for a_t, h_t in zip(a.unbind(), h.unbind(), strict=True):
            before = torch.addcmul(h_t, a_t, before, out=h_t)
        ctx.save_for_backward(x, delta, A, B, C, state, a, h)
        ctx.set_materialize_grads(False)
        return (h * C.unsqueeze(2)).sum(-1), h[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_y: Tensor | None, d_after: Tensor | None) -> tuple[Tensor | None, ...]:
        x, delta, A, B, C, state, a, h = ctx.saved_tensors
        d_y = torch.zeros_like(x) if d_y is None else d_y
        g = d_y.unsqueeze(-1) * C.unsqueeze(2)  # of h[t], to which what h[t+1] hands back is added
        if d_after is not None:
            g[-1] += d_after
        steps = list(zip(a.unbind(), g.unbind(), strict=True))
        for (_, g_t), (a_next, g_next) in zip(reversed(steps[:-1]), reversed(steps[1:]), strict=True):
            torch.addcmul(g_t, a_next, g_next, out=g_t)
        d_state = a[0] * g[0]
        d_C = (h * d_y.unsqueeze(-1)).sum(2)
        d_B = (g * (delta * x).unsqueeze(-1)).sum(2)
        d_entered = (g * B.unsqueeze(2)).sum(-1)  # of delta x
        exponent = g.mul_(a)  # g is needed no more; from here of delta A
        exponent[1:].mul_(h[:-1])
        exponent[0].mul_(state)
        d_delta = (exponent * A).sum(-1).addcmul_(d_entered, x)
        d_A = (exponent * delta.unsqueeze(-1)).sum((0, 1))
        return d_entered * delta, d_delta, d_A, d_B, d_C, d_state


def _scan_in_pieces(
    x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """`selective_scan` without a loop over samples; padded to whole pieces, with steps of 0 that hold the states."""
    samples, heard = x.shape[0], x.dtype
    count = (samples + PIECE_SAMPLES - 1) // PIECE_SAMPLES
    behind = (0, 0, 0, 0, 0, count * PIECE_SAMPLES - samples)
    x, delta, B, C = (pad(each.to(state.dtype), behind) for each in (x, delta, B, C))
    a = torch.exp(delta.unsqueeze(-1) * A.to(state.dtype))  # (samples, rows, channels, N)
    b = (delta * x).unsqueeze(-1) * B.unsqueeze(2)
    # within groups of 8 samples, within pieces of 8 groups, over the pieces; then back down
    over_group, in_group = _within(a.reshape(-1, GROUP, *state.shape), b.reshape(-1, GROUP, *state.shape))
    over_piece, in_piece = _within(
        over_group[:, -1].reshape(-1, GROUP, *state.shape), in_group[:, -1].reshape(-1, GROUP, *state.shape)
    )
    starts = _starts(over_piece[:, -1], in_piece[:, -1], state)  # (pieces, rows, channels, N)
    ends = in_piece + over_piece * starts.unsqueeze(1)  # after every group
    begins = torch.cat([starts.unsqueeze(1), ends[:, :-1]], dim=1).reshape(-1, 1, *state.shape)
    h = (in_group + over_group * begins).reshape(-1, *state.shape)
    y = (h * C.unsqueeze(2)).sum(-1)
    return y[:samples].to(heard), h[-1]


def _within(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The products of a up to every step of a group, and h there from h = 0 before it: (groups, GROUP, ...) each."""
    products, states = [a[:, 0]], [b[:, 0]]
    for step in range(1, GROUP):
        products.append(a[:, step] * products[-1])
        states.append(a[:, step] * states[-1] + b[:, step])
    return torch.stack(products, dim=1), torch.stack(states, dim=1)


# scripted, so that in a traced graph too its loop runs as often as the signal requires
@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _starts(over: Tensor, gained: Tensor, state: Tensor) -> Tensor:
    """The states before every piece: h <- over h + gained from one to the next."""
    place = torch.arange(over.shape[0], device=over.device).reshape(-1, 1, 1, 1)
    starts = state.unsqueeze(0).expand(over.shape[0], -1, -1, -1)
    piece = 1
    while piece < over.shape[0]:  # the same shape in every pass: runtimes warn if it changes
        after = over[piece - 1] * starts[piece - 1] + gained[piece - 1]
        starts = torch.where(place >= piece, after.unsqueeze(0), starts)
        piece += 1
    return starts
