"""Packed training: each net learns what it would alone, is judged by itself, and has a best epoch of its own."""

import math

import pytest
import torch
from lightning.pytorch import Callback
from test_effect import Fixed, batch, trainer

from tapezoo.callbacks import BestAndLast, PackedScores
from tapezoo.checkpoint import check_resumable, load_model, read_checkpoint
from tapezoo.cli.packed_report import packed_lines
from tapezoo.models.arguments import ModelArgumentError
from tapezoo.models.fir import FIR, FIRNet
from tapezoo.models.wavenet import WaveNet
from tapezoo.run_files import CheckpointError
from tapezoo.training import Packed, Supervised
from tapezoo.training.effect import EffectModel
from tapezoo.training.errors import TrainingError

SHAPE = {"dilations": [1, 2], "kernel_size": 2, "burn_in_samples": 64}


def test_each_net_learns_exactly_what_it_learns_alone():
    """Large and small with gradients of very different size: a norm over both would clip the small one's."""
    together = WaveNet(
        channels=[3],
        **SHAPE,
        objective=Packed({"lite": {"channels": [2], "head_scale": 5.0}}, tbptt_samples=128),
    )
    (lite,) = together.objective.members.values()
    alone = [
        WaveNet(channels=[3], **SHAPE, objective=Supervised(tbptt_samples=128)),
        WaveNet(channels=[2], head_scale=5.0, **SHAPE, objective=Supervised(tbptt_samples=128)),
    ]
    before = lite.net.state_dict()["arrays.last.head.weight"].clone()
    for model, twin in zip((together, lite), alone, strict=True):
        twin.net.load_state_dict(model.net.state_dict())
    data = Fixed([batch(2, 320, seed) for seed in range(3)])
    for model in (together, *alone):
        trainer(limit_val_batches=0).fit(model, datamodule=data)
    for model, twin in zip((together, lite), alone, strict=True):
        torch.testing.assert_close(model.net.state_dict(), twin.net.state_dict(), rtol=0, atol=0)
    assert not torch.equal(before, lite.net.state_dict()["arrays.last.head.weight"])


class Script(Callback):
    """Epochs in which the gains of the two nets are as told; the machine's gain is 1."""

    def __init__(self, own, lite):
        self.gains = own, lite

    def on_validation_start(self, trainer, pl_module):
        models = pl_module, pl_module.objective.members["lite"]
        with torch.no_grad():
            for model, gains in zip(models, self.gains, strict=True):
                model.net.taps.zero_()
                model.net.taps[..., -1] = gains[trainer.current_epoch]


def play(folder, own, lite, **resumed):
    model = FIR(taps=4, objective=Packed({"lite": {"taps": 2}}))
    callbacks = [Script(own, lite), BestAndLast(folder), PackedScores(folder, model.objective)]
    run = trainer(max_epochs=len(own), enable_checkpointing=True, callbacks=callbacks)
    same = batch(2, 256, target=lambda input: input)
    run.fit(model, datamodule=Fixed([same]), weights_only=True, **resumed)
    return model, run


def test_the_best_epoch_of_each_is_kept_as_a_model_of_its_own(tmp_path):
    model, run = play(tmp_path, own=[0.9, 0.8, 0.7], lite=[0.5, 0.6, 0.4])
    own, lite = (load_model(tmp_path / name) for name in ("best.ckpt", "best-lite.ckpt"))
    assert (type(lite), lite.net.taps.shape[-1], own.net.taps.shape[-1]) == (FIR, 2, 4)
    assert float(own.net.taps.detach()[..., -1]) == pytest.approx(0.9)
    assert float(lite.net.taps.detach()[..., -1]) == pytest.approx(0.6)
    metrics = read_checkpoint(tmp_path / "best-lite.ckpt")["tapezoo"]["metrics"]
    assert metrics["val_esr"] == pytest.approx(0.16)
    assert float(run.callback_metrics["val_esr_lite"]) == pytest.approx(0.36)  # of the last epoch
    assert list(packed_lines(tmp_path, model.objective, None)) == [
        f"lite         best val_esr 0.16000: {tmp_path / 'best-lite.ckpt'}"
    ]
    with pytest.raises(CheckpointError, match="weights without the state of the training"):
        check_resumable(tmp_path / "best-lite.ckpt")


def test_a_resumed_training_has_to_beat_the_best_of_each(tmp_path):
    play(tmp_path, own=[0.5], lite=[0.8])
    last = str(tmp_path / "last.ckpt")
    play(tmp_path, own=[0.5, 0.6], lite=[0.8, 0.7], ckpt_path=last)
    assert float(load_model(tmp_path / "best.ckpt").net.taps.detach()[..., -1]) == pytest.approx(0.6)
    assert float(load_model(tmp_path / "best-lite.ckpt").net.taps.detach()[..., -1]) == pytest.approx(0.8)
    play(tmp_path, own=[0.5, 0.6, 0.6], lite=[0.8, 0.7, 0.9], ckpt_path=last)
    assert float(load_model(tmp_path / "best-lite.ckpt").net.taps.detach()[..., -1]) == pytest.approx(0.9)


def test_a_new_training_replaces_the_best_of_another(tmp_path):
    play(tmp_path, own=[0.5], lite=[0.9])
    play(tmp_path, own=[0.5], lite=[0.4])
    assert float(load_model(tmp_path / "best-lite.ckpt").net.taps.detach()[..., -1]) == pytest.approx(0.4)


def test_it_steps_one_optimizer_for_each_and_logs_both_losses():
    model = FIR(taps=4, objective=Packed({"lite": {"taps": 2}}, tbptt_samples=128))
    run = trainer(limit_val_batches=0)
    run.fit(model, datamodule=Fixed([batch(2, 256)]))
    assert (len(run.optimizers), run.global_step) == (2, 2 * 2)
    assert {name for name in run.callback_metrics if name.startswith("train_")} == {
        "train_loss",
        "train_loss_lite",
    }
    assert all(math.isfinite(value) for value in run.callback_metrics.values())


@pytest.mark.parametrize(
    ("also", "error", "said"),
    [
        ({}, TrainingError, "found no net; expected the name of one"),
        ({"a/b": {"taps": 2}}, TrainingError, "found 'a/b'; expected a name of letters"),
        ({"net": {"taps": 2}}, TrainingError, "found 'net'; expected a name .* other than net"),
        ({"lite": {"channels": 2}}, TrainingError, "found channels of lite; expected arguments of FIR: taps"),
        ({"lite": {"taps": 1}}, ModelArgumentError, "model.taps: found 1; expected"),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(also, error, said):
    with pytest.raises(error, match=said):
        FIR(taps=4, objective=Packed(also))


def test_nets_beside_filters_or_noise_are_refused():
    with pytest.raises(TrainingError, match="filter_before_taps"):
        FIR(taps=4, objective=Packed({"lite": {"taps": 2}}), noise_taps=2)


def test_a_model_that_cannot_be_built_again_is_refused():
    class Own(EffectModel):
        def __init__(self, **training):
            super().__init__(**training)
            self.net = FIRNet(self.num_controls, 8)

    with pytest.raises(TrainingError, match="a FIRNet, whose model does not say how to build another"):
        Own(objective=Packed({"lite": {"taps": 2}})).configure_optimizers()
