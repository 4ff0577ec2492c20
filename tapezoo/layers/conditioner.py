"""What every way of conditioning has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

State = dict[str, Tensor]  # name -> (batch, ...); empty for what remembers nothing


class Conditioner(nn.Module, ABC):
    """Features modulated by controls.

    Its state is the net's to carry: `rest()` names what there is, the net registers it and hands it back.

    Shape:
        features, output: (batch, channels, samples);
        controls: (batch, num_controls, samples), or (batch, num_controls, 1) where they stand still.
    """

    receptive_field: int | None = 1
    """Samples of the features one output sample depends on; None: unbounded."""

    def rest(self) -> State:
        """Its state at rest, without the batch dimension; empty where it remembers nothing."""
        return {}

    def held(self, controls: Tensor) -> Conditioner | None:
        """What it does for ever while the controls stand at (num_controls,), without any; it is not changed.

        None where that is no function of the controls alone, and for a conditioner that does not say.
        """
        return None

    @abstractmethod
    def forward(self, features: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """The modulated features, and the state after them."""
