"""Training in two stages: a part of the net first, then all of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

from torch import Tensor, nn

from tapezoo.net import Net
from tapezoo.training.errors import TrainingError
from tapezoo.training.objective import Step
from tapezoo.training.supervised import Supervised


class Staged(Supervised):
    """Trains the named part of the net alone for some epochs, then everything.

    The linear path of a machine is learned quickly; the rest of the net then learns the remaining error.

    Args:
        first: Parameters trained in the first stage: names or patterns such as "linear_path" or "lstm.*_l0"; the
            name of a module means all its parameters.
        first_epochs: Length of the first stage in epochs, 1 or more.
        supervised: How both stages are trained, see `Supervised`.

    Raises:
        TrainingError: No pattern, or no epoch for the first stage; or see `Supervised`.
    """

    def __init__(self, first: list[str], first_epochs: int = 1, **supervised: Any) -> None:
        super().__init__(**supervised)
        if not first or first_epochs < 1:
            raise TrainingError(
                "--model.objective" + (".first_epochs" if first else ".first"),
                found=str(first_epochs if first else first),
                expected="1 or more" if first else "names of parameters",
                fix="Correct it, or train with tapezoo.training.Supervised, which has one stage.",
            )
        self.first = first
        self.first_epochs = first_epochs

    def optimized_parameters(self, net: Net) -> dict[str, Iterable[nn.Parameter]]:
        """See `Objective.optimized_parameters`. Raises TrainingError where a pattern fits nothing in the net."""
        names = [name for name, _ in net.named_parameters()]
        for pattern in self.first:
            if not any(_fits(pattern, name) for name in names):
                raise TrainingError(
                    "--model.objective.first",
                    found=f"{pattern}, which fits no parameter of {type(net).__name__}",
                    expected=f"names or patterns of {', '.join(names)}",
                    fix="Correct it on the line or in the recipe.",
                )
        return super().optimized_parameters(net)

    def step(self, step: Step) -> dict[str, Tensor]:
        """See `Objective.step`."""
        if step.progress.epoch >= self.first_epochs:
            return super().step(step)
        with _only(step.net, self.first):
            return super().step(step)


@contextmanager
def _only(net: Net, patterns: list[str]) -> Iterator[None]:
    """Within this context only the named parameters get a gradient, so optimizers leave the others unchanged."""
    held = [
        parameter
        for name, parameter in net.named_parameters()
        if parameter.requires_grad and not any(_fits(pattern, name) for pattern in patterns)
    ]
    for parameter in held:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)


def _fits(pattern: str, name: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")
