"""Attention over a window in pieces against torch's own with a band mask over the whole sequence."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from tapezoo.layers.windowed_attention import PIECE_FRAMES, windowed_attention


def whole(query: Tensor, key: Tensor, value: Tensor, past: Tensor, bias: Tensor) -> Tensor:
    heads, window = bias.shape
    known, frames = past.shape[1], query.shape[1]
    k, v = torch.cat([past, torch.cat([key, value], dim=-1)], dim=1).chunk(2, dim=-1)
    distance = torch.arange(known, known + frames)[:, None] - torch.arange(known + frames)
    mask = torch.full((heads, frames, known + frames), -torch.inf)
    for k_frames in range(window):
        mask[:, distance == k_frames] = bias[:, k_frames : k_frames + 1]
    q, k, v = (each.unflatten(-1, (heads, -1)).transpose(1, 2) for each in (query, k, v))
    return scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)


@pytest.mark.parametrize("window", [2, PIECE_FRAMES, PIECE_FRAMES + 1, PIECE_FRAMES + 2, 40])
@pytest.mark.parametrize("frames", [1, PIECE_FRAMES - 1, PIECE_FRAMES, 75])
def test_it_is_torchs_attention_with_a_band_mask(window, frames):
    generator = torch.Generator().manual_seed(0)
    query, key, value = torch.randn(3, 2, frames, 6, generator=generator).unbind()
    past = torch.randn(2, window - 1, 12, generator=generator)
    bias = torch.randn(3, window, generator=generator)
    found, after = windowed_attention(query, key, value, past, bias)
    torch.testing.assert_close(found, whole(query, key, value, past, bias))
    context = torch.cat([past, torch.cat([key, value], dim=-1)], dim=1)
    torch.testing.assert_close(after, context[:, frames:], rtol=0, atol=0)
