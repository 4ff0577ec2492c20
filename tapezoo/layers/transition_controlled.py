"""State transition nets whose weights differ between rows, and change in steps while controls move."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tapezoo.layers.transition import Weights, loop_transition, run_transition
from tapezoo.layers.transition_hearing import Hearing
from tapezoo.layers.transition_loops import tanh_table
from tapezoo.layers.transition_pieces import go_through
from tapezoo.layers.transition_weights import WeightsByControls


def run_controlled(hearing: Hearing, stepped: Tensor, start: Tensor, weights: WeightsByControls) -> Tensor:
    """M sample by sample. Rows at the same controls run as one batch, and the block is cut where controls change.

    Args:
        hearing: Inputs of the block.
        stepped: The controls.
        start: M before the block.
        weights: The weights as a function of the controls.

    Shape:
        stepped: (batch, K, samples), or (batch, K, 1) while they are constant; start: (batch, 1);
        result: (samples, batch).
    """
    if start.device.type == "cpu" and not torch.is_grad_enabled():
        return _play(hearing, stepped, start, weights)
    if stepped.shape[-1] == 1:
        return _run_piece(hearing, stepped[..., 0], start[:, 0], weights)
    starts, stops = piece_ends(stepped)
    outputs, M = [], start[:, 0]
    for first, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        piece = Hearing(hearing.heard[:, first:stop], hearing.step[first:stop], hearing.turn[first:stop], {})
        outputs.append(_run_piece(piece, stepped[..., first], M, weights))
        M = outputs[-1][-1]
    return torch.cat(outputs)


def _play(hearing: Hearing, stepped: Tensor, start: Tensor, weights: WeightsByControls) -> Tensor:
    """One compiled loop: moving controls give many short blocks, for which torch's operators are too slow."""
    batch, num_controls, _ = stepped.shape
    starts = piece_ends(stepped)[0]
    pieces = len(starts)
    controls = stepped[:, :, starts].permute(2, 0, 1).reshape(pieces * batch, num_controls)
    vectors = weights(controls) if num_controls else weights(controls[:1]).expand(batch, -1)
    path = start.new_empty(len(hearing.step) + 1, batch)
    path[0] = start[:, 0]
    size = weights.size
    go_through(
        *(part.contiguous().numpy() for part in hearing[:3]),
        np.append(starts.numpy(), len(hearing.step)),
        vectors.reshape(pieces, batch, size.total).transpose(1, 2).contiguous().numpy(),
        (size.inputs, size.layers, size.width),
        tanh_table(path.numpy().dtype),
        path.numpy(),
    )
    return path[1:]


def _run_piece(hearing: Hearing, controls: Tensor, start: Tensor, weights: WeightsByControls) -> Tensor:
    kind = torch.zeros(len(controls), dtype=torch.long, device=controls.device)
    if controls.shape[1]:
        _, kind = torch.unique(controls.detach(), dim=0, return_inverse=True)
    order = torch.argsort(kind, stable=True)
    sizes = torch.bincount(kind).tolist()
    rows = torch.split(order, sizes)
    vectors = weights(controls[torch.stack([some[0] for some in rows])])
    outputs, places = [], []
    for size in sorted(set(sizes)):  # nets with the same number of rows run in one call
        nets = [number for number, own in enumerate(sizes) if own == size]
        chosen = torch.stack([rows[number] for number in nets])  # (nets, rows of each)
        path = _run_nets(hearing, chosen, start, weights.size.split(vectors[nets]))
        outputs.append(path.permute(1, 0, 2).flatten(1))
        places.append(chosen.flatten())
    return torch.cat(outputs, dim=1).index_select(1, torch.argsort(torch.cat(places)))


