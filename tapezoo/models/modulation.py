"""Conditioners in a net, by name: whose part of its state is whose, and what they do to its receptive field."""

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
    """Raises ModelArgumentError unless there is a conditioner of that name."""
    require_one_of("conditioning", conditioning, CONDITIONERS)


class Modulations:
    """Declares the state of a net's conditioners, and finds each one's part in the net's state again.

    Tensor `name` of the conditioner in `layer` is "modulation_`layer`_`name`" in the net's state. Most
    have none. One that remembers without bound makes the net's receptive field unbounded.

    Args:
        net: In which the rests are registered.
        conditioners: (layer, its conditioner).
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
        """What the layer's own state is called in the net's."""
        return [f"modulation_{layer}_{name}" for name in self.names[layer]]

    def own_state(self, layer: str, state: State) -> State:
        """The layer's own state, from the net's."""
        return {name: state[f"modulation_{layer}_{name}"] for name in self.names[layer]}

    def net_state(self, layer: str, own: State) -> State:
        """The layer's own state as the net's state calls it."""
        return {f"modulation_{layer}_{name}": own[name] for name in self.names[layer]}


def is_identity(conditioner: Conditioner) -> bool:
    """Whether it leaves the features as they are: an affine one for no controls."""
    return (isinstance(conditioner, FiLM) and conditioner.affine is None) or (
        isinstance(conditioner, Concatenation) and conditioner.mix is None
    )


def hold_conditioner(conditioner: Conditioner, controls: Tensor) -> Conditioner:
    """The conditioner with its controls held at (num_controls,).

    Raises:
        UnfoldableError: What it does is no function of the controls alone.
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
    """Holds the controls of what stands before `head`, and lets that take over what it can; returns what is left.

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
    """Lets checkpoints load in which the parameters below `new` still have the names below `old`."""
    net.register_load_state_dict_pre_hook(partial(_rename, old, new))  # type: ignore[no-untyped-call]


def _rename(old: str, new: str, net: Net, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    for name in [name for name in state_dict if name.startswith(prefix + old)]:
        state_dict[prefix + new + name.removeprefix(prefix + old)] = state_dict.pop(name)
