"""Training of nets that take their last output as an input: first with true outputs, then with their own."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from tapezoo.blocks import blocks
from tapezoo.net import Net, State
from tapezoo.training.arguments import require
from tapezoo.training.errors import TrainingError
from tapezoo.training.objective import Progress, Step
from tapezoo.training.supervised import Supervised


@runtime_checkable
class HearsItself(Protocol):
    """A net whose next output depends on its last one."""

    def forced(self, input: Tensor, controls: Tensor, state: State, before: Tensor) -> Tensor:
        """The output if every sample receives the true previous output; all (batch, 1, samples)."""

    def with_output(self, state: State, output: Tensor) -> State:
        """`state` with the last output replaced by `output` (batch, 1)."""

    def hold_within(self, peak: float) -> None:
        """Reports the largest true output of a batch; the net may limit its output to slightly more than that."""


class FreeRunning(Supervised):
    """Trains one sample at a time first, then over growing roll-outs, then as `Supervised` does.

    1. One step: every sample receives the true previous output (teacher forcing; Williams, Zipser, "A learning
    algorithm
       for continually running fully recurrent neural networks", 1989), and the changes from there are compared. It is
       fast, and has no local minima from long memories. On its own it gives nets that drift, since the net never
       receives its own errors (exposure bias; Peussa et al., "Exposure bias and state matching in recurrent neural
       network virtual analog models", DAFx 2021).
    2. Roll-outs: the net runs on its own output for `shortest_samples`, growing to `tbptt_samples`, and each roll-out
       starts from the true output.
    3. Free: as `Supervised`, from the state it reached by itself.

    Args:
        one_step_share: Share of the training spent in stage 1, 0 to 1.
        rollout_share: Share spent in stage 2; the rest is stage 3.
        shortest_samples: Shortest roll-out, 1 or more.
        supervised: The rest of the training, see `Supervised`.

    Raises:
        TrainingError: An argument is out of its range; or see `Supervised`.
    """

    def __init__(
        self,
        one_step_share: float = 0.2,
        rollout_share: float = 0.4,
        shortest_samples: int = 64,
        **supervised: Any,
    ) -> None:
        super().__init__(**supervised)
        require("one_step_share", one_step_share, 0 <= one_step_share <= 1, "0 to 1")
        left = 1 - one_step_share + 1e-9
        require("rollout_share", rollout_share, 0 <= rollout_share <= left, "0 to 1 minus one_step_share")
        least = self.loss.min_samples
        judged = f"at least {least}, which {type(self.loss).__name__} needs"
        require("shortest_samples", shortest_samples, shortest_samples >= least, judged)
        self.one_step_share, self.rollout_share = one_step_share, rollout_share
        self.shortest_samples = shortest_samples

    def optimized_parameters(self, net: Net) -> dict[str, Any]:
        """See `Objective.optimized_parameters`. Raises TrainingError for a net without its last output as an input."""
        if not isinstance(net, HearsItself) or net.latency_samples or net.hop_samples != 1:
            raise TrainingError(
                "--model.objective",
                found=f"FreeRunning for {type(net).__name__}, whose next output does not depend on its last one",
                expected="a state transition net, such as tapezoo.models.STN without filters",
                fix="Train it with tapezoo.training.Supervised.",
            )
        return super().optimized_parameters(net)

    def rollout_samples(self, progress: Progress, longest: int) -> int | None:
        """Length of the roll-outs: 0 for one step at a time, None for no limit.

        Args:
            progress: Progress of the training.
            longest: Length of the last roll-outs.
        """
        done = progress.fraction_done - self.one_step_share
        if done < 0:
            return 0
        if done >= self.rollout_share - 1e-9:
            return None
        shortest = min(self.shortest_samples, longest)
        grown: float = (longest / shortest) ** (done / self.rollout_share)
        return round(shortest * grown)

    def step(self, step: Step) -> dict[str, Tensor]:
        """See `Objective.step`: an optimizer step per `tbptt_samples`."""
        assert isinstance(step.net, HearsItself)
        step.net.hold_within(float(step.batch.target.abs().max()))
        scored = step.batch.input.shape[-1] - step.burn_in_samples
        longest = min(self.tbptt_samples or scored, scored)
        rollout = self.rollout_samples(step.progress, longest)
        if rollout is None or step.batch.delay is not None:
            return super().step(step)
        net, (input, target, controls, *_) = step.net, step.batch
        first = max(step.burn_in_samples, 1)  # so that the previous sample exists
        with torch.no_grad():
            _, state = net(input[..., :first], controls, net.initial_state(controls))
        before = target[..., first - 1 : -1]
        input, target = input[..., first:], target[..., first:]
        scale = 1.0 if step.batch.scale is None else step.batch.scale[:, None, None]
        losses: list[Tensor] = []
        for chunk in blocks(input.shape[-1], longest):
            if losses and chunk.stop - chunk.start < self.loss.min_samples:
                continue  # too short for the loss
            heard, known = input[..., chunk], before[..., chunk]
            if rollout:
                output, state = self._roll_out(net, heard, controls, state, known, rollout)
                loss = self.loss(output * scale, target[..., chunk] * scale)
            else:
                output = net.forced(heard, controls, state, known)
                loss = self.loss((output - known) * scale, (target[..., chunk] - known) * scale)
                with torch.no_grad():
                    _, state = net(heard, controls, state)
            step.update(loss, clip_norm=self.gradient_clip_norm)
            state = {name: value.detach() for name, value in state.items()}
            losses.append(loss.detach())
        return {"train_loss": torch.stack(losses).mean()}

    @staticmethod
    def _roll_out(
        net: Any, input: Tensor, controls: Tensor, state: State, before: Tensor, samples: int
    ) -> tuple[Tensor, State]:
        """The output in pieces of this length, each started from the true output, and the state after the last one."""
        parts = []
        for piece in blocks(input.shape[-1], samples):
            state = net.with_output(state, before[..., piece.start])
            output, state = net(input[..., piece], controls, state)
            parts.append(output)
        return torch.cat(parts, dim=-1), state
