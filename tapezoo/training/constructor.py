"""The constructor of an architecture class that only names its net."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any, get_type_hints

VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
Constructor = Callable[..., None]


def make_constructor(model_class: type, net_class: type, build_net: Callable[..., Any]) -> Constructor:
    """An `__init__` that takes the net's arguments by position or name, and those of the training by name.

    Names, types and defaults are the net's, followed by those that `build_net` adds and those of the constructor of
    the model's base class. Its docstring is the net's, so help texts, recipes and stored arguments include all of them.

    Args:
        model_class: A subclass of EffectModel.
        net_class: The class of its net.
        build_net: Its method `build_net`.
    """
    documented = next(base for base in net_class.__mro__ if "__init__" in vars(base))
    trained = next(
        base for base in model_class.__mro__[1:] if "__init__" in vars(base) and "net_class" not in vars(base)
    )
    train, make = vars(trained)["__init__"], vars(documented)["__init__"]
    training = _parameters(train)
    # the model supplies what the data declares
    of_net = {
        name: parameter
        for name, parameter in (_parameters(make) | _parameters(build_net)).items()
        if name not in training and name != "num_controls"
    }
    by_name = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in training.values()]
    signature = Signature([*of_net.values(), *by_name])

    def __init__(self: Any, *positional: Any, **named: Any) -> None:
        given = signature.bind(*positional, **named)
        given.apply_defaults()
        arguments = {name: given.arguments.pop(name) for name in of_net}
        train(self, **given.arguments)
        self.hparams.update(arguments)
        self.net = self.with_filters(self.build_net(**arguments))
        self.objective.begin(self)

    own = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
    __init__.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[own, *signature.parameters.values()]
    )
    __init__.__doc__ = documented.__doc__
    return __init__


def _parameters(function: Callable[..., Any]) -> dict[str, Parameter]:
    """The named parameters except `self`, with their types resolved."""
    types = get_type_hints(function)
    return {
        name: parameter.replace(annotation=types.get(name, parameter.annotation))
        for name, parameter in list(inspect.signature(function).parameters.items())[1:]
        if parameter.kind not in VARIADIC
    }
