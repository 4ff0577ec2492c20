"""Dilated convolutions with weighted residuals for training on a CPU: compiled loops and a hand-written gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from tapezoo.layers.residual_gradients import head_backward, layer_backward
from tapezoo.layers.residual_layout import (
    LayerWeights,
    Layout,
    Room,
    by_sample,
    cut_gradients,
    groups,
    layouts_of,
    pad_backwards,
    pad_weights,
    room_for,
    room_for_gradients,
    rows_together,
)
from tapezoo.layers.residual_loops import head_forward, layer_forward
from tapezoo.layers.row_blocks import flat, pad_units, part, run_shares, runs_compiled, shares
from tapezoo.layers.sample_products import SAMPLES


def run_residual_stack(
    input: Tensor,
    pasts: Sequence[Tensor],
    layers: Sequence[LayerWeights],
    dilations: Sequence[int],
    head: Tensor,
    head_bias: Tensor,
) -> tuple[Tensor, list[Tensor]]:
    """Layers of `u = W * h + b`, `h' = f(u) + r h` with `h = input` before the first, and `o . h + o_0` of the last h.

    Faster than the same in matrix products, gradient included: see `tapezoo.layers.residual_loops`;
    `benchmarks/train.py` compares whole nets. No gradient is computed for the `pasts`, see `runs_residual_stack`.

    Args:
        input: One channel: the first layer has 1 input, the others have C.
        pasts: For every layer, the (taps - 1) dilation samples of its input before the block.
        layers: Weights of the layers.
        dilations: Dilations of the layers.
        head: o.
        head_bias: o_0.

    Returns:
        The output, and the `pasts` for the next block.

    Shape:
        input, output: (batch, 1, samples); pasts: (batch, inputs, (taps - 1) dilation); head: (C,); head_bias: (1,).
    """
    weights = [weight for layer in layers for weight in layer]
    output, *after = _ResidualStack.apply(list(dilations), input, head, head_bias, *weights, *pasts)  # type: ignore[no-untyped-call]
    return output, after


def runs_residual_stack(input: Tensor, pasts: Sequence[Tensor]) -> bool:
    """Whether `run_residual_stack` applies: float32 on a CPU, not in a traced graph, no gradient of a past wanted."""
    fits = all(past.dtype == torch.float32 and not past.requires_grad for past in pasts)
    return fits and input.dtype == torch.float32 and runs_compiled(input)


def _weights_in(tensors: Sequence[Tensor], count: int) -> list[LayerWeights]:
    return [LayerWeights(*tensors[4 * index : 4 * index + 4]) for index in range(count)]


def _flats(tensors: Sequence[Tensor]) -> list[NDArray[Any]]:
    return [flat(each) for each in tensors]


class _Pasts(NamedTuple):
    """Left context of each layer, stored sample by sample."""

    arrays: list[NDArray[Any]]
    layouts: list[Layout]

    def of(self, index: int, rows: int, first: int, last: int) -> NDArray[Any]:
        array = self.arrays[index]
        return part(array, rows, first, last) if self.layouts[index].past_row else array


class _ResidualStack(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, dilations: list[int], input: Tensor, head: Tensor, head_bias: Tensor, *given: Tensor
    ) -> tuple[Tensor, ...]:
        count, rows, samples = len(dilations), input.shape[0], input.shape[-1]
        own = _weights_in(given, count)
        pasts = [by_sample(past) for past in given[4 * count :]]
        layouts = layouts_of(own, dilations, [past_row for _, past_row in pasts], input)
        kept = room_for(rows, layouts, input) if any(ctx.needs_input_grad) else None
        after = [input.new_empty(rows, layout.reach, layout.own) for layout in layouts]
        output = torch.empty_like(input, memory_format=torch.contiguous_format)
        padded = [_flats(pad_weights(*both)) for both in zip(own, layouts, strict=True)]
        heads = flat(pad_units(head, layouts[-1].width)), flat(head_bias)
        signal, outputs, afters = flat(input.contiguous()), flat(output), _flats(after)
        before = _Pasts(_flats([past for past, _ in pasts]), layouts)

        def run(share: int, first: int, last: int) -> None:
            several = min(last - first, rows_together(layouts[-1]))
            room = kept or room_for(several, layouts, input)
            held = rows if kept else several
            contexts, bent, ends = _flats(room.contexts), _flats(room.bent), flat(room.last)
            for begin, end in groups(first, last, layouts[-1]):
                number, place = end - begin, begin if kept else 0
                here, there = (rows, begin, end), (held, place, place + number)
                parts = [part(each, *there) for each in contexts]
                newest = layouts[0].near
                entered = parts[0].reshape(number, -1)[:, newest : newest + samples]
                entered[...] = part(signal, *here).reshape(number, samples)
                for index, layout in enumerate(layouts):
                    following, to, to_row = part(ends, *there), 0, layout.padded * layout.width
                    if index + 1 < count:
                        following, next_one = parts[index + 1], layouts[index + 1]
                        to, to_row = next_one.near * next_one.stride, next_one.context_row
                    layer_forward(
                        before.of(index, *here), parts[index], *padded[index], part(bent[index], *there), following,
                        part(afters[index], *here), *layout, to, to_row, number,
                    )  # fmt: skip
                head_forward(
                    part(ends, *there), *heads, part(outputs, *here), layout.padded, layout.width, layout.lanes,
                    samples, number,
                )  # fmt: skip

        run_shares(run, shares(rows))
        ctx.set_materialize_grads(False)
        if kept:
            ctx.layouts = layouts
            saved = *(past for past, _ in pasts), *kept.contexts, *kept.bent
            ctx.save_for_backward(kept.last, head, *given[: 4 * count], *saved)
        return output, *(each.transpose(1, 2) for each in after)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor | None, *given_after: Tensor | None) -> tuple[Any, ...]:
        layouts, wanted = ctx.layouts, ctx.needs_input_grad[1]
        last_h, head, *saved = ctx.saved_tensors
        (rows, padded, width), count, last_layout = last_h.shape, len(layouts), layouts[-1]
        own, (samples, lanes) = _weights_in(saved, count), (last_layout.samples, last_layout.lanes)
        before = _Pasts(_flats(saved[4 * count : 5 * count]), layouts)
        room = Room(saved[5 * count : 6 * count], saved[6 * count :], last_h)
        contexts, bent, ends = _flats(room.contexts), _flats(room.bent), flat(last_h)
        d_output = flat(head.new_zeros(rows * samples) if given is None else given.contiguous())
        d_after = [
            flat(head.new_empty(0) if each is None else each.transpose(1, 2).contiguous())
            for each in given_after
        ]
        weights = [
            (flat(dilated), flat(pad_backwards(plain, layout)), flat(slope), flat(residual))
            for plain, layout in zip(own, layouts, strict=True)
            for dilated, _, slope, residual in [pad_weights(plain, layout)]
        ]
        parts = shares(rows)
        found = [
            room_for_gradients(len(parts), plain, layout) for plain, layout in zip(own, layouts, strict=True)
        ]
        for_head, for_head_bias = head.new_zeros(len(parts), width), head.new_zeros(len(parts), 1)
        for_input, o = head.new_zeros(rows if wanted else 0, samples), flat(pad_units(head, width))

        def run(share: int, first: int, last: int) -> None:
            several = min(last - first, rows_together(last_layout))
            d_h = flat(head.new_empty(several, padded, width))
            d_u = flat(head.new_zeros(several, padded + SAMPLES, width))
            sums = [_flats([each[share] for each in of_layer]) for of_layer in found]
            for begin, end in groups(first, last, last_layout):
                number, here = end - begin, (rows, begin, end)
                head_backward(
                    part(d_output, *here), part(ends, *here), o, d_h, flat(for_head[share]),
                    flat(for_head_bias[share]), padded, width, lanes, samples, number,
                )  # fmt: skip
                for index in range(count - 1, -1, -1):
                    carried = part(d_after[index], *here) if d_after[index].size else d_after[index]
                    layer_backward(
                        before.of(index, *here), part(contexts[index], *here), *weights[index],
                        part(bent[index], *here), d_h, d_u, carried, *sums[index], *layouts[index],
                        own[index].dilated.shape[-1], int(wanted or index > 0), number,
                    )  # fmt: skip
                if wanted:
                    d_input = d_h.reshape(several, padded, width)[:number, :samples, 0]
                    for_input[begin:end] = torch.from_numpy(d_input)

        run_shares(run, parts)
        gradients = [
            gradient
            for each, plain, layout in zip(found, own, layouts, strict=True)
            for gradient in cut_gradients(each, plain, layout)
        ]
        for_x = for_input.reshape(rows, 1, samples) if wanted else None
        for_o = for_head.sum(dim=0)[: head.numel()]
        return None, for_x, for_o, for_head_bias.sum(dim=0), *gradients, *[None] * count
