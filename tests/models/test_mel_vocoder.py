"""The mel vocoder against numpy over the whole signal, its sizes, its delay, its limits."""

import numpy as np
import pytest
import torch
from numpy_cells import count
from small_nets import SIZES
from torch.nn.functional import conv1d, gelu, pad

from tapezoo.layers.mel_spectrogram import LogMel
from tapezoo.models.arguments import ModelArgumentError
from tapezoo.models.mel_vocoder import MelVocoder, MelVocoderNet
from tapezoo.net import UndescribableError

SMALL = SIZES["MelVocoder"]
NOTHING = torch.zeros(1, 0)


def perturbed_net(**sizes):
    torch.manual_seed(0)
    net = MelVocoderNet(0, **{**SMALL, **sizes})
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return net


def by_numpy(net, x):
    """The whole signal (samples,) at once, after silence: loops over frames, complex spectra, no state of a stream."""
    N, H = net.transform.window_samples, net.hop_samples
    before = np.concatenate([np.zeros(N - H), x])
    window = np.sin(np.pi * np.arange(N) / N)
    frames = [before[at : at + N] * window for at in range(0, len(x), H)]
    X = np.fft.rfft(frames, norm="ortho")  # (frames, bins)
    L = 0.5 * np.log(np.abs(X) ** 2 @ net.mel.filters.double().numpy() + 1e-10)

    def blocks(levels, first, modules):
        h = first((torch.from_numpy(levels.T)[None] + 4.6) / 3.0)
        for block in modules:
            T = block.look.kernel_size[0]
            seen = conv1d(pad(h, (T - 1, 0)), block.look.weight, block.look.bias)
            h = h + block.narrow(gelu(seen))
        return h

    changed = L + net.change(blocks(L, net.hear, net.machine))[0].numpy().T
    h = blocks(changed, net.read, net.vocoder)[0].T
    size = np.exp(changed @ net.mel.spreading.double().numpy() + net.magnitude(h).numpy())
    turn = 2 * np.pi * H / N * np.outer(np.arange(len(size)), np.arange(N // 2 + 1))
    Y = size * np.exp(1j * (net.phase(h).numpy() + turn))
    Y[:, [0, -1]] = Y[:, [0, -1]].real
    output = np.zeros(len(x) + N)
    for m, frame in enumerate(np.fft.irfft(Y, norm="ortho")):
        output[m * H : m * H + N] += frame * window * 2 * H / N
    return output[: len(x)]


@pytest.mark.parametrize("blocks", [[320], [16, 96, 32, 176]])
@torch.no_grad()
def test_the_stream_is_what_complex_arithmetic_gives_for_the_whole_signal(blocks):
    net = perturbed_net().double()
    x, parts, state = torch.randn(1, 1, 320).double(), [], None
    state = {name: torch.zeros_like(value) for name, value in net.initial_state(NOTHING.double()).items()}
    for part in x.split(blocks, dim=-1):
        output, state = net(part, NOTHING.double(), state)
        parts.append(output)
    played = torch.cat(parts, dim=-1)[0, 0].numpy()
    np.testing.assert_allclose(played, by_numpy(net, x[0, 0].numpy()), atol=1e-5)


@pytest.mark.parametrize(
    ("K", "M", "d", "P1", "P2", "T", "N", "H"), [(0, 64, 64, 2, 4, 3, 1024, 256), (2, 6, 4, 1, 2, 2, 64, 16)]
)
def test_the_documented_parameter_counts_and_reach(K, M, d, P1, P2, T, N, H):
    net = MelVocoderNet(K, M, d, P1, P2, T, N, H)
    heads, film = 2 * (N // 2 + 1) * (d + 1), 2 * P1 * d * (K + 1) if K else 0
    assert count(net) == 3 * M * d + 2 * d + M + (P1 + P2) * (T * d * d + d * d + 2 * d) + heads + film
    assert net.receptive_field == 2 * N - H + H * (P1 + P2) * (T - 1)
    if not K:
        assert count(net) == 178242


@torch.no_grad()
def test_a_burst_comes_out_as_late_as_is_declared_and_as_loud():
    torch.manual_seed(0)
    net = MelVocoderNet(0)
    burst = torch.zeros(1, 1, 256 * 64)
    burst[..., 5000:7000] = 0.1 * torch.randn(2000)
    output, _ = net(burst, NOTHING, net.initial_state(NOTHING))
    time = torch.arange(burst.shape[-1], dtype=torch.float64)
    energy = [one.double().square()[0, 0] for one in (burst, output)]
    middle = [float((e * time).sum() / e.sum()) for e in energy]
    assert abs(middle[1] - middle[0] - net.latency_samples) < net.hop_samples / 2
    assert abs(10 * torch.log10(energy[1].sum() / energy[0].sum())) < 3


def test_levels_of_bins_pass_through_the_middles_of_the_bands():
    mel = LogMel(1024, 40, 44100, 16000.0)
    bins_hz = np.arange(513) * 44100 / 1024
    edges = 700 * (10 ** (np.linspace(0, np.log10(1 + 16000 / 700), 42)) - 1)
    levels = torch.randn(1, 40, 3)
    for frame, row in zip(levels[0].T.numpy(), mel.over_bins(levels)[0].numpy(), strict=True):
        np.testing.assert_allclose(row, np.interp(bins_hz, edges[1:-1], frame), atol=1e-5)


def test_white_noise_has_one_level_in_every_band():
    spectra = torch.randn(1, 2, 4000, 513) * 0.1
    levels = LogMel(1024, 40, 44100, 16000.0)(spectra).mean(dim=-1)
    assert (
        abs(levels - 0.5 * np.log(0.02)).max() < 0.35
    )  # the mean of a logarithm is below that of what it is of


def test_more_bands_than_the_window_fills_are_refused_with_how_many_it_does():
    with pytest.raises(
        ModelArgumentError, match=r"bands: found 200, of which .* hear nothing; expected at most 112 "
    ):
        MelVocoderNet(0, bands=200)


def test_a_rate_too_low_for_the_top_band_is_refused_with_what_is_possible():
    with pytest.raises(
        ModelArgumentError, match=r"top_hz: found 20000 Hz .* 16000 Hz; expected .* at most 8000 Hz"
    ):
        MelVocoder(sample_rate=16000)


def test_it_says_why_there_is_no_kernel():
    with pytest.raises(UndescribableError, match="Fourier"):
        MelVocoderNet(0, **SMALL).described()
