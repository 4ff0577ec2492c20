"""Discriminators of spectrograms: they hear levels, one score per patch, and learn to tell noises apart."""

import pytest
import torch

from tapezoo.layers.spectrogram_discriminator import (
    MultiResolutionDiscriminator,
    SpectrogramDiscriminator,
    levels_db,
)


@pytest.mark.parametrize("level_db", [-40.0, -60.0])
def test_levels_of_white_noise_are_its_rms_level(level_db):
    torch.manual_seed(0)
    noise = 10 ** (level_db / 20) * torch.randn(2, 1, 1 << 15)
    found_db = levels_db(noise, torch.hann_window(256))
    mean_db = 10 * torch.log10((10 ** (found_db[:, 1:-1] / 10)).mean())
    assert float(mean_db) == pytest.approx(level_db, abs=0.2)


def test_silence_has_a_level_and_a_gradient():
    judge = SpectrogramDiscriminator(64)
    silence = torch.zeros(1, 1, 128, requires_grad=True)
    assert float(levels_db(silence, judge.window).detach().max()) == pytest.approx(-110)
    judge(silence + 0).scores.sum().backward()
    assert silence.grad.isfinite().all()


def test_every_patch_has_a_score_and_every_layer_but_the_last_is_heard():
    judged = MultiResolutionDiscriminator((64, 128), channels=3, layers=4)(torch.randn(2, 1, 256))
    assert [each.scores.shape for each in judged] == [(2, 1, 5, 13), (2, 1, 9, 5)]
    assert [len(each.features) for each in judged] == [3, 3]
    assert judged[0].features[0].shape == (2, 3, 17, 13)


def test_it_learns_to_tell_two_noises_of_one_level_apart():
    torch.manual_seed(0)
    judge = MultiResolutionDiscriminator((64,), channels=4, layers=3)
    optimizer = torch.optim.Adam(judge.parameters(), lr=0.01)

    def dull(rows: int) -> torch.Tensor:  # of the same power
        white = torch.randn(rows, 1, 257)
        return 1e-3 * (white[..., 1:] + white[..., :-1]) / 2**0.5

    def scores(signal: torch.Tensor) -> torch.Tensor:
        return judge(signal)[0].scores.mean(dim=(1, 2, 3))

    for _ in range(60):
        bright = 1e-3 * torch.randn(8, 1, 256)
        loss = (scores(bright) - 1).square().mean() + scores(dull(8)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        assert (scores(1e-3 * torch.randn(16, 1, 256)) > 0.5).all()
        assert (scores(dull(16)) < 0.5).all()


def test_a_window_that_is_none_is_refused():
    with pytest.raises(ValueError, match="16, 1, 2 or more"):
        SpectrogramDiscriminator(8)
