"""A net's conditioners by name: how their state is stored in the net's, and their effect on its receptive field."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from torch import Tensor, nn

from tapezoo.layers.affine import Affine, fold_into_next
from tapezoo.layers.conditioner import Conditioner
from tapezoo.layers.conditioning import CONDITIONERS, Concatenation, FiLM
from tapezoo.models.arguments import require_one_of
from tapezoo.net import Net, State, UnfoldableError

FOLDABLE = tuple(name for name in CONDITIONERS if name != "temporal_film")


def require_conditioning(conditioning: str) -> None:
    """Raises ModelArgumentError unless there is a conditioner with this name."""
    require_one_of("conditioning", conditioning, CONDITIONERS)


class Modulations:
    """Declares the state of a net's conditioners, and extracts each one's part from the net's state.

    Tensor `name` of the conditioner in `layer` is called "modulation_`layer`_`name`" in the net's state. Most
    conditioners have no state. One with unbounded memory makes the net's receptive field unbounded.

    Args:
        net: The net in which the rest states are registered.
        conditioners: Pairs (layer, its conditioner).
    """

    def __init__(self, net: Net, conditioners: Iterable[tuple[str, Conditioner]]) -> None:
        self.names: dict[str, list[str]] = {}
        for layer, conditioner in conditioners:
            rests = conditioner.rest()
            self.names[layer] = list(rests)
            for name, rest in rests.items():
                net.register_rest(f"modulation_{layer}_{name}", rest)
            if conditioner.receptive_field is None:
                net.receptive_field = None

    def state_names(self, layer: str) -> list[str]:
        """The names of the layer's state tensors in the net's state."""
        return [f"modulation_{layer}_{name}" for name in self.names[layer]]

    def own_state(self, layer: str, state: State) -> State:
        """The layer's own state, extracted from the net's."""
        return {name: state[f"modulation_{layer}_{name}"] for name in self.names[layer]}

    def net_state(self, layer: str, own: State) -> State:
        """The layer's own state under the names it has in the net's."""
        return {f"modulation_{layer}_{name}": own[name] for name in self.names[layer]}


def is_identity(conditioner: Conditioner) -> bool:
    """Whether it leaves the features unchanged: an affine conditioner without controls."""
    return (isinstance(conditioner, FiLM) and conditioner.affine is None) or (
        isinstance(conditioner, Concatenation) and conditioner.mix is None
    )


def hold_conditioner(conditioner: Conditioner, controls: Tensor) -> Conditioner:
    """The conditioner with its controls held at (num_controls,).

    Raises:
        UnfoldableError: Its effect depends on more than the controls.
    """
    constant = conditioner.held(controls)
    if constant is None:
        raise UnfoldableError(
            f"conditioning by {type(conditioner).__name__}",
            found=(
                "a modulation that depends on the audio, not on the controls alone: it changes even while the "
                "controls are held"
            ),
            expected="conditioning that is constant while the controls are constant",
            fix="Train with another conditioning (" + ", ".join(FOLDABLE) + "), or export without a grid.",
        )
    return constant


def fold_into_head(conditioner: Conditioner, controls: Tensor, head: nn.Linear) -> Conditioner | None:
    """Fixes the controls of the layer before `head` and folds what it can into `head`; returns the rest.

    Raises:
        UnfoldableError: See `hold_conditioner`.
    """
    constant = hold_conditioner(conditioner, controls)
    if not isinstance(constant, Affine):
        return constant
    weight, bias = fold_into_next(constant, head.weight, head.bias)
    head.weight, head.bias = nn.Parameter(weight), nn.Parameter(bias)
    return None


def accept_old_names(net: Net, old: str, new: str) -> None:
    """Lets checkpoints load in which the parameters under `new` still have their names under `old`."""
    net.register_load_state_dict_pre_hook(partial(_rename, old, new))  # type: ignore[no-untyped-call]


def _rename(old: str, new: str, net: Net, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    for name in [name for name in state_dict if name.startswith(prefix + old)]:
        state_dict[prefix + new + name.removeprefix(prefix + old)] = state_dict.pop(name)
