"""The interface of all conditioning layers."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

State = dict[str, Tensor]  # name -> (batch, ...); empty for a layer without memory


class Conditioner(nn.Module, ABC):
    """Features modulated by controls.

    The net carries its state: `rest()` names the tensors, the net registers them and passes them to `forward`.

    Shape:
        features, output: (batch, channels, samples);
        controls: (batch, num_controls, samples), or (batch, num_controls, 1) while they are constant.
    """

    receptive_field: int | None = 1
    """Samples of the features one output sample depends on; None: unbounded."""

    def rest(self) -> State:
        """The state at rest, without the batch dimension; empty for a conditioner without memory."""
        return {}

    def held(self, controls: Tensor) -> Conditioner | None:
        """The conditioner with its controls fixed at (num_controls,), as a module without any; `self` is unchanged.

        None if the result depends on more than the controls, or if the conditioner does not implement this.
        """
        return None

    @abstractmethod
    def forward(self, features: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """The modulated features, and the state after them."""
