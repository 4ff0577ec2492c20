"""The spectral U-Net against torch's transform and convolutions over the whole signal, its sizes, its limits."""

import pytest
import torch
from gliding import glide
from numpy_cells import count
from small_nets import SIZES, perturbed
from torch import Tensor
from torch.nn.functional import pad, silu

from tapezoo import testing
from tapezoo.data.batch import Batch
from tapezoo.layers.short_time_fourier import BlockLengthError
from tapezoo.models.arguments import ModelArgumentError
from tapezoo.models.spectral_unet import SpectralUNet, SpectralUNetNet
from tapezoo.net import UndescribableError

SMALL = SIZES["SpectralUNet"]
LATER = {"synthesis_samples": 16, "lookahead_frames": 2, "head": "mapping"}


def unet_by_torch(unet: torch.nn.Module, h: Tensor, told: Tensor) -> Tensor:
    """The whole spectrogram at once; told: (batch, frames, K), the controls."""
    heard = []
    for level, (convolve, film) in enumerate(zip(unet.down, unet.films, strict=True)):
        h = convolve(pad(h, (0, 0, (convolve.kernel_size[0] - 1) * 2**level, 0)))
        h = h + unet.offset if level == 0 else h
        if told.shape[-1]:
            gain, offset = film.affine(told).mT.unsqueeze(-1).chunk(2, dim=1)
            h = h * gain + offset
        heard.append(h := silu(h))
    for level in (1, 0):
        h = unet.up[level](h)
        h = silu(h) + heard[0] if level else h
    return h


def by_torch(net: SpectralUNetNet, x: Tensor, path: Tensor) -> Tensor:
    """The whole signal at once, after zeros in every state; path: (batch, K, samples), the controls."""
    window, hop, late = net.fourier.window_samples, net.hop_samples, net.lookahead_frames
    padded = pad(x[:, 0], (window - hop, 0))
    a = net.fourier.analysis
    X = torch.stft(padded, window, hop, window=a, center=False, normalized=True, return_complex=True).mT
    features = torch.stack([X.real, X.imag, X.abs()], dim=1)[..., :-1]
    U = unet_by_torch(net.unet, features, path[..., hop - 1 :: hop].mT)
    U = torch.complex(*torch.cat([U, U[..., -1:]], dim=-1).unbind(1))
    X, b = pad(X, (0, 0, late, 0))[:, : X.shape[1]], torch.complex(*net.gain)
    Y = (b + U) * X if net.head == "mask" else b * X + U
    frames = torch.fft.irfft(Y, n=window, norm="ortho") * net.fourier.synthesis
    output = padded.new_zeros(len(x), padded.shape[-1])
    for m in range(frames.shape[1]):
        output[:, m * hop : m * hop + window] += frames[:, m]
    first = window - net.fourier.synthesis_samples
    return output[:, None, first : first + x.shape[-1]]


