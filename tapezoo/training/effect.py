"""The LightningModule around a net: its optimizers, its objective and its scores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim import Optimizer

from tapezoo.controls import Control
from tapezoo.data.batch import Batch
from tapezoo.layers.delay_line import read_whole
from tapezoo.metrics import OF_WAVEFORMS, registered_metric
from tapezoo.metrics.sampled import MetricError
from tapezoo.net import Net, State
from tapezoo.play import play, settle
from tapezoo.training.constructor import make_constructor
from tapezoo.training.errors import TrainingError
from tapezoo.training.long_path import (
    add_filters,
    check_filter_rate,
    check_filter_taps,
    make_optimizer,
    start_filters,
)
from tapezoo.training.objective import Objective, Progress, Step
from tapezoo.training.own_features import add_features, check_features, check_has_features
from tapezoo.training.own_noise import add_noise, check_has_noise, check_noise_taps
from tapezoo.training.own_phase import check_own_phase
from tapezoo.training.probing import play_model
from tapezoo.training.scores import Scores
from tapezoo.training.scoring import in_pieces, scored_rows
from tapezoo.training.supervised import Supervised
from tapezoo.training.trained import TrainedModel

OF_THE_TRAINING = ("objective", "optimizer", "lr_scheduler", "metrics", "filter_learning_rate")
VALIDATION_BLOCK_SAMPLES = 16384
# silence fed before a validation; a net that settles more slowly starts from the state reached by then
VALIDATION_SETTLE_SAMPLES = 1 << 15


class EffectModel(TrainedModel):
    """Trains a Net on (input, target, controls) with an objective.

    A subclass only names its net in `net_class`. Its constructor then takes the net's arguments and the ones
    below, with the net's types, defaults and help texts. Its name is the architecture's name everywhere.
    A subclass with its own constructor calls `super().__init__(**training)` there and sets `self.net`.

    Args:
        sample_rate: Hz; declared by the data.
        controls: `Control.to_dict()` of every knob; declared by the data.
        burn_in_samples: Unscored samples at the start of every segment; declared by the data.
        score_after_samples: Unscored samples at the start of every validation and test region, if longer than the
            burn-in; makes the errors of trainings with different burn-ins comparable.
        objective: How the net is trained; None: `Supervised`.
        optimizer: Made once for each set of parameters that the objective trains.
        lr_scheduler: Made for each optimizer. It is stepped after every epoch, torch's ReduceLROnPlateau with the
            objective's monitored metric, CosineDecay after every batch.
        filter_beside_taps: Length of a linear filter in parallel with the net, in samples, 2 to 65536; 0: none. It
            starts as the least-squares filter of the training split and the net at zero, so training starts from the
            linear floor (`tapezoo.filtered.FilterBeside`). For machines whose linear part is long, such as tape.
        filter_before_taps: Length of such a filter before the net, in samples; 0: none.
        filter_lead_samples: Samples by which the parallel filter looks ahead; they become latency. The replay heads
            of tape respond before the gap is reached.
        filter_learning_rate: Learning rate of these filters as a share of the optimizer's, 0 to 1; 0: they stay as
            initialised. ESR on two held-out clips of real tape: .00677 and .0919 at 0, .00657 and .0918 at .003, .00668
            and .0879 at .03, where training was less stable.
        noise_taps: Length of a trained filter of noise that the net adds to its output, in samples, 1 to 4096; 0: no
            noise (`tapezoo.noisy.Noisy`). For the objective Adversarial; losses of waveforms make it quieter.
        features: Measures of the signal that the net is told as further controls, of the last 50 ms: "loudness" (LUFS),
            "crest" (peak over RMS, dB), "centroid" (Hz) (`tapezoo.featured.Featured`); None: none.
        metrics: Names of further registered metrics, beside esr, mae, si_sdr, mrstft and the one that the objective
            monitors; `tapezoo list metrics` lists them.
    """

    net_class: ClassVar[type[Net]]
    """The net that the constructor builds, given the number of controls and the constructor's own arguments."""
    net: Net
    objective: Objective
    watched: tuple[str, ...] = ("val_esr",)

    def __init__(
        self,
        sample_rate: int = 44100,
        controls: list[dict[str, Any]] | None = None,
        burn_in_samples: int = 0,
        score_after_samples: int = 0,
        objective: Objective | None = None,
        optimizer: OptimizerCallable = torch.optim.Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
        metrics: list[str] | None = None,
        filter_beside_taps: int = 0,
        filter_before_taps: int = 0,
        filter_lead_samples: int = 0,
        filter_learning_rate: float = 0.003,
        noise_taps: int = 0,
        features: list[str] | None = None,
    ) -> None:
        super().__init__(objective or Supervised(), optimizer, lr_scheduler)
        # these belong to the training: loading a checkpoint must not require them
        self.save_hyperparameters(ignore=OF_THE_TRAINING, logger=False)
        self.sample_rate = sample_rate
        self.controls = [Control(**control) for control in controls or []]
        self.burn_in_samples = burn_in_samples
        self.score_after_samples = score_after_samples
        self.filter_taps = check_filter_taps(filter_beside_taps, filter_before_taps, filter_lead_samples)
        self.filter_learning_rate = check_filter_rate(filter_learning_rate)
        self.noise_taps = check_noise_taps(noise_taps)
        self.features = check_features(features)
        self.asked_for = list(metrics or [])
        asked_for = [*self.asked_for, *registered_metric(self.objective.monitor)]
        self.val_scores = Scores("val", sample_rate, asked_for)
        self.test_scores = Scores("test", sample_rate, asked_for)

    def __init_subclass__(cls, **options: Any) -> None:
        """Gives a subclass that only names its net the constructor for it."""
        super().__init_subclass__(**options)
        if "net_class" in vars(cls) and "__init__" not in vars(cls):
            constructor = make_constructor(cls, cls.net_class, cls.build_net)
            cls.__init__ = constructor  # type: ignore[method-assign]

    def build_net(self, **arguments: Any) -> Net:
        """Builds the net from these arguments; an architecture that chooses between nets does so here.

        Further named arguments of an override become arguments of the constructor too.
        """
        return self.net_class(self.net_controls, **arguments)

    def with_filters(self, net: Net) -> Net:
        """Adds the requested features, filters and noise; a subclass with its own constructor passes its net here."""
        told = add_features(net, self.features, self.sample_rate, self.num_controls)
        return add_noise(add_filters(told, self.filter_taps), self.noise_taps)

    @property
    def num_controls(self) -> int:
        """The number of knobs of the net."""
        return len(self.controls)

    @property
    def net_controls(self) -> int:
        """The number of controls that the net itself is built for: knobs, then features."""
        return len(self.controls) + len(self.features)

    def default_controls(self) -> Tensor:
        """(1, num_controls): every knob at its default."""
        positions = [control.normalize(control.default) for control in self.controls]
        return torch.tensor([positions], device=self.device).reshape(1, self.num_controls)

    def setup(self, stage: str) -> None:
        """Measures no waveforms of a net that has a phase of its own."""
        if self.net.own_phase:
            self.watched = ()
            for scores in (self.val_scores, self.test_scores):
                scores.leave_out(OF_WAVEFORMS)

    def configure_optimizers(self) -> Any:
        """See `TrainedModel.configure_optimizers`; refuses to compare waveforms that cannot agree."""
        check_own_phase(self.net, self.objective, self.asked_for, bool(self.filter_taps.filters))
        return super().configure_optimizers()

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """The net itself."""
        output, state = self.net(input, controls, state)
        return output, state

    def train_on(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """See `TrainedModel.train_on`.

        Raises:
            TrainingError: Data that give a delay, which the objective does not use.
        """
        if batch.delay is not None and not self.objective.reads_delay:
            raise TrainingError(
                f"the objective {type(self.objective).__name__}",
                found="data that give the delay of the target, which this objective does not use",
                expected="an objective with reads_delay, such as tapezoo.training.Supervised",
                fix="Pass --data.delay remove, or choose another objective.",
            )
        return self.objective.step(Step(self.net, batch, self.burn_in_samples, progress, self._update))

    def seconds_of(self, batch: Batch) -> float:
        """Length of the input of all rows together, s."""
        return batch.input.shape[0] * batch.input.shape[-1] / float(self.sample_rate)

    def on_validation_start(self) -> None:
        """Settles the rest state for the current weights."""
        state, _ = settle(self.net, self.default_controls(), limit_samples=VALIDATION_SETTLE_SAMPLES)
        self.net.store_rest(state)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Scores whole regions from rest, in long blocks with carried state."""
        output = self.run(batch.input, batch.controls, batch.delay)
        if self.trainer.state.fn != "fit":  # not in every epoch: it costs as much
            self._score_kept_delay(self.val_scores, batch)
        for row in self.scored_rows(output, batch):
            for row_output, row_target in in_pieces(*row):
                self.val_scores.add(row_output, row_target)
                losses = self.objective.validation_losses(row_output[None], row_target[None])
                self.log_dict(losses, batch_size=row_target.shape[-1])

    def on_validation_epoch_end(self) -> None:
        """Logs the metrics of the whole split, and those on test signals."""
        self._log_scores(self.val_scores)

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Like `validation_step`; returns what the tables by clip and by setting need for each row.

        Returns:
            energies: (rows, 2), of the error and of the target.
            mrstft: (rows,), see `Scores.add_whole`; NaN for rows that are too short.
            samples: (rows,), the number of scored samples.
            energies_delay_kept: Like `energies`, with only a constant delay removed; present if the delay is removed.
        """
        output = self.run(batch.input, batch.controls, batch.delay)
        kept = self._score_kept_delay(self.test_scores, batch)
        scores = [self.test_scores.add_whole(*row) for row in self.scored_rows(output, batch)]
        return {
            "energies": torch.stack([score.energies for score in scores]),
            "mrstft": torch.tensor([score.mrstft for score in scores]),
            "samples": torch.tensor([score.samples for score in scores]),
            **({} if kept is None else {"energies_delay_kept": kept}),
        }

    def on_test_epoch_end(self) -> None:
        """Logs the metrics of the whole split, and those on test signals."""
        self._log_scores(self.test_scores)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The output for whole regions, (batch, 1, samples)."""
        return self.run(batch.input, batch.controls, batch.delay)

    def run(self, input: Tensor, controls: Tensor, delay: Tensor | None = None) -> Tensor:
        """(batch, 1, samples) through the net from rest, in long blocks; the padded tail is cut off again.

        If the batch has a delay (`Batch.delay`), the output is delayed by it.
        """
        state, _ = settle(self.net, controls, limit_samples=VALIDATION_SETTLE_SAMPLES)
        output = play(self.net, input, controls, state, VALIDATION_BLOCK_SAMPLES)
        if delay is None:
            return output
        return read_whole(output, delay, self.net.latency_samples, VALIDATION_BLOCK_SAMPLES)

    def _score_kept_delay(self, scores: Scores, batch: Batch) -> Tensor | None:
        """Energies of each row with only a constant delay removed; None: nothing else was removed."""
        if batch.steady_input is None:
            return None
        output = self.run(batch.steady_input, batch.controls)
        return scores.add_with_delay_kept(self.scored_rows(output, batch))

    def scored_rows(self, output: Tensor, batch: Batch) -> list[tuple[Tensor, Tensor]]:
        """(1, samples) of output and target per row, after the burn-in, without the padding, latency removed."""
        return scored_rows(output, batch, self._start_samples, self.net.latency_samples)

    @property
    def _start_samples(self) -> int:
        return max(self.burn_in_samples, self.score_after_samples)

    def unmeasured(self, split: Literal["val", "test"]) -> list[MetricError]:
        """What is to be said of metrics that will have no figure: rows too short, or no machine to play."""
        scores = self.val_scores if split == "val" else self.test_scores
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        return scores.unmeasured(data, self._start_samples + self.net.latency_samples)

    def make_optimizer_of(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """See `TrainedModel`; filters beside the net learn at a rate of their own."""
        return make_optimizer(self.make_optimizer, self.net, parameters, self.filter_learning_rate)

    def on_fit_start(self) -> None:
        """Refuses metrics without enough audio; initialises long filters by least squares, unless they were loaded."""
        for error in self.unmeasured("val"):
            raise error
        check_has_noise(self.net, self.noise_taps)
        check_has_features(self.net, self.features)
        start_filters(self.net, self.filter_taps, self.trainer.datamodule)  # type: ignore[attr-defined]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Reads older checkpoints, in which the loss belongs to the model."""
        weights: dict[str, Any] = checkpoint["state_dict"]
        for name in [name for name in weights if name.startswith("loss.")]:
            weights[f"objective.{name}"] = weights.pop(name)

    def metric_names(self) -> list[str]:
        """Of all metrics that validation and test measure."""
        return self.val_scores.names()

    def _log_scores(self, scores: Scores) -> None:
        latency = self.net.latency_samples
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        scores.probe(play_model(self.run, self.default_controls(), latency), data, latency)
        for name, value in scores.compute().items():
            self.log(name, value, prog_bar=name == self.objective.monitor)
