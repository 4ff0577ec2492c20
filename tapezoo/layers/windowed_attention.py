"""Causal attention over a window of fixed length, whose keys and values are passed in and returned."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

OUTSIDE = -1e30  # its softmax is 0; minus infinity is refused in bundles, where it could be a broken weight
PIECE_FRAMES = 16  # queries computed together; changes the speed, not the result


def windowed_attention(
    query: Tensor, key: Tensor, value: Tensor, past: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """`y[t] = sum_k softmax_k(q[t] . k[t - k] / sqrt(e) + bias[k]) v[t - k]`, k = 0 ... W - 1, in every head.

    Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2, over the last W frames alone (Beltagy,
    Peters, Cohan, "Longformer", 2020), with a trained bias for every distance (Raffel et al., JMLR 2020, section 2.1,
    without their buckets). Only distances count, so a stream needs no absolute time.

    Queries are computed in pieces of 16 frames, each with the keys of its own frames and of those a window before:
    work and memory grow with the signal, not with its square.

    Args:
        query: q of every head, e wide.
        key: k of the block's frames.
        value: v of the block's frames.
        past: k and v of the W - 1 frames before the block.
        bias: One per head and distance; W is their number, 2 or more.

    Returns:
        y, the heads side by side, and the `past` for the next block.

    Shape:
        query, key, value, y: (batch, frames, heads e), frames 1 or more; past: (batch, W - 1, 2 heads e);
        bias: (heads, W).
    """
    heads, window = int(bias.shape[0]), int(bias.shape[1])  # int: constants in a traced graph too
    width = int(query.shape[2])
    frames = query.shape[1]
    before = -(-(window - 1) // PIECE_FRAMES)  # pieces that hold the window before a piece
    behind = (frames + PIECE_FRAMES - 1) // PIECE_FRAMES * PIECE_FRAMES - frames
    context = torch.cat([past, torch.cat([key, value], dim=-1)], dim=1)  # (batch, W - 1 + frames, 2 heads e)
    padded = pad(context, (0, 0, before * PIECE_FRAMES - (window - 1), behind))
    pieces = padded.reshape(-1, before + pieces_of(frames), PIECE_FRAMES, 2 * width)
    heard = torch.cat([pieces[:, first : first - before or None] for first in range(before + 1)], dim=2)
    k, v = (_heads(each, heads) for each in heard.chunk(2, dim=-1))  # (batch, pieces, heads, keys, e)
    q = pad(query, (0, 0, 0, behind)).reshape(-1, pieces_of(frames), PIECE_FRAMES, width)
    scores = torch.matmul(_heads(q, heads) * (width // heads) ** -0.5, k.transpose(-1, -2))
    weights = torch.softmax(scores + _by_distance(bias, before), dim=-1)
    mixed = torch.matmul(weights, v).transpose(2, 3)  # (batch, pieces, PIECE_FRAMES, heads, e)
    y = mixed.reshape(-1, pieces_of(frames) * PIECE_FRAMES, width)[:, :frames]
    return y, context[:, 1 - window :]


def pieces_of(frames: int) -> int:
    """Pieces that hold so many frames."""
    return (frames + PIECE_FRAMES - 1) // PIECE_FRAMES


def _heads(features: Tensor, heads: int) -> Tensor:
    """(batch, pieces, frames, heads e) -> (batch, pieces, heads, frames, e)."""
    rows, pieces, frames, width = features.shape
    return features.reshape(rows, pieces, frames, heads, int(width) // heads).transpose(2, 3)


def _by_distance(bias: Tensor, before: int) -> Tensor:
    """The bias of every query and key of a piece, OUTSIDE beyond the window: (heads, PIECE_FRAMES, keys)."""
    query = torch.arange(PIECE_FRAMES, device=bias.device) + before * PIECE_FRAMES
    distance = query.unsqueeze(1) - torch.arange((before + 1) * PIECE_FRAMES, device=bias.device)
    window = bias.shape[1]
    inside = (distance >= 0) & (distance < window)
    # an index that is looked up, rather than computed, in a traced graph
    values = bias.index_select(1, distance.clamp(0, window - 1).flatten()).reshape(-1, *distance.shape)
    return values.masked_fill(~inside, OUTSIDE)