def _run_nets(
    hearing: Hearing, rows: Tensor, start: Tensor, weights: tuple[Tensor, Tensor, Weights]
) -> Tensor:
    """N nets, each on its own R rows, `rows` (N, R): (N, samples, R)."""
    first, bias, rest = weights
    sums = torch.einsum("nwi,isnr->nwsr", first, hearing.heard[:, :, rows]) + bias[:, :, None, None]
    step, turn = (part[:, rows].transpose(0, 1) for part in (hearing.step, hearing.turn))
    if start.device.type == "cpu":
        return run_transition(sums, step, turn, start[rows], rest)
    paths = [
        loop_transition(
            sums[net],
            step[net],
            turn[net],
            start[rows[net]],
            Weights(*(part[net : net + 1] for part in rest)),
        )
        for net in range(len(rows))
    ]
    return torch.stack(paths)


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def piece_ends(stepped: Tensor) -> tuple[Tensor, Tensor]:
    """Starts and ends of the pieces in which no row's controls change, (pieces,) each."""
    changed = (stepped[:, :, 1:] != stepped[:, :, :-1]).any(dim=0).any(dim=0)
    inner = changed.nonzero().flatten() + 1
    starts = torch.cat([torch.zeros([1], dtype=torch.long), inner])
    stops = torch.cat([inner, torch.full([1], stepped.shape[2], dtype=torch.long)])
    return starts, stops


def loop_controlled(hearing: Hearing, stepped: Tensor, start: Tensor, weights: WeightsByControls) -> Tensor:
    """`run_controlled` in torch's own operators, as a loop in exported graphs."""
    stepped, batch = stepped.expand(-1, -1, hearing.step.shape[0]), start.shape[0]
    starts, stops = piece_ends(stepped)
    if weights.num_controls:
        pieces = starts.shape[0]
        controls = stepped.index_select(2, starts).permute(2, 0, 1)
        vectors = weights(controls.reshape(pieces * batch, weights.num_controls))
        vectors = vectors.reshape(pieces, batch, vectors.shape[1])
    else:
        vectors = weights(start.new_zeros(1, 0)).expand(batch, -1).unsqueeze(0)
    first, bias, rest = weights.size.split(vectors)
    output: Tensor = _loop_pieces(
        hearing.heard.permute(2, 1, 0),
        hearing.step.unsqueeze(-1).unsqueeze(-1),
        hearing.turn.unsqueeze(-1).unsqueeze(-1),
        start.unsqueeze(-1),
        starts,
        stops,
        first.transpose(2, 3),
        bias.unsqueeze(2),
        rest.feedback.unsqueeze(2),
        rest.hidden.transpose(3, 4),
        rest.hidden_bias.unsqueeze(3),
        rest.head.unsqueeze(3),
        rest.head_bias.unsqueeze(2).unsqueeze(3),
        rest.limit.unsqueeze(2).unsqueeze(3),
    )
    return output.flatten(1)


# finished samples are joined in pieces of 64, so that a long block is not copied at every sample
@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _loop_pieces(
    heard: Tensor,
    step: Tensor,
    turn: Tensor,
    M: Tensor,
    starts: Tensor,
    stops: Tensor,
    first: Tensor,
    bias: Tensor,
    feedback: Tensor,
    hidden: Tensor,
    hidden_bias: Tensor,
    head: Tensor,
    head_bias: Tensor,
    limit: Tensor,
) -> Tensor:
    output = step[:0]
    for piece in range(starts.shape[0]):
        start, stop = int(starts[piece]), int(stops[piece])
        own_hidden, own_bias, own_head, own_head_bias = (
            hidden[piece],
            hidden_bias[piece],
            head[piece],
            head_bias[piece],
        )
        layers, highest = own_hidden.shape[1], limit[piece]
        lowest = -highest
        for begin in range(start, stop, 64):
            end = min(begin + 64, stop)
            sums = torch.matmul(heard[:, begin:end], first[piece]) + bias[piece]  # (batch, samples, W)
            steps, fed, joined = step[begin:end], turn[begin:end] * feedback[piece], step[:0]
            for n in range(end - begin):
                units = torch.tanh(sums[:, n : n + 1] + M * fed[n])
                for layer in range(layers):
                    units = torch.tanh(torch.baddbmm(own_bias[:, layer], units, own_hidden[:, layer]))
                M = M + steps[n] * torch.baddbmm(own_head_bias, units, own_head)
                M = torch.minimum(torch.maximum(M, lowest), highest)
                joined = torch.cat([joined, M.unsqueeze(0)])
            output = torch.cat([output, joined])
    return output
