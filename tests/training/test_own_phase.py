"""A net whose phase is its own is judged by spectra, and whoever asks for waveforms is told what is possible."""

from pathlib import Path

import pytest
import torch

from tapezoo.compare.errors import CompareError
from tapezoo.compare.plan import check_effects
from tapezoo.data.batch import Batch
from tapezoo.export.latency_probe import LatencyProbe
from tapezoo.losses import ESR, L1, MSE, BandESR, MelSTFT, WeightedSum
from tapezoo.measure.excerpts import TYPICAL, Excerpt, typical_and_worst
from tapezoo.models import LSTM, MelVocoder
from tapezoo.training.adversarial import Adversarial
from tapezoo.training.errors import TrainingError
from tapezoo.training.spectral import Spectral
from tapezoo.training.supervised import Supervised

SMALL = {"bands": 6, "channels": 4, "vocoder_blocks": 1, "window_samples": 64, "hop_samples": 16}
WHY = "compares waveforms; those of this net are not the target's: .* no phase"


def expect_refused(said, **arguments):
    with pytest.raises(TrainingError, match=said):
        MelVocoder(**SMALL, **arguments).configure_optimizers()


def test_an_objective_that_chooses_by_the_esr_is_refused():
    expect_refused(f"--model.objective: found Supervised, .* val_esr, which {WHY}; expected .* Spectral")
    expect_refused("found Supervised, .* val_esr", noise_taps=4)
    expect_refused("found Supervised, .* val_esr", features=["loudness"])
    loss = MelSTFT()
    expect_refused("found Supervised, .* val_esr", objective=Supervised(loss))


@pytest.mark.parametrize("loss", [ESR(), L1(), MSE(), BandESR(), WeightedSum([MelSTFT(), ESR()], [1.0, 1.0])])
def test_a_loss_of_waveforms_is_refused(loss):
    expect_refused(
        f"objective.loss: found .*, which {WHY}; expected .* MelSTFT", objective=Spectral(loss=loss)
    )
    expect_refused("objective.loss", objective=Adversarial(loss=loss))


def test_metrics_of_waveforms_and_filters_fitted_to_them_are_refused():
    objective = Spectral()
    expect_refused(
        f"metrics: found snr, esr, which {WHY}; expected .* mcd",
        objective=objective,
        metrics=["lsd", "snr", "esr"],
    )
    expect_refused("filter_beside_taps .* expected 0", objective=objective, filter_beside_taps=8)


def test_what_judges_spectra_trains_it_and_any_other_net():
    for objective in (Spectral(), Spectral("mushra"), Adversarial(loss=MelSTFT())):
        MelVocoder(**SMALL, objective=objective, metrics=["lsd"], noise_taps=4).configure_optimizers()
    LSTM(hidden_size=2, objective=Supervised(), metrics=["snr"]).configure_optimizers()
    LSTM(hidden_size=2, objective=Spectral()).configure_optimizers()


def test_it_has_no_figure_of_waveforms_and_other_nets_have_theirs():
    model, other = MelVocoder(**SMALL, objective=Spectral("lsd")), LSTM(hidden_size=2)
    for each in (model, other):
        each.setup("fit")
    assert model.metric_names() == ["lsd", "mrstft"]
    assert {"esr", "mae", "si_sdr"} < set(other.metric_names())
    signal = torch.randn(1, 8192)
    model.val_scores.add(signal, -signal)
    assert model.val_scores.compute()["val_lsd"] == 0


def test_the_best_epoch_is_that_of_the_judge():
    assert (Spectral().monitor, Spectral().mode) == ("val_mcd", "min")
    assert (Spectral("mushra").monitor, Spectral("mushra").mode) == ("val_mushra", "max")
    with pytest.raises(TrainingError, match=r"objective.judge: found esr; expected one of lsd, mcd"):
        Spectral("esr")


def test_a_comparison_by_the_esr_refuses_it_by_its_recipes_name():
    recipes = {name: {"model": {"class_path": f"tapezoo.models.{name}"}} for name in ("LSTM", "MelVocoder")}
    with pytest.raises(
        CompareError, match=r"^MelVocoder: found .* expected recipes of models that have an ESR"
    ):
        check_effects(recipes)
    del recipes["MelVocoder"]
    check_effects(recipes)


def test_no_passage_is_called_the_worst_where_there_is_no_error():
    heard = torch.ones(4).double().numpy()
    found = [Excerpt(TYPICAL, at, (at, at + 1), float("nan"), heard, heard, heard) for at in range(3)]
    assert [one.kind for one in typical_and_worst(found)] == [TYPICAL]


def test_a_segment_without_enough_samples_for_the_loss_after_the_latency_is_refused_in_words():
    model, row = MelVocoder(**SMALL, objective=Spectral(loss=MelSTFT([2048], [64]))), torch.zeros(1, 1, 2080)
    batch = Batch(row, row, torch.zeros(1, 0), torch.tensor([2080]), ["row"])
    said = "segment_samples: found rows of 2080 samples, of which 2032 are scored, .* expected at least 2048 "
    with pytest.raises(TrainingError, match=said):
        model.train_on(batch, None)


def test_no_latency_is_probed_by_waveform():
    manifest = object()
    assert LatencyProbe().write(Path(), MelVocoder(**SMALL).net, manifest, None, print) is manifest