@pytest.mark.parametrize("more", [{}, LATER])
@pytest.mark.parametrize("num_controls", [0, 2])
@torch.no_grad()
def test_the_net_is_torchs_transform_and_convolutions_over_the_whole_signal(num_controls, more):
    torch.manual_seed(0)
    net = SpectralUNetNet(num_controls, **SMALL, **more)
    for parameter in net.parameters():
        parameter.add_(0.2 * torch.randn_like(parameter))
    x, target = torch.randn(2, 1, 320), torch.rand(2, num_controls)
    start, parts = 1 - target, []
    state = net.initial_state(start)
    for part in x.split([8, 128, 16, 168], dim=-1):
        output, state = net(part, target, state)
        parts.append(output)
    expected = by_torch(net, x, glide(start, target, 320))
    torch.testing.assert_close(torch.cat(parts, dim=-1), expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("K", "c", "k", "N", "S", "late"), [(0, (16, 16, 24, 32), 3, 256, 256, 0), (2, (3, 4), 2, 32, 16, 5)]
)
def test_the_documented_parameter_counts_and_reach(K, c, k, N, S, late):
    net = SpectralUNetNet(K, c, k, N, N // 4, S, late) if K else SpectralUNetNet(0)
    down = sum(here * (4 * k * before + 1) for before, here in zip((3, *c), c, strict=False))
    up = sum(before * (4 * here + 1) for before, here in zip((2, *c), c, strict=False))
    film = 2 * (K + 1) * sum(c) if K else 0
    assert count(net) == down + up + c[0] * N // 4 + film + N + 2
    reach = max(1 + (k - 1) * (2 ** len(c) - 1), late + 1)
    assert net.receptive_field == N + S + (reach - 2) * N // 4
    if not K:
        assert (count(net), net.receptive_field, net.latency_samples) == (24660, 2368, 192)


@pytest.mark.parametrize("more", [{}, {"synthesis_samples": 16}, LATER])
@torch.no_grad()
def test_without_its_unet_it_is_a_delay_by_the_declared_latency(more):
    net = SpectralUNetNet(0, **SMALL, **more)
    for parameter in net.unet.up[0].parameters():
        parameter.zero_()
    x, nothing = torch.randn(1, 1, 160), torch.zeros(1, 0)
    output, _ = net(x, nothing, net.initial_state(nothing))
    late = net.latency_samples
    assert late == more.get("synthesis_samples", 32) - 8 + 8 * more.get("lookahead_frames", 0)
    torch.testing.assert_close(output, pad(x, (late, 0))[..., :-late], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"window_samples": 36}, "window_samples: found 36 .* a multiple of 8"),
        (
            {"channels": [1, 1, 1, 1, 1]},
            "window_samples: found 32 beside 5 channels.*64, or at most 4 channels",
        ),
        (
            {"hop_samples": 12},
            "hop_samples: found 12; expected a divisor of window_samples, 32: 1, 2, 4, 8, 16",
        ),
        ({"synthesis_samples": 24}, "synthesis_samples: found 24 .* two hops, 16, up to 32"),
        ({"lookahead_frames": -1}, "lookahead_frames: found -1; expected a whole number from 0"),
    ],
)
def test_frames_that_do_not_fit_are_refused_with_what_does(arguments, said):
    with pytest.raises(ModelArgumentError, match=f"^model.{said}"):
        SpectralUNetNet(0, **{**SMALL, **arguments})


def test_a_context_longer_than_a_training_row_is_refused_with_what_is_possible():
    model = perturbed(SpectralUNet, [], **{**SMALL, "kernel_frames": 6})
    row = torch.zeros(1, 1, 120)
    batch = Batch(row, row, torch.zeros(1, 0), torch.tensor([120]), ["row"])
    said = "kernel_frames: found 6 in 2 levels, which hear 16 frames of 8 .* expected at most 15 .* row of 120 samples"
    with pytest.raises(ModelArgumentError, match=said):
        model.train_on(batch, None)


def test_a_block_shorter_than_a_hop_is_refused():
    net, nothing = SpectralUNetNet(0, **SMALL), torch.zeros(1, 0)
    with pytest.raises(
        BlockLengthError, match="found 4 samples; expected a multiple of the net's hop_samples, 8"
    ):
        net(torch.zeros(1, 1, 4), nothing, net.initial_state(nothing))


def test_it_says_why_there_is_no_kernel():
    with pytest.raises(UndescribableError, match=r"24 samples late.* no layer for it, and no lookahead"):
        SpectralUNetNet(0, **SMALL).described()


@pytest.mark.parametrize(
    "name",
    [
        "streaming",
        "pure",
        "causal",
        "gradients",
        "fading_memory",
        pytest.param("export", marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("few_splits")
def test_with_lookahead_and_a_mapping_it_keeps_the_laws(name):
    testing.CHECKS[name](perturbed(SpectralUNet, testing.CONTROLS, **SMALL, **LATER))
