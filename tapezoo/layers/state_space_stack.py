"""Blocks of diagonal state spaces for training on a CPU: compiled loops and a hand-written gradient."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from tapezoo.layers.residual_gradients import head_backward
from tapezoo.layers.residual_loops import head_forward
from tapezoo.layers.row_blocks import flat, lanes_like, pad_units, part, run_shares, runs_compiled, shares
from tapezoo.layers.sample_products import INPUTS, SAMPLES, VECTORS
from tapezoo.layers.state_space_loops import (
    PIECE_SAMPLES,
    block_backward,
    block_forward,
    lift_backward,
    lift_forward,
)

_CACHED = 2**16  # numbers per block for the rows that run together: a quarter of a typical level-2 cache


class StateSpaceWeights(NamedTuple):
    """Weights of P blocks of H channels and N modes, with a layer from the signal to H channels and one back."""

    lift: Tensor
    """w, (H,)."""
    lift_bias: Tensor
    """v, (H,)."""
    mix: Tensor
    """W, (P, H, H)."""
    mix_bias: Tensor
    """w, (P, H)."""
    coefficients: Tensor
    """Re A, Im A, Re B, Im B, 2 Re C and -2 Im C of `x[k] = A x[k-1] + B u[k]`, `y[k] = 2 Re(C x[k]) + D u[k]`:
    (P, N, 6, H)."""
    direct: Tensor
    """D, (P, H)."""
    head: Tensor
    """u, (H,)."""
    head_bias: Tensor
    """c, (1,)."""


def run_state_spaces(input: Tensor, state: Tensor, weights: StateSpaceWeights) -> tuple[Tensor, Tensor]:
    """`h = w x + v`; then blocks `h <- h + tanh(S(tanh(W h + w)))`, S a bank of filters; `y = u . h + c`.

    Faster than `tapezoo.layers.recurrence` in matrix products, gradient included: a recurrence over samples takes
    8 operations per mode, a table of 64 samples takes 64 per filter; `benchmarks/train.py` compares whole nets. No
    gradient is computed for the `state`, see `runs_state_spaces`.

    Args:
        input: x.
        state: State of every filter before the block, (Re, Im), of any type; inside a block the input's type is used.
        weights: Weights of the net.

    Returns:
        y, and the state after the block.

    Shape:
        input, y: (batch, 1, samples); state: (batch, P, H, N, 2).
    """
    output, after = _StateSpaces.apply(input, state, *weights)  # type: ignore[no-untyped-call]
    return output, after


def runs_state_spaces(input: Tensor, state: Tensor) -> bool:
    """Whether `run_state_spaces` applies: float32 on a CPU, not in a traced graph, no gradient of the state wanted."""
    return input.dtype == torch.float32 and not state.requires_grad and runs_compiled(input)


class _Sizes(NamedTuple):
    padded: int
    width: int
    lanes: int
    modes: int
    samples: int
    channels: int

    @property
    def states(self) -> int:
        """Number of states stored per row: one before every piece and one after the last."""
        return -(-self.samples // PIECE_SAMPLES) + 1

    @property
    def rows_together(self) -> int:
        """The number of rows for which one block's results are still in the cache when the next block reads them."""
        return max(1, _CACHED // (self.padded * self.width))


def _sizes(input: Tensor, weights: StateSpaceWeights) -> _Sizes:
    lanes, samples, channels = lanes_like(input), input.shape[-1], weights.lift.numel()
    return _Sizes(
        padded=-(-samples // SAMPLES) * SAMPLES,
        width=-(-channels // (VECTORS * lanes)) * VECTORS * lanes,
        lanes=lanes,
        modes=weights.coefficients.shape[1],
        samples=samples,
        channels=channels,
    )


def _pad(weights: StateSpaceWeights, width: int) -> StateSpaceWeights:
    """Channels padded to `width`; the inputs of W as rows."""
    flipped = weights._replace(mix=weights.mix.transpose(1, 2), head_bias=weights.head_bias)
    padded = [pad_units(each, width) for each in flipped[:-1]]
    return StateSpaceWeights(*[*padded, weights.head_bias])


class _Room(NamedTuple):
    """Forward results of some rows that the backward pass needs."""

    hs: Tensor
    """(blocks + 1, rows, padded, P), h before every block and after the last."""
    ms: Tensor
    """(blocks, rows, padded, P), m; `zs` likewise."""
    zs: Tensor


def _room_for(rows: int, blocks: int, sizes: _Sizes, like: Tensor) -> _Room:
    shape = rows, sizes.padded, sizes.width
    return _Room(*(like.new_empty(count, *shape) for count in (blocks + 1, blocks, blocks)))


def _room_for_one(rows: int, blocks: int, sizes: _Sizes, like: Tensor) -> _Room:
    """Like `_room_for`, if nothing is needed for a backward pass: all blocks share the same room."""
    counts = blocks + 1, blocks, blocks
    return _Room(
        *(
            each[:1].expand(count, -1, -1, -1)
            for each, count in zip(_room_for(rows, 1, sizes, like), counts, strict=True)
        )
    )


class _StateSpaces(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, state: Tensor, *given: Tensor) -> tuple[Tensor, Tensor]:
        own = StateSpaceWeights(*given)
        sizes, rows, blocks = _sizes(input, own), input.shape[0], own.mix.shape[0]
        padded, width, lanes, modes, samples, channels = sizes
        weights = _pad(own, width)
        lift, lift_bias, head, head_bias = (
            flat(each) for each in (weights.lift, weights.lift_bias, weights.head, weights.head_bias)
        )
        of_blocks = [[flat(each[block]) for each in weights[2:6]] for block in range(blocks)]
        before = pad_units(state.permute(1, 0, 3, 4, 2).to(input.dtype), width)  # (blocks, rows, modes, 2, P)
        states = input.new_empty(blocks, rows, sizes.states, modes, 2, width)
        states[:, :, 0] = before
        kept = _room_for(rows, blocks, sizes, input) if any(ctx.needs_input_grad) else None
        output = torch.empty_like(input, memory_format=torch.contiguous_format)
        signal, outputs = flat(input.contiguous()), flat(output)
        all_states = [flat(each) for each in states]

        def run(share: int, first: int, last: int) -> None:
            several = min(sizes.rows_together, last - first)
            room = kept or _room_for_one(several, blocks, sizes, input)
            hs, ms, zs = ([flat(each) for each in some] for some in room)
            for begin in range(first, last, several):
                end = min(begin + several, last)
                number, place = end - begin, begin if kept else 0
                here, there = (rows, begin, end), (rows if kept else several, place, place + number)
                parts = [part(each, *there) for each in hs]
                lift_forward(
                    part(signal, *here), lift, lift_bias, parts[0], padded, width, lanes, samples, number
                )
                for block in range(blocks):
                    block_forward(
                        parts[block], *of_blocks[block], part(all_states[block], *here), part(ms[block], *there),
                        part(zs[block], *there), parts[block + 1], padded, width, lanes, modes, samples, channels,
                        number,
                    )  # fmt: skip
                head_forward(
                    parts[-1], head, head_bias, part(outputs, *here), padded, width, lanes, samples, number
                )

        run_shares(run, shares(rows))
        if kept:
            ctx.sizes = sizes
            ctx.save_for_backward(input, states, *kept, *given)
        ctx.set_materialize_grads(False)
        after = states[:, :, -1, :, :, :channels].permute(1, 0, 4, 2, 3).to(state.dtype)
        return output, after.contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor | None, given_after: Tensor | None) -> tuple[Any, ...]:
        sizes: _Sizes = ctx.sizes
        padded, width, lanes, modes, samples, channels = sizes
        input, states, hs, ms, zs, *weights_given = ctx.saved_tensors
        own, rows, wanted = StateSpaceWeights(*weights_given), input.shape[0], ctx.needs_input_grad[0]
        weights, blocks, parts = _pad(own, width), own.mix.shape[0], shares(rows)
        lift, head = flat(weights.lift), flat(weights.head)
        backwards = [flat(each) for each in pad_units(own.mix, width)]
        of_blocks = [
            (flat(weights.coefficients[block]), flat(weights.direct[block])) for block in range(blocks)
        ]
        d_output = flat(input.new_zeros(rows, samples) if given is None else given.contiguous())
        d_states = input.new_zeros(blocks, rows, modes, 2, width)
        if given_after is not None:
            d_states[..., :channels] = given_after.permute(1, 0, 3, 4, 2)
        found = StateSpaceWeights(*(each.new_zeros(len(parts), *each.shape) for each in weights))
        more = -channels % INPUTS  # rows that fill up the last tile of four
        found = found._replace(mix=pad(found.mix, (0, 0, 0, more)))
        d_input = input.new_empty(rows if wanted else 0, samples)
        signal, for_input = flat(input.contiguous()), flat(d_input)
        all_hs, all_ms, all_zs, all_states, all_d_states = (
            [flat(each) for each in some] for some in (hs, ms, zs, states, d_states)
        )

        def run(share: int, first: int, last: int) -> None:
            several = min(sizes.rows_together, last - first)
            d_h, d_y = (flat(input.new_empty(several, padded, width)) for _ in range(2))
            d_m = flat(input.new_zeros(several, padded + SAMPLES, width))
            between = flat(input.new_empty(PIECE_SAMPLES + 1, 2, lanes))
            sums = StateSpaceWeights(*(each[share] for each in found))
            of_sums = [[flat(each[block]) for each in sums[2:6]] for block in range(blocks)]
            for begin in range(first, last, several):
                here = rows, begin, min(begin + several, last)
                number = here[2] - begin
                head_backward(
                    part(d_output, *here), part(all_hs[-1], *here), head, d_h, flat(sums.head), flat(sums.head_bias),
                    padded, width, lanes, samples, number,
                )  # fmt: skip
                for block in range(blocks - 1, -1, -1):
                    block_backward(
                        part(all_hs[block], *here), backwards[block], *of_blocks[block], part(all_states[block], *here),
                        part(all_ms[block], *here), part(all_zs[block], *here), between, d_h, d_y, d_m,
                        part(all_d_states[block], *here), *of_sums[block], padded, width, lanes, modes, samples,
                        channels, number,
                    )  # fmt: skip
                lift_backward(
                    part(signal, *here), lift, d_h, flat(sums.lift), flat(sums.lift_bias),
                    part(for_input, *here) if wanted else for_input, padded, width, lanes, samples, int(wanted), number,
                )  # fmt: skip

        run_shares(run, parts)
        totals = StateSpaceWeights(*(each.sum(dim=0) for each in found))
        cut = [each[..., :channels] for each in totals[:-1]]
        gradients = StateSpaceWeights(*[*cut, totals.head_bias])
        gradients = gradients._replace(mix=gradients.mix[:, :channels].transpose(1, 2))
        return d_input.reshape(rows, 1, samples) if wanted else None, None, *gradients
