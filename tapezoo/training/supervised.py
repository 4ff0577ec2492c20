"""Supervised training with truncated backpropagation through time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from tapezoo.blocks import blocks, whole_hops
from tapezoo.layers.delay_line import context_samples, read_delayed
from tapezoo.losses import Loss
from tapezoo.losses.esr import ESR
from tapezoo.net import Net, State
from tapezoo.training.arguments import require
from tapezoo.training.errors import TrainingError
from tapezoo.training.objective import Objective, Step, Update

MOST_PLACE = 1 << 40  # samples into a loop; many times the length of any, so that all places are alike


@dataclass(frozen=True)
class Played:
    """What the net made of one chunk, with its gradient, and what it should have made.

    Args:
        output: (batch, 1, samples), at the delay of the data.
        target: As output.
        scale: Factor of both before a loss, (batch, 1, 1); see `Batch`.
        penalty: See `Supervised.penalty`.
    """

    output: Tensor
    target: Tensor
    scale: Tensor | float
    penalty: Tensor | None


class Supervised(Objective):
    """Minimises a distance between output and target.

    Truncated backpropagation through time after Wright et al. (DAFx 2019): the net first runs over the burn-in
    without a gradient, then takes one optimizer step per `tbptt_samples`, with the state carried over without its
    gradient. If the data give a delay (`Batch.delay`), it is applied to the output before the comparison: the net then
    learns the machine without its transport.

    Args:
        loss: The loss, called as (output, target); None: the ESR.
        tbptt_samples: Samples per optimizer step; None: one step per segment.
        gradient_clip_norm: Largest norm of the gradient, above 0; None: no limit.

    Raises:
        TrainingError: A norm that is not above 0, or fewer samples per step than the loss needs.
    """

    reads_delay = True

    def __init__(
        self,
        loss: Loss | None = None,
        tbptt_samples: int | None = None,
        gradient_clip_norm: float | None = 1.0,
    ) -> None:
        super().__init__()
        self.loss = loss or ESR()
        self.tbptt_samples = tbptt_samples
        self.gradient_clip_norm = gradient_clip_norm
        # a negative norm would reverse gradients
        is_limit = gradient_clip_norm is None or gradient_clip_norm > 0
        require("gradient_clip_norm", gradient_clip_norm, is_limit, "a number above 0, or null for no limit")
        self._check_chunk(
            self.loss.min_samples, type(self.loss).__name__, "choose a loss that works on shorter blocks"
        )

    def step(self, step: Step) -> dict[str, Tensor]:
        """See `Objective.step`: one optimizer step per `tbptt_samples`."""
        net, (input, target, controls, *_) = step.net, step.batch
        state = begin_anywhere(net, net.initial_state(controls))
        hop, latency = net.hop_samples, net.latency_samples
        unscored = whole_hops(max(step.burn_in_samples, latency), hop)
        scored = (input.shape[-1] - unscored) // hop * hop
        if not scored:
            raise TrainingError(
                "--data.segment_samples",
                found=f"rows of {input.shape[-1]} samples, of which {unscored} are not scored: less than a hop is left",
                expected=f"a segment of at least one hop of the net, {hop} samples",
                fix="Raise it, or choose a shorter hop: --model.hop_samples.",
            )
        if scored < self.min_samples:
            raise TrainingError(
                "--data.segment_samples",
                found=f"rows of {input.shape[-1]} samples, of which {scored} are scored, after the burn-in and the "
                "net's latency",
                expected=f"at least {self.min_samples} scored samples, which the objective and its loss need",
                fix="Raise it, or choose a loss that works on shorter blocks.",
            )
        heard = input[..., :0]
        if unscored:
            with torch.no_grad():
                heard, state = net(input[..., :unscored], controls, state)
        input = input[..., unscored : unscored + scored]
        target = target[..., unscored - latency : unscored - latency + scored]  # the output is late by it
        scale = 1.0 if step.batch.scale is None else step.batch.scale[:, None, None]
        delay = step.batch.delay
        if delay is not None:
            delay = delay[..., unscored - latency : unscored - latency + scored]
            needed = context_samples(delay)
            context = pad(heard, (max(0, needed - unscored), 0))[..., -needed:]

        learned: list[dict[str, Tensor]] = []
        for chunk in blocks(scored, whole_hops(self.tbptt_samples or scored, hop)):
            if learned and chunk.stop - chunk.start < self.min_samples:
                continue  # too short for the loss
            heard, before = self.disturbed(net, input[..., chunk], state)
            output, state = net(heard, controls, before)
            if delay is not None:
                output, context = read_delayed(output, delay[..., chunk], context.detach())
            penalty = self.penalty(net, heard, controls, before, state)
            learned.append(self.learn(step.update, Played(output, target[..., chunk], scale, penalty)))
            state = {name: value.detach() for name, value in state.items()}
        return {name: torch.stack([each[name] for each in learned]).mean() for name in learned[0]}

    @property
    def min_samples(self) -> int:
        """The shortest chunk that can be learned from."""
        return self.loss.min_samples

    def learn(self, update: Update, played: Played) -> dict[str, Tensor]:
        """The optimizer step for one chunk.

        Args:
            update: Makes it.
            played: The chunk.

        Returns:
            Scalars to log, without gradient, "train_loss" among them.
        """
        loss = self.loss(played.output * played.scale, played.target * played.scale)
        if played.penalty is None:
            update(loss, clip_norm=self.gradient_clip_norm)
            return {"train_loss": loss.detach()}
        update(loss + played.penalty, clip_norm=self.gradient_clip_norm)
        return {"train_loss": loss.detach(), "train_penalty": played.penalty.detach()}

    def disturbed(self, net: Net, input: Tensor, state: State) -> tuple[Tensor, State]:
        """The input chunk and state that the net receives in training; here unchanged.

        Args:
            net: The net in training.
            input: (batch, 1, samples).
            state: Before the chunk.
        """
        return input, state

    def penalty(self, net: Net, input: Tensor, controls: Tensor, state: State, after: State) -> Tensor | None:
        """A term that a subclass adds to the loss of a chunk; None: nothing.

        Args:
            net: The net in training.
            input: Its input, (batch, 1, samples).
            controls: (batch, num_controls).
            state: Before the chunk.
            after: After the chunk, with its gradient.
        """
        return None

    def validation_losses(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """See `Objective.validation_losses`."""
        if target.shape[-1] < self.loss.min_samples:
            return {}
        return {"val_loss": self.loss(output, target)}

    def _check_chunk(self, needed_samples: int, who: str, or_else: str) -> None:
        """Raises TrainingError if `tbptt_samples` is shorter than what `who` needs."""
        if self.tbptt_samples is not None and self.tbptt_samples < needed_samples:
            raise TrainingError(
                "--model.objective.tbptt_samples",
                found=str(self.tbptt_samples),
                expected=f"at least {needed_samples}, which {who} needs",
                fix=f"Raise tbptt_samples, or {or_else}.",
            )


def begin_anywhere(net: Net, state: State) -> State:
    """The state with every row at another place of the loops that the net reads, such as noise.

    From the stored place, every batch would hear the same few pieces of a loop.

    Args:
        net: The net in training.
        state: At rest.
    """
    begun = dict(state)
    for name in net.endless_states:
        place = state[name]
        if not place.is_floating_point():
            most = min(MOST_PLACE, torch.iinfo(place.dtype).max)
            begun[name] = torch.randint(0, most, place.shape, device=place.device, dtype=place.dtype)
    return begun
