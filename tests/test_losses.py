"""Losses against closed forms."""

import numpy as np
import pytest
import scipy.signal
import torch

from tapezoo.losses import DC, ESR, L1, MRSTFT, MSE, BandESR, MelSTFT, WeightedSum
from tapezoo.losses.mel_filters import MelFilterError, mel_filters


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 1, 4096, generator=generator), torch.randn(3, 1, 4096, generator=generator)


def test_esr_is_error_energy_over_target_energy_of_the_whole_batch(pair):
    output, target = pair
    target = target * torch.tensor([0.01, 1.0, 2.0]).reshape(3, 1, 1)
    expected = (output - target).square().sum() / target.square().sum()
    torch.testing.assert_close(ESR()(output, target), expected, rtol=1e-4, atol=0)


def test_esr_stays_finite_on_silence():
    silence = torch.zeros(2, 1, 512)
    assert ESR()(silence, silence) == 0
    assert torch.isfinite(ESR()(silence + 1e-3, silence))


def test_pre_emphasis_weights_an_error_by_the_filter_response():
    time = torch.arange(44100) / 44100
    ratios = []
    for frequency_hz in (100.0, 8000.0):
        tone = torch.sin(2 * torch.pi * frequency_hz * time).reshape(1, 1, -1)
        target = torch.sin(2 * torch.pi * 1000.0 * time).reshape(1, 1, -1)
        ratios.append(ESR(pre_emphasis=0.95)(target + 0.1 * tone, target))
    response = [
        abs(1 - 0.95 * torch.exp(torch.tensor(-2j * torch.pi * f / 44100))) ** 2 for f in (100.0, 8000.0)
    ]
    torch.testing.assert_close(ratios[1] / ratios[0], response[1] / response[0], rtol=1e-3, atol=0)


def test_dc_sees_offsets_only(pair):
    _, target = pair
    target = target - target.mean(dim=-1, keepdim=True)
    assert DC()(-target, target) < 1e-10
    expected = 0.25 / target.square().mean()
    torch.testing.assert_close(DC()(target + 0.5, target), expected, rtol=1e-4, atol=1e-8)


def test_weighted_sum_adds_its_terms(pair):
    expected = 0.5 * MSE()(*pair) + 2.0 * L1()(*pair)
    torch.testing.assert_close(WeightedSum([MSE(), L1()], [0.5, 2.0])(*pair), expected)
    with pytest.raises(ValueError, match="2 losses need 2 weights"):
        WeightedSum([MSE(), L1()], [1.0])


def test_the_hybrid_papers_resolutions_are_a_named_choice(pair):
    loss = MRSTFT("hybrid")
    assert [stft.fft_size for stft in loss.distance.stft_losses] == [256, 512, 1024]
    assert loss(pair[1], pair[1]) < 1e-5 < loss(*pair)
    assert MRSTFT().min_samples == 2048


def test_an_error_counts_by_the_energy_of_its_own_band():
    time = torch.arange(4096) / 44100

    def tone(frequency_hz, level):
        return (level * torch.sin(2 * torch.pi * frequency_hz * time)).reshape(1, 1, -1)

    centres_hz, levels = (1000.0, 4000.0, 8000.0, 16000.0), (1.0, 0.1, 0.1, 0.02)
    target = sum(tone(*each) for each in zip(centres_hz, levels, strict=True))
    for frequency_hz, level in zip(centres_hz, levels, strict=True):
        # a tenth of a tone is a hundredth of its band's energy, in one of four bands
        error = tone(frequency_hz, 0.1 * level)
        torch.testing.assert_close(
            BandESR(weight=1.0)(target + error, target), torch.tensor(0.0025), rtol=0.02, atol=0
        )
        plain = ESR()(target + error, target)
        mixed = BandESR(weight=0.4)(target + error, target)
        torch.testing.assert_close(mixed, 0.6 * plain + 0.4 * 0.0025, rtol=0.02, atol=0)
    # a band 60 dB down is measured against 40 dB below everything
    quiet = tone(1000.0, 1.0) + tone(16000.0, 1e-3)
    found = BandESR(weight=1.0)(quiet + tone(16000.0, 1e-3), quiet)
    torch.testing.assert_close(found, torch.tensor(1e-6 / 1e-4 / 4), rtol=0.05, atol=0)


def test_bands_hold_all_of_the_energy_and_silence_is_finite(pair):
    bands = BandESR(bands=5)
    window = torch.hann_window(4096).square()
    energy = (pair[1].square() * window).mean() / window.mean()
    torch.testing.assert_close(bands._energies(pair[1]).sum(), energy, rtol=1e-3, atol=0)
    silence = torch.zeros(2, 1, bands.min_samples, requires_grad=True)
    loss = bands(silence, torch.zeros_like(silence))
    loss.backward()
    assert loss == 0
    assert torch.isfinite(silence.grad).all()
    with pytest.raises(ValueError, match="2 or more"):
        BandESR(bands=1)


def mel_levels_db(signal, window, bands, rate_hz, top_hz):
    """By numpy, and triangles interpolated between their corners."""
    frames = np.lib.stride_tricks.sliding_window_view(signal, window)[:: window // 4]
    power = np.abs(np.fft.rfft(frames * scipy.signal.get_window("hann", window))).T ** 2 / (window / 4) ** 2
    corners = 700 * (10 ** (np.linspace(0, np.log10(1 + top_hz / 700), bands + 2)) - 1)
    hz = np.arange(window // 2 + 1) * rate_hz / window
    triangles = np.array([np.interp(hz, corners[band : band + 3], [0, 1, 0]) for band in range(bands)])
    return 10 * np.log10((triangles / triangles.sum(axis=1, keepdims=True)) @ power + 1e-9)


def test_the_mel_distance_is_that_of_an_independent_computation(pair):
    output, target = (one[:1] * scale for one, scale in zip(pair, (0.1, 0.002), strict=True))
    sizes = [(256, 12), (1024, 40)]
    expected = [
        np.abs(
            mel_levels_db(output[0, 0].double().numpy(), *size, 32000, 15000.0)
            - mel_levels_db(target[0, 0].double().numpy(), *size, 32000, 15000.0)
        ).mean()
        for size in sizes
    ]
    loss = MelSTFT([256, 1024], [12, 40], 32000, 15000.0)
    torch.testing.assert_close(
        loss(output, target), torch.tensor(np.mean(expected), dtype=torch.float32), rtol=1e-4, atol=0
    )


def test_the_mel_distance_knows_no_sign_and_has_a_gradient_in_silence():
    loss = MelSTFT()
    tone = torch.sin(torch.arange(4096) * 0.3).reshape(1, 1, -1)
    assert loss(-tone, tone) == 0
    silence = torch.zeros(1, 1, 4096, requires_grad=True)
    loss(silence, tone).backward()
    assert torch.isfinite(silence.grad).all()


def test_bands_that_no_bin_fills_are_refused_with_the_most_that_are_possible():
    with pytest.raises(
        MelFilterError, match=r"bands: found 200, of which 8 lie .*43.1 Hz apart.* at most 115 for"
    ):
        mel_filters(1024, 200, 44100, 22050.0)
    assert mel_filters(2048, 200, 44100, 22050.0).amax(dim=0).gt(0).all()


def test_a_band_above_half_the_rate_is_refused_with_what_is_possible():
    with pytest.raises(
        MelFilterError, match=r"top_hz: found 20000 Hz at .* 32000 Hz; expected .* at most 16000 Hz"
    ):
        MelSTFT(sample_rate=32000)
