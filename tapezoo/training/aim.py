"""What every objective says of itself, whatever it trains."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class Progress:
    """How far a training has progressed, for stages and for weights that change over time.

    Args:
        epoch: The current epoch, counted from 0.
        measure: See `fraction_done`.
    """

    epoch: int
    measure: Callable[[], float]

    @property
    def fraction_done(self) -> float:
        """0 at the start of the training, 1 at its end.

        Raises:
            TrainingError: Nothing ends the training.
        """
        return self.measure()


class Update(Protocol):
    """One optimizer step: clears the gradients, backpropagates `loss`, clips, steps."""

    def __call__(self, loss: Tensor, name: str = "net", clip_norm: float | None = None) -> None:
        """Updates the parameters that `Aim.optimized_parameters` calls `name`.

        Args:
            loss: Scalar.
            name: Which optimizer.
            clip_norm: Largest norm of the gradient of its parameters; None: unlimited.
        """


class Aim(nn.Module, ABC):
    """What is trained, and by which figure the best of it is known.

    Modules and buffers of an objective are saved in checkpoints, so that a training resumes with them; a
    trained net can be loaded without them.
    """

    monitor: str = "val_loss"
    """The figure that selects the best checkpoint."""
    mode: Literal["min", "max"] = "min"
    """Whether a lower or a higher figure is better."""

    def optimized_parameters(self, net: Any) -> dict[str, Iterable[nn.Parameter]]:
        """Name -> parameters, one optimizer for each name; called before the data are read, and may refuse the net."""
        return {"net": net.parameters()}

    def progress_text(self, net: Any) -> str | None:
        """Text to show during an epoch, beside the progress; None: nothing.

        For objectives with long epochs, or with information that is not a figure of one batch.
        """
        return None
