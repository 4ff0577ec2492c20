"""Trains a Net on pairs of dry and wet sound: the loop lives here, once for every architecture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from tapezoo.controls import Control
from tapezoo.data.batch import Batch
from tapezoo.errors import TapezooError
from tapezoo.losses import Loss
from tapezoo.losses.esr import ESR
from tapezoo.losses.mrstft import MRSTFT
from tapezoo.metrics import metric_collection
from tapezoo.net import Net, State, blocks, settle, whole_hops
from tapezoo.training.constructor import make_constructor
from tapezoo.training.schedules import CosineDecay, TrainingLength, training_length

VALIDATION_BLOCK_SAMPLES = 16384
SCORED_SAMPLES = (
    1 << 22
)  # of a row, a minute and a half: a longer one is scored in pieces, which bounds memory
# silence fed before a validation; a net that drifts longer than this starts from where it got to
VALIDATION_SETTLE_SAMPLES = 1 << 15


class NonFiniteLossError(TapezooError):
    """The loss or the validation error became NaN or infinite."""


class TrainingArgumentError(TapezooError):
    """An argument that no training can follow."""


class ChunkTooShortError(TapezooError):
    """The loss needs more samples than one update of truncated backpropagation gives it."""


class EffectModel(LightningModule):
    """Trains a Net on (input, target, controls).

    A subclass names its net in `net_class`; nothing else. Its constructor then takes the net's arguments and the ones
    below, with the net's types, defaults and help texts. Its name is the architecture's name everywhere.
    One that writes a constructor of its own calls `super().__init__(**training)` in it and builds `self.net`.

    Truncated backpropagation through time after Wright et al. (DAFx 2019): the net first runs over
    `burn_in_samples` without a gradient, then every `tbptt_samples` make one optimizer step, the state
    carried over without its history.

    Args:
        sample_rate: Hz; declared by the data.
        controls: `Control.to_dict()` of every knob; declared by the data.
        burn_in_samples: Unscored samples at the start of every segment; declared by the data.
        score_after_samples: Unscored samples at the start of every validation and test region, where the
            burn-in is shorter: makes the errors of trainings with different burn-ins comparable.
        tbptt_samples: Samples per optimizer step; None: one step per segment.
        gradient_clip_norm: Largest norm of the gradient; None: unlimited.
        loss: What to minimise, called as (output, target).
        optimizer: Made from the parameters.
        lr_scheduler: Made from the optimizer; stepped after every epoch, ReduceLROnPlateau on val_esr,
            CosineDecay moved after every batch.
    """

    net_class: ClassVar[type[Net]]
    """What the constructor builds, given the number of controls and the arguments of its own."""
    net: Net
    provenance: dict[str, str]
    """Where the weights come from (data set hash, versions); RunRecorder sets it, checkpoints store it."""
    _length: TrainingLength

    def __init__(
        self,
        sample_rate: int = 44100,
        controls: list[dict[str, Any]] | None = None,
        burn_in_samples: int = 0,
        score_after_samples: int = 0,
        tbptt_samples: int | None = None,
        gradient_clip_norm: float | None = 1.0,
        loss: Loss | None = None,
        optimizer: OptimizerCallable = torch.optim.Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["loss", "optimizer", "lr_scheduler"], logger=False)
        # several optimizer steps per batch
        self.automatic_optimization = False
        self.provenance = {}
        self.sample_rate = sample_rate
        self.controls = [Control(**control) for control in controls or []]
        self.burn_in_samples = burn_in_samples
        self.score_after_samples = score_after_samples
        self.tbptt_samples = tbptt_samples
        self.gradient_clip_norm = gradient_clip_norm
        self.loss = loss or ESR()
        self.make_optimizer = optimizer
        self.make_lr_scheduler = lr_scheduler
        self.val_metrics = metric_collection("val_")
        self.test_metrics = metric_collection("test_")
        self.test_distance = MRSTFT("hybrid")
        if (
            gradient_clip_norm is not None and not gradient_clip_norm > 0
        ):  # below 0 it would turn gradients around
            raise TrainingArgumentError(
                "--model.gradient_clip_norm",
                found=f"{gradient_clip_norm}",
                expected="a number above 0, or null for no limit",
                fix="Correct it on the line or in the recipe.",
            )
        if tbptt_samples is not None and tbptt_samples < self.loss.min_samples:
            raise ChunkTooShortError(
                "model.tbptt_samples",
                found=str(tbptt_samples),
                expected=f"at least {self.loss.min_samples}, which {type(self.loss).__name__} needs",
                fix="Raise tbptt_samples, or choose a loss that judges shorter blocks.",
            )

    def __init_subclass__(cls, **options: Any) -> None:
        """Gives a subclass that only names its net the constructor for it."""
        super().__init_subclass__(**options)
        if "net_class" in vars(cls) and "__init__" not in vars(cls):
            constructor = make_constructor(cls, cls.net_class, cls.build_net)
            cls.__init__ = constructor  # type: ignore[method-assign]

    def build_net(self, **arguments: Any) -> Net:
        """The net of these arguments; an architecture that chooses among nets does so here.

        What an override takes by name besides becomes an argument of the constructor too.
        """
        return self.net_class(self.num_controls, **arguments)

    @property
    def num_controls(self) -> int:
        """How many knobs the net has."""
        return len(self.controls)

    def default_controls(self) -> Tensor:
        """(1, num_controls): every knob at its default."""
        positions = [control.normalize(control.default) for control in self.controls]
        return torch.tensor([positions], device=self.device).reshape(1, self.num_controls)

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """The net itself."""
        output, state = self.net(input, controls, state)
        return output, state

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One pass over a batch of segments, an optimizer step per `tbptt_samples`."""
        optimizer = self.optimizers()
        input, target, controls = batch.input, batch.target, batch.controls
        state = self.net.initial_state(controls)
        hop, latency = self.net.hop_samples, self.net.latency_samples
        unscored = whole_hops(max(self.burn_in_samples, latency), hop)
        scored = (input.shape[-1] - unscored) // hop * hop
        if unscored:
            with torch.no_grad():
                _, state = self.net(input[..., :unscored], controls, state)
        input = input[..., unscored : unscored + scored]
        target = target[..., unscored - latency : unscored - latency + scored]  # the output is that late
        scale = 1.0 if batch.scale is None else batch.scale[:, None, None]

        losses: list[Tensor] = []
        for chunk in blocks(scored, whole_hops(self.tbptt_samples or scored, hop)):
            if losses and chunk.stop - chunk.start < self.loss.min_samples:
                continue  # a last chunk too short to be judged
            output, state = self.net(input[..., chunk], controls, state)
            loss = self.loss(output * scale, target[..., chunk] * scale)
            optimizer.zero_grad()  # type: ignore[union-attr]
            self.manual_backward(loss)
            if self.gradient_clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.gradient_clip_norm)
            optimizer.step()  # type: ignore[union-attr]
            state = {name: value.detach() for name, value in state.items()}
            losses.append(loss.detach())

        mean_loss = torch.stack(losses).mean()
        self._stop_on_non_finite(mean_loss, batch_idx)
        self.log(
            "train_loss", mean_loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=input.shape[0]
        )
        return mean_loss

    def on_train_epoch_end(self) -> None:
        """Steps the scheduler, which manual optimization leaves to us; stops before a broken net is saved."""
        val_esr = self.trainer.callback_metrics.get("val_esr")
        if val_esr is not None and not torch.isfinite(val_esr):
            raise _non_finite(f"validation, epoch {self.current_epoch}", f"a val_esr of {float(val_esr)}")
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, ReduceLROnPlateau):
            if "val_esr" in self.trainer.callback_metrics:  # with check_val_every_n_epoch not from the start
                scheduler.step(self.trainer.callback_metrics["val_esr"])
        elif isinstance(scheduler, CosineDecay):
            scheduler.reach(self._length.start_epoch(self.current_epoch + 1))
        elif scheduler is not None:
            scheduler.step()  # type: ignore[union-attr]

    def on_validation_start(self) -> None:
        """Settles the machine at rest for the weights as they are now."""
        state, _ = settle(self.net, self.default_controls(), limit_samples=VALIDATION_SETTLE_SAMPLES)
        self.net.store_rest(state)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Scores whole regions from rest, in long blocks with carried state."""
        output = self.run(batch.input, batch.controls)
        for row in self.scored_rows(output, batch):
            for row_output, row_target in in_pieces(*row):
                self.val_metrics.update(row_output, row_target)
                samples = row_target.shape[-1]
                if samples >= self.loss.min_samples:
                    self.log("val_loss", self.loss(row_output[None], row_target[None]), batch_size=samples)

    def on_validation_epoch_end(self) -> None:
        """Logs the metrics of the whole split."""
        self._log_metrics(self.val_metrics)

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """As validation; returns what tables by clip and by setting need of each row.

        Returns:
            energies: (rows, 2), of the error and of the target.
            mrstft: (rows,), distance over windows of 256, 512 and 1024 samples, of pieces the mean by length;
                NaN for shorter rows.
            samples: (rows,), how many were scored.
        """
        output = self.run(batch.input, batch.controls)
        energies, distances, samples = [], [], []
        for row in self.scored_rows(output, batch):
            energy, distance, judged = torch.zeros(2, dtype=torch.float64, device=output.device), 0.0, 0
            for row_output, row_target in in_pieces(*row):
                self.test_metrics.update(row_output, row_target)
                energy += error_and_energy(row_output, row_target)
                length = row_target.shape[-1]
                if length >= self.test_distance.min_samples:
                    distance += length * self.test_distance(row_output[None], row_target[None]).item()
                    judged += length
            energies.append(energy)
            distances.append(distance / judged if judged else math.nan)
            samples.append(row[1].shape[-1])
        return {
            "energies": torch.stack(energies),
            "mrstft": torch.tensor(distances),
            "samples": torch.tensor(samples),
        }

    def on_test_epoch_end(self) -> None:
        """Logs the metrics of the whole split."""
        self._log_metrics(self.test_metrics)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The output for whole regions, (batch, 1, samples)."""
        return self.run(batch.input, batch.controls)

    def run(self, input: Tensor, controls: Tensor) -> Tensor:
        """(batch, 1, samples) through the net from rest, in long blocks; the padded tail is cut off again."""
        state, _ = settle(self.net, controls, limit_samples=VALIDATION_SETTLE_SAMPLES)
        samples = input.shape[-1]
        hop = self.net.hop_samples
        padded = torch.nn.functional.pad(input, (0, -samples % hop))
        outputs = []
        for block in blocks(padded.shape[-1], whole_hops(VALIDATION_BLOCK_SAMPLES, hop)):
            output, state = self.net(padded[..., block], controls, state)
            outputs.append(output)
        return torch.cat(outputs, dim=-1)[..., :samples]

    def scored_rows(self, output: Tensor, batch: Batch) -> list[tuple[Tensor, Tensor]]:
        """(1, samples) of output and target per row, after the burn-in, without the padding, latency removed."""
        rows = []
        start = max(self.burn_in_samples, self.score_after_samples)
        for row, valid_samples in enumerate(batch.valid_samples.tolist()):
            latency = self.net.latency_samples
            row_output = output[row, :, start + latency : valid_samples]
            row_target = batch.target[row, :, start : valid_samples - latency]
            rows.append((row_output, row_target))
        return rows

    def configure_optimizers(self) -> Any:
        """The recipe's optimizer and, where there is one, its scheduler."""
        optimizer = self.make_optimizer(self.net.parameters())
        if self.make_lr_scheduler is None:
            return optimizer
        return [optimizer], [self.make_lr_scheduler(optimizer)]

    def on_train_start(self) -> None:
        """Finds out what ends the training, where the schedule has to know, and how far a resumed one is."""
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, CosineDecay):
            self._length = training_length(self.trainer)
            scheduler.reach(self._length.start_epoch(self.current_epoch))

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Moves a schedule that spans the training."""
        scheduler = self.lr_schedulers()
        batches = self.trainer.num_training_batches
        if isinstance(scheduler, CosineDecay):
            scheduler.reach(self._length.fraction_done(self.current_epoch + (batch_idx + 1) / batches))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Stores what `tapezoo.checkpoint.load_model` needs to rebuild this model.

        Lightning's own copy of the arguments is dropped: LightningCLI would merge it into the recipe of
        whoever resumes, over what that recipe says.
        """
        arguments = checkpoint.pop("hyper_parameters", {})
        checkpoint["tapezoo"] = {
            "architecture": type(self).__name__,
            "arguments": {name: value for name, value in arguments.items() if not name.startswith("_")},
            "metrics": self._finite_metrics(),
            "provenance": self.provenance,
        }

    def _finite_metrics(self) -> dict[str, float]:
        metrics: Mapping[str, Tensor] = self.trainer.callback_metrics
        return {name: float(value) for name, value in metrics.items() if torch.isfinite(value)}

    def _log_metrics(self, metrics: Any) -> None:
        for name, value in metrics.compute().items():
            self.log(name, value, prog_bar=name == "val_esr")
        metrics.reset()

    def _stop_on_non_finite(self, loss: Tensor, batch_idx: int) -> None:
        if not torch.isfinite(loss):
            where = f"training, epoch {self.current_epoch}, batch {batch_idx}"
            raise _non_finite(where, f"a loss of {float(loss)}")


def in_pieces(output: Tensor, target: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The two, (1, samples), in pieces short enough to be scored at once."""
    for piece in blocks(target.shape[-1], SCORED_SAMPLES):
        yield output[..., piece], target[..., piece]


def error_and_energy(output: Tensor, target: Tensor) -> Tensor:
    """(2,): energy of the error and of the target, whose ratio over a whole split is its ESR."""
    return torch.stack([(output - target).double().square().sum(), target.double().square().sum()])


def _non_finite(where: str, found: str) -> NonFiniteLossError:
    return NonFiniteLossError(
        where,
        found=found,
        expected="a finite one",
        fix="Lower the learning rate or gradient_clip_norm and start again; the best checkpoint so far is kept.",
    )
