"""Packed training: nets of several sizes at once, each from the same batches and by itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from tapezoo.net import Net
from tapezoo.training.effect import EffectModel
from tapezoo.training.errors import TrainingError
from tapezoo.training.objective import Step, Update
from tapezoo.training.supervised import Supervised

NAME = re.compile(r"[A-Za-z0-9_-]+")  # of a file too


class Packed(Supervised):
    """Trains further nets of the recipe's architecture, other in size, on the batches of the recipe's own net.

    Neural Amp Modeler trains its two A2 shapes so. Each net has its own loss, gradient norm and optimizer: it learns
    exactly what it would learn alone from the same batches. `PackedScores` judges each by its own val_esr and keeps the
    best epoch of each, since the best epoch of one, or of a sum of errors, is not that of another.

    Args:
        also: Name -> arguments of the model in which that net differs from the recipe's own.
        supervised: How all of them are trained, see `Supervised`.

    Raises:
        TrainingError: No further net, or a name that no file can have; or see `Supervised`.
    """

    def __init__(self, also: dict[str, dict[str, Any]], **supervised: Any) -> None:
        super().__init__(**supervised)
        for name in also:
            if not NAME.fullmatch(name) or name == "net":
                raise _error(repr(name), "a name of letters, digits, _ and -, other than net")
        if not also:
            raise _error("no net", "the name of one and its arguments, such as {lite: {channels: [3]}}")
        self.also = also
        self.members = nn.ModuleDict()
        """Name -> the model around each further net; empty before `begin`."""

    def begin(self, model: EffectModel) -> None:
        """See `Objective.begin`.

        Raises:
            TrainingError: An argument that the architecture does not have, or filters or noise around the net.
            ModelArgumentError: An argument out of its range.
        """
        if model.filter_taps.filters or model.noise_taps:
            raise _error(
                "nets beside one with filter_beside_taps, filter_before_taps or noise_taps",
                "none of these; or tapezoo.training.Supervised, one net at a time",
            )
        common = inspect.signature(EffectModel).parameters
        own = [name for name in inspect.signature(type(model)).parameters if name not in common]
        for name, changed in self.also.items():
            for argument in changed:
                if argument not in own:
                    raise _error(
                        f"{argument} of {name}", f"arguments of {type(model).__name__}: {', '.join(own)}"
                    )
            self.members[name] = type(model)(**{**model.hparams, **changed})

    def models(self) -> Iterator[tuple[str, EffectModel]]:
        """The further models by name."""
        for name, member in self.members.items():
            assert isinstance(member, EffectModel)
            yield name, member

    def optimized_parameters(self, net: Net) -> dict[str, Iterable[nn.Parameter]]:
        """See `Objective.optimized_parameters`: one optimizer for each net.

        Raises:
            TrainingError: An architecture with a constructor of its own, which makes no further nets.
        """
        if not self.members:
            raise _error(
                f"a {type(net).__name__}, whose model does not say how to build another",
                "one that names its net",
            )
        return super().optimized_parameters(net) | {
            name: member.net.parameters() for name, member in self.models()
        }

    def step(self, step: Step) -> dict[str, Tensor]:
        """See `Objective.step`; the figures of a further net have its name at their end."""
        figures = super().step(step)
        for name, member in self.models():
            own = super().step(replace(step, net=member.net, update=_named(name, step.update)))
            figures |= {f"{figure}_{name}": value for figure, value in own.items()}
        return figures


def _named(member: str, update: Update) -> Update:
    """The update of the member's own parameters."""

    def update_member(loss: Tensor, name: str = "net", clip_norm: float | None = None) -> None:
        update(loss, member if name == "net" else name, clip_norm)

    return update_member


def _error(found: str, expected: str) -> TrainingError:
    return TrainingError(
        "--model.objective.also", found=found, expected=expected, fix="Correct it in the recipe."
    )
