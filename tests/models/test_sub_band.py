"""SubBand against a band by band computation with torch's own layers, its sizes, its limits."""

import pytest
import torch
from gliding import glide
from numpy_cells import count
from small_nets import perturbed
from torch import Tensor
from torch.nn.functional import conv1d, pad

from tapezoo import testing
from tapezoo.data.batch import Batch
from tapezoo.layers.short_time_fourier import BlockLengthError
from tapezoo.models.arguments import ModelArgumentError
from tapezoo.models.sub_band import SubBand, SubBandNet
from tapezoo.net import UndescribableError

SMALL = {
    "bands": 6,
    "overlap": 4,
    "seen_bands": 3,
    "channels": 2,
    "kernel_size": 3,
    "dilations": [1, 2],
    "linear_frames": 2,
}


def band_by_band(net: SubBandNet, x: Tensor, path: Tensor) -> Tensor:
    """The whole signal at once after zeros in every state, each band by itself; path: (batch, K, samples)."""
    M, S, transform = net.hop_samples, net.seen_bands, net.transform
    bands, _ = transform.analyse(x, transform.past.expand(x.shape[0], -1, -1))
    told, outputs = path[..., M - 1 :: M], []
    for b in range(M):
        first = min(max(b - S // 2, 0), M - S)
        seen = bands[..., first : first + S].mT  # (batch, S, frames)
        taps = net.linear[b].reshape(-1, S).t()[None]
        output = conv1d(pad(seen, (taps.shape[-1] - 1, 0)), taps)
        h = torch.einsum("bsf,sc->bcf", seen, net.lift[b])
        for layer in net.layers:
            C, k, d = h.shape[1], layer.kernel_size, layer.dilation
            weight = layer.enter[b].reshape(k, C, 2 * C).permute(2, 1, 0)
            a, g = conv1d(pad(h, ((k - 1) * d, 0)), weight, dilation=d).chunk(2, dim=1)
            g = g + layer.opening[b, 0, 0][:, None]
            if path.shape[1]:
                gain, offset = layer.modulation.affine(told.mT).mT.unflatten(1, (2, M, C))[:, :, b].unbind(1)
                g = g * gain + offset
            h = h + torch.einsum("bcf,cd->bdf", torch.tanh(a) * torch.sigmoid(g), layer.leave[b])
        outputs.append(output[:, 0] + torch.einsum("bcf,c->bf", h, net.head[b, :, 0]))
    signal, _ = transform.synthesise(torch.stack(outputs, dim=-1), transform.tail.expand(x.shape[0], -1, -1))
    return signal


@pytest.mark.parametrize("num_controls", [0, 2])
@pytest.mark.parametrize("blocks", [[240], [6, 96, 12, 126]])
@torch.no_grad()
def test_all_bands_together_are_each_band_by_itself(num_controls, blocks):
    torch.manual_seed(0)
    net = SubBandNet(num_controls, **SMALL)
    for parameter in net.parameters():
        parameter.add_(0.2 * torch.randn_like(parameter))
    x, target = torch.randn(2, 1, 240), torch.rand(2, num_controls)
    start, parts = 1 - target, []
    state = net.initial_state(start)
    for part in x.split(blocks, dim=-1):
        output, state = net(part, target, state)
        parts.append(output)
    expected = band_by_band(net, x, glide(start, target, 240))
    torch.testing.assert_close(torch.cat(parts, dim=-1), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("overlap", [2, 4])
def test_without_its_head_a_fresh_net_is_its_latency(overlap):
    net = SubBandNet(0, bands=16, overlap=overlap)
    torch.nn.init.zeros_(net.head)
    x, nothing = torch.randn(1, 1, 960).clamp(-1, 1), torch.zeros(1, 0)
    output, _ = net(x, nothing, net.initial_state(nothing))
    late = net.latency_samples
    assert late == 16 * (overlap - 1)
    torch.testing.assert_close(output[..., late:], x[..., :-late], atol=1e-6, rtol=1e-6)


def test_silence_stays_silence_exactly():
    net = perturbed(SubBand, testing.CONTROLS, **SMALL).net
    controls = torch.full((1, 2), 0.5)
    with torch.no_grad():
        output, _ = net(torch.zeros(1, 1, 240), controls, net.initial_state(controls))
    assert not output.any()


@pytest.mark.parametrize(
    ("K", "M", "overlap", "S", "C", "k", "dilations", "L"),
    [(0, 16, 2, 16, 8, 3, [1, 2, 4, 8, 16], 3), (2, 6, 4, 3, 2, 2, [1, 3], 9)],
)
def test_the_documented_parameter_counts_and_reach(K, M, overlap, S, C, k, dilations, L):
    D, N = len(dilations), overlap * M
    net = SubBandNet(K, M, overlap, S, C, k, dilations, L)
    film = 2 * D * M * C * (K + 1) if K else 0
    assert count(net) == M * (S * (L + C) + C + D * (2 * k * C * C + C + C * C)) + film
    assert net.receptive_field == 2 * N - M + M * max(L - 1, (k - 1) * sum(dilations))
    assert net.latency_samples == N - M
    if not K:
        assert (count(net), net.receptive_field) == (39424, 1040)


def test_bands_that_do_not_divide_a_training_row_are_refused_with_what_is_possible():
    model = SubBand(bands=16)
    row = torch.zeros(1, 1, 150)
    batch = Batch(row, row, torch.zeros(1, 0), torch.tensor([150]), ["row"])
    said = r"model.bands: found 16, which does not divide .* row of 150 samples.* one of 2, 3, 5, 6, 10, 15, 25, 30"
    with pytest.raises(ModelArgumentError, match=said):
        model.train_on(batch, None)


def test_a_block_that_is_no_multiple_of_the_bands_is_refused():
    net, nothing = SubBandNet(0, **SMALL), torch.zeros(1, 0)
    with pytest.raises(BlockLengthError, match=r"found 20 samples; expected a multiple of .* 6"):
        net(torch.zeros(1, 1, 20), nothing, net.initial_state(nothing))


def test_it_says_why_there_is_no_kernel():
    with pytest.raises(UndescribableError, match="no layer that cuts into them"):
        SubBandNet(0, **SMALL).described()


@pytest.mark.parametrize(
    "name",
    ["streaming", "pure", "causal", "gradients", "folded", pytest.param("export", marks=pytest.mark.slow)],
)
@pytest.mark.usefixtures("few_splits")
def test_a_small_one_with_the_longer_window_keeps_the_laws(name):
    testing.CHECKS[name](perturbed(SubBand, testing.CONTROLS, **SMALL))
