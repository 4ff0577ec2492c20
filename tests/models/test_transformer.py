"""The Transformer against torch's attention with a band mask over the whole signal, its sizes, its limits."""

import pytest
import torch
from gliding import glide
from numpy_cells import count
from small_nets import perturbed
from torch import Tensor
from torch.nn.functional import gelu, pad, scaled_dot_product_attention

from tapezoo import testing
from tapezoo.data.batch import Batch
from tapezoo.models.arguments import ModelArgumentError
from tapezoo.models.transformer import Transformer, TransformerNet
from tapezoo.net import UndescribableError
from tapezoo.play import settle


def by_torch(net: TransformerNet, x: Tensor, path: Tensor) -> Tensor:
    """The whole signal at once, after zeros in every state; path: (batch, K, samples), the controls."""
    hop = net.hop_samples
    h = net.embed(pad(x, (hop, 0)).unfold(-1, 2 * hop, hop)[:, 0])  # (batch, frames, channels)
    told = path[..., hop - 1 :: hop].mT  # (batch, frames, K)
    for block in net.blocks:
        u = h
        if path.shape[1]:
            gain, offset = block.modulation.affine(told).chunk(2, dim=-1)
            u = u * gain + offset
        heads, window = block.distances.shape
        q, k, v = block.attend(u).unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
        k, v = (pad(each, (0, 0, window - 1, 0)) for each in (k, v))
        mask = torch.full((heads, q.shape[2], k.shape[2]), -torch.inf)
        for t in range(q.shape[2]):
            mask[:, t, t : t + window] = block.distances.flip(1)
        y = scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)
        h = h + block.leave(y)
        h = h + block.narrow(gelu(block.widen(h)))
    return net.head(h).reshape(x.shape)


@pytest.mark.parametrize("num_controls", [0, 2])
@pytest.mark.parametrize("blocks", [[240], [4, 96, 8, 132]])
@torch.no_grad()
def test_the_net_is_torchs_attention_over_the_whole_signal(num_controls, blocks):
    torch.manual_seed(0)
    net = TransformerNet(num_controls, 6, 3, 2, 5, 4, "film")
    for parameter in net.parameters():
        parameter.add_(0.2 * torch.randn_like(parameter))
    x, target = torch.randn(2, 1, 240), torch.rand(2, num_controls)
    start, parts = 1 - target, []
    state = net.initial_state(start)
    for part in x.split(blocks, dim=-1):
        output, state = net(part, target, state)
        parts.append(output)
    expected = by_torch(net, x, glide(start, target, 240))
    torch.testing.assert_close(torch.cat(parts, dim=-1), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("K", "d", "heads", "P", "W", "T"), [(0, 32, 4, 3, 64, 16), (2, 6, 3, 1, 5, 4)])
def test_the_documented_parameter_counts_and_reach(K, d, heads, P, W, T):
    film = 2 * P * d * (K + 1) if K else 0
    net = TransformerNet(K, d, heads, P, W, T, "film")
    assert count(net) == 3 * T * d + d + T + P * (12 * d * d + 9 * d + heads * W) + film
    assert net.receptive_field == T * (P * (W - 1) + 2)
    if not K:
        assert (count(net), net.receptive_field) == (40080, 3056)


def test_a_sound_a_whole_number_of_frames_later_is_the_same():
    """Only distances count: there is no absolute time."""
    net = perturbed(Transformer, [], channels=4, heads=2, num_blocks=2, window_frames=5, hop_samples=8).net
    x, nothing = 0.3 * torch.randn(1, 1, 160), torch.zeros(1, 0)
    with torch.no_grad():
        now, _ = net(x, nothing, net.initial_state(nothing))
        later, _ = net(pad(x, (24 * 8, 0)), nothing, net.initial_state(nothing))
    torch.testing.assert_close(later[..., 24 * 8 :], now, atol=1e-5, rtol=1e-5)


def test_silence_from_rest_repeats_every_frame_from_the_first_on():
    net = perturbed(
        Transformer, testing.CONTROLS, channels=4, heads=2, num_blocks=2, window_frames=5, hop_samples=8
    ).net
    controls = torch.full((1, 2), 0.5)
    with torch.no_grad():
        state = settle(net, controls)[0]
        output, _ = net(torch.zeros(1, 1, 160), controls, state)
    frames = output.reshape(20, 8)
    torch.testing.assert_close(frames, frames[-1:].expand_as(frames), atol=1e-5, rtol=1e-5)


def test_heads_that_do_not_share_the_channels_evenly_are_refused():
    with pytest.raises(
        ModelArgumentError, match="heads: found 4; expected a divisor of channels, 6: 1, 2, 3, 6"
    ):
        TransformerNet(0, 6, 4, 2, 5, 4, "film")


def test_a_window_longer_than_a_training_row_is_refused_with_what_is_possible():
    model = perturbed(Transformer, [], channels=2, heads=1, num_blocks=1, window_frames=65, hop_samples=4)
    row = torch.zeros(1, 1, 256)
    batch = Batch(row, row, torch.zeros(1, 0), torch.tensor([256]), ["row"])
    said = "model.window_frames: found 65 frames of 4 samples; expected at most 64 .* row of 256 samples"
    with pytest.raises(ModelArgumentError, match=said):
        model.train_on(batch, None)


def test_it_says_why_there_is_no_kernel():
    with pytest.raises(UndescribableError, match="attention"):
        TransformerNet(0, 2, 1, 1).described()


@pytest.mark.parametrize("name", ["streaming", "pure", "causal", "gradients", "export"])
@pytest.mark.usefixtures("few_splits")
def test_sample_by_sample_it_keeps_the_laws(name):
    smallest = {"channels": 2, "heads": 2, "num_blocks": 1, "window_frames": 2, "hop_samples": 1}
    testing.CHECKS[name](perturbed(Transformer, testing.CONTROLS, **smallest))
