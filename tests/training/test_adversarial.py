"""Adversarial training: its losses in closed form, what it learns that waveforms do not say, and who wins."""

import logging
from functools import partial

import pytest
import torch
from test_effect import Fixed, batch, trainer

from tapezoo.checkpoint import load_model
from tapezoo.data.batch import Batch
from tapezoo.layers.spectrogram_discriminator import Judgement
from tapezoo.losses import MRSTFT
from tapezoo.models.fir import FIR
from tapezoo.models.lstm import LSTM
from tapezoo.noisy import PLACE
from tapezoo.training import Adversarial, Supervised
from tapezoo.training.adversarial import (
    adversarial_loss,
    discriminator_loss,
    matching_loss,
    share_told_apart,
)
from tapezoo.training.errors import TrainingError

TINY = {"windows_samples": [32], "channels": 3}


def judged(*scores, features=0.0) -> list[Judgement]:
    """One discriminator for each score."""
    layers = [torch.full((2, 3, 4, 5), features)] * 2
    return [Judgement(torch.full((2, 1, 4, 5), score), layers) for score in scores]


def test_the_losses_are_those_of_least_squares():
    real, made = judged(0.9, 0.5), judged(0.2, 0.5)
    assert float(discriminator_loss(real, made)) == pytest.approx((0.01 + 0.04 + 0.5) / 2)
    assert float(adversarial_loss(made)) == pytest.approx((0.64 + 0.25) / 2)
    assert float(share_told_apart(real, judged(0.2, 0.7))) == pytest.approx((2 + 0) / 4)


def test_matching_compares_what_is_seen_on_the_average_over_time():
    real, made = judged(0.5, features=1.0), judged(0.5, features=0.75)
    assert float(matching_loss(made, real)) == pytest.approx(0.25)
    moved = [Judgement(real[0].scores, [torch.arange(5.0).expand(2, 3, 4, 5)] * 2)]
    later = [Judgement(real[0].scores, [layer.roll(1, dims=-1) for layer in moved[0].features])]
    assert float(matching_loss(later, moved)) == 0


def hissing(rows, seed, level=0.02, samples=64 + 4 * 128) -> Batch:
    """Low tones through a machine that adds white noise."""
    generator = torch.Generator().manual_seed(1000 + seed)
    turns = (0.01 + 0.02 * torch.rand(rows, 1, 1, generator=generator)) * torch.arange(samples)
    hiss = level * torch.randn(rows, 1, samples, generator=generator)
    tone = 0.3 * torch.sin(2 * torch.pi * turns)
    return batch(rows, samples)._replace(input=tone, target=tone + hiss)


def trained(objective, batches, **arguments):
    torch.manual_seed(0)
    adam = partial(torch.optim.Adam, lr=0.02)
    model = FIR(taps=2, burn_in_samples=64, objective=objective, optimizer=adam, **arguments)
    run = trainer(limit_val_batches=0)
    run.fit(model, datamodule=Fixed(batches))
    return model, run


def test_hiss_that_waveforms_average_away_is_learned():
    batches = [hissing(8, seed, level=0.004) for seed in range(20)]
    adversarial = Adversarial(adversarial_weight=1.0, matching_weight=1.0, tbptt_samples=128, **TINY)
    levels_db = {}
    for name, objective in (("waveform", Supervised(tbptt_samples=128)), ("adversarial", adversarial)):
        model, _ = trained(objective, batches, noise_taps=1)
        levels_db[name] = 20 * float(torch.log10(0.01 * model.net.taps.detach().norm()))
    # the machine's is at -48 dB, the start at -60 dB
    assert levels_db["waveform"] < -62
    assert levels_db["adversarial"] == pytest.approx(-48, abs=3)


def test_every_batch_hears_another_part_of_the_noise():
    adversarial = Adversarial(tbptt_samples=128, **TINY)
    model = FIR(taps=2, burn_in_samples=64, objective=adversarial, noise_taps=1)
    places = []
    model.net.register_forward_pre_hook(lambda net, heard: places.append(heard[2][PLACE].tolist()))
    trainer(limit_val_batches=0).fit(model, datamodule=Fixed([hissing(2, 0, samples=192)] * 2))
    assert len(places) == 4  # burn-in and a chunk, twice
    assert places[0] != places[2]


def test_it_logs_its_parts_and_steps_both_optimizers_once_per_chunk():
    model, run = trained(Adversarial(tbptt_samples=128, **TINY), [hissing(4, seed) for seed in range(3)])
    logged = {name for name in run.callback_metrics if name.startswith("train_")}
    assert logged == {"train_loss", "train_discriminator", "train_adversarial", "train_matching"}
    assert len(run.optimizers) == 2
    assert run.global_step == 2 * 4 * 3
    assert model.objective.told_apart != 0.5


