"""A class that a line or a recipe names alone and that does not exist: which one may have been meant."""

from __future__ import annotations

import inspect
import re
from typing import Any

from lightning.pytorch import Callback, LightningDataModule
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from tapezoo.nearest import nearest_names

_NO_CLASS = re.compile(r'(?:.*Parser key "([\w.]+)": )?.*?Expected a dot import path string: (\w+)')
_BASES: dict[str, type[Any]] = {
    "data": LightningDataModule,
    "optimizer": Optimizer,
    "lr_scheduler": LRScheduler,
    "trainer.callbacks": Callback,
}
MOST_SHOWN = 20  # names


def with_nearest_class(message: str) -> str:
    """The message in plain words where it is about a class that does not exist; any other as it is.

    Args:
        message: What jsonargparse says. It takes a name alone for any imported class of the right kind.
    """
    found = _NO_CLASS.match(message)
    if found is None or (base := _BASES.get(found[1] or "data")) is None:
        return message
    names = sorted(_names_below(base))
    near = nearest_names(found[2], names)
    kind = (found[1] or "data").rpartition(".")[2]
    said = f"no class for {kind} with the name {found[2]!r}"
    said += f"; did you mean {near[0]!r}?" if near else ""
    return f"{said} (known: {', '.join(names)})" if len(names) <= MOST_SHOWN else said


def _names_below(base: type[Any]) -> set[str]:
    below: set[str] = set()
    for found in base.__subclasses__():
        below |= _names_below(found)
        if not found.__name__.startswith("_") and not inspect.isabstract(found):
            below.add(found.__name__)
    return below
