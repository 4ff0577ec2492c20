"""Training of very small nets with output feedback, by the method of Levenberg and Marquardt."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from tapezoo.layers.transition_fit import Heard
from tapezoo.layers.transition_weights import NetSize
from tapezoo.net import Net, State
from tapezoo.training.arguments import require
from tapezoo.training.errors import TrainingError
from tapezoo.training.free_running import FreeRunning
from tapezoo.training.least_squares import START_DAMPING, Fit, LeastSquares, Rows
from tapezoo.training.objective import Step

MOST_PARAMETERS = 1000  # the work grows with the square


@runtime_checkable
class HasFewParameters(Protocol):
    """A net that provides what `normal_equations` needs."""

    def fitted(self, input: Tensor, controls: Tensor, state: State, before: Tensor, target: Tensor) -> Heard:
        """The data it is fitted on; all audio (batch, 1, samples)."""

    def fitted_limit(self) -> float:
        """The limit of its output."""

    def fitted_shape(self) -> tuple[int, int]:
        """Width and number of layers."""

    def fitted_parameters(self) -> list[torch.nn.Parameter]:
        """The fitted parameters, in the order of `normal_equations`."""


class LevenbergMarquardt(FreeRunning):
    """Trains a state transition net by least squares instead of gradient steps, with roll-outs as in `FreeRunning`.

    With some fifty parameters, the approximate matrix of second derivatives of Gauss and Newton, J'J, is small, and a
    step with it is worth hundreds of gradient steps: the weights of a hysteresis differ by orders of magnitude in their
    effect. Levenberg, "A method for the solution of certain non-linear problems in least squares", 1944;
    Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", 1963.

    Every batch takes `iterations` steps. A step is kept only if the batch's error falls; otherwise the damping
    increases. The squared error of the output is minimised, in the first stage that of its changes. Batches should be
    large, some ten thousand samples or more; a few hundred batches suffice. The recipe's optimizer is not used.

    Args:
        iterations: Steps per batch, 1 or more.
        free_running: See `FreeRunning`; `gradient_clip_norm` has no effect, `loss` is used only for `val_loss`.

    Raises:
        TrainingError: An argument is out of its range; or see `FreeRunning`.
    """

    damping: Tensor

    def __init__(self, iterations: int = 3, **free_running: Any) -> None:
        super().__init__(**free_running)
        require("iterations", iterations, iterations >= 1, "1 or more")
        self.iterations = iterations
        self.register_buffer("damping", torch.tensor(START_DAMPING, dtype=torch.float64))

    def optimized_parameters(self, net: Net) -> dict[str, Any]:
        """See `Objective.optimized_parameters`. Raises TrainingError for a net that is too large or of another kind."""
        found = super().optimized_parameters(net)
        count = sum(parameter.numel() for parameter in net.parameters())
        if not isinstance(net, HasFewParameters) or count > MOST_PARAMETERS:
            raise TrainingError(
                "--model.objective",
                found=f"LevenbergMarquardt for {type(net).__name__} with {count} parameters",
                expected=f"a state transition net of up to {MOST_PARAMETERS}",
                fix="Train it with tapezoo.training.FreeRunning.",
            )
        return found

    def step(self, step: Step) -> dict[str, Tensor]:
        """See `Objective.step`."""
        net: Any = step.net
        input, target, controls, *_ = step.batch
        net.hold_within(float(target.abs().max()))
        first = max(step.burn_in_samples, 1)  # so that the previous sample exists
        samples = input.shape[-1] - first
        longest = min(self.tbptt_samples or samples, samples)
        rollout = self.rollout_samples(step.progress, longest)
        with torch.no_grad():
            _, state = net(input[..., :first], controls, net.initial_state(controls))
            heard = net.fitted(
                input[..., first:], controls, state, target[..., first - 1 : -1], target[..., first:]
            )
        if step.batch.scale is not None:
            heard = heard._replace(scale=step.batch.scale.double().numpy())
        fitted = net.fitted_parameters()
        vector = torch.nn.utils.parameters_to_vector(fitted).detach().double().numpy()
        length = samples if rollout is None else max(rollout, 1)
        # counted as an optimizer step; the optimizer itself does nothing, because the gradient is 0
        step.update(torch.stack([parameter.sum() for parameter in net.parameters()]).sum() * 0.0)
        width, layers = net.fitted_shape()
        size, free = NetSize(heard.inputs.shape[2] - 1, layers, width), np.ones((len(vector) + 1, 1), bool)
        free[-1] = False
        fixed = np.full((len(free), 1), net.fitted_limit())
        squares = LeastSquares([Rows(heard, np.ones(1))], size, free, fixed)
        fit = squares.improve(Fit(vector, np.inf, float(self.damping)), length, self.iterations, 0.0)
        self.damping.fill_(fit.damping)
        with torch.no_grad():
            torch.nn.utils.vector_to_parameters(torch.from_numpy(fit.coefficients).to(fitted[0]), fitted)
        compared = heard.target - heard.before if length == 1 else heard.target
        energy = float((np.square(compared) * heard.scale[:, None] ** 2).sum())
        return {
            "train_loss": torch.tensor(fit.error / (energy + 1e-12)),
            "train_rollout": torch.tensor(float(length)),
        }