@pytest.mark.parametrize("delay_samples", [None, 20.0])
def test_without_a_word_from_the_discriminators_it_is_supervised(delay_samples):
    batches = [hissing(4, 0)]
    if delay_samples is not None:
        batches[0] = batches[0]._replace(delay=torch.full_like(batches[0].input, delay_samples))
    own = Adversarial(adversarial_weight=1e-30, matching_weight=0.0, tbptt_samples=128, **TINY)
    (ours, _), (plain, _) = trained(own, batches), trained(Supervised(tbptt_samples=128), batches)
    torch.testing.assert_close(ours.net.state_dict(), plain.net.state_dict())


def test_the_best_epoch_is_that_of_loss_and_spectrum_together():
    objective = Adversarial(spectrum_weight=0.5, **TINY)
    target = 0.1 * torch.randn(1, 1, 8192, generator=torch.Generator().manual_seed(0))
    found = objective.validation_losses(0.5 * target, target)
    assert float(found["val_loss"]) == pytest.approx(0.25)
    assert float(found["val_spectrum"]) == pytest.approx(6.02, abs=0.01)
    assert float(found["val_matched"]) == pytest.approx(0.25 + 0.5 * 6.02, abs=0.01)
    assert list(objective.validation_losses(target[..., :100], target[..., :100])) == ["val_loss"]


def test_discriminators_are_resumed_with_the_training_and_no_part_of_the_model(tmp_path):
    def model():
        torch.manual_seed(0)
        return LSTM(hidden_size=2, noise_taps=2, objective=Adversarial(tbptt_samples=64, **TINY))

    data = Fixed([batch(2, 192)], [batch(2, 2304)])
    whole, first, second = model(), model(), model()
    torch.manual_seed(1)
    trainer(max_epochs=2).fit(whole, datamodule=data)
    torch.manual_seed(1)
    run = trainer(max_epochs=1)
    run.fit(first, datamodule=data)
    random = torch.get_rng_state()
    run.save_checkpoint(tmp_path / "last.ckpt")
    torch.set_rng_state(random)
    trainer(max_epochs=2).fit(
        second, datamodule=data, ckpt_path=str(tmp_path / "last.ckpt"), weights_only=False
    )
    torch.testing.assert_close(second.state_dict(), whole.state_dict())
    assert not torch.equal(first.objective.discriminator.judges[0].frequency, torch.linspace(-1, 1, 17))
    loaded = load_model(tmp_path / "last.ckpt")
    assert loaded.net.state_dict().keys() == whole.net.state_dict().keys()
    assert isinstance(loaded.objective, Supervised)
    assert not any("discriminator" in name for name in loaded.state_dict())


def test_it_is_said_once_that_the_discriminators_win(caplog, monkeypatch):
    monkeypatch.setattr("tapezoo.training.adversarial.UPDATES", 3)
    monkeypatch.setattr("tapezoo.training.adversarial.WINS", 0.8)
    # a net without noise, against one that hisses: it has no answer
    objective = Adversarial(adversarial_weight=1e-6, matching_weight=0.0, tbptt_samples=128, **TINY)
    assert objective.progress_text(None) is None
    with caplog.at_level(logging.WARNING, logger="tapezoo"):
        trained(objective, [hissing(8, seed, level=0.3) for seed in range(12)])
    said = [record.message for record in caplog.records if "discriminators win" in record.message]
    assert len(said) == 1
    assert "--model.noise_taps" in said[0]
    assert "% apart" in objective.progress_text(None)


@pytest.mark.parametrize(
    "argument",
    [
        {"reconstruction_weight": -1.0},
        {"adversarial_weight": 0.0},
        {"adversarial_weight": float("nan")},
        {"matching_weight": -0.1},
        {"spectrum_weight": -0.1},
        {"windows_samples": []},
        {"windows_samples": [64, 8]},
        {"channels": 0},
    ],
    ids=str,
)
def test_arguments_out_of_range_are_refused(argument):
    with pytest.raises(TrainingError, match=next(iter(argument))):
        Adversarial(**argument)


def test_chunks_shorter_than_a_window_or_the_loss_are_refused():
    with pytest.raises(TrainingError, match="at least 1024, which a window of 1024 needs"):
        Adversarial(tbptt_samples=512)
    with pytest.raises(TrainingError, match="2048, which MRSTFT needs"):
        Adversarial(loss=MRSTFT(), tbptt_samples=1024)
