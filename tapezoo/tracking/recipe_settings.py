"""A recipe as the flat parameters of a tracked run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml


def recipe_settings(text: str) -> dict[str, str]:
    """The settings of a resolved recipe, by dotted names; null ones are left out.

    A class stands under the name of its place, its arguments below it: `model: LSTM`, `model.hidden_size: 32`. Lists
    are JSON.

    Args:
        text: YAML.
    """
    found = yaml.safe_load(text)
    return dict(_flat(found, ())) if isinstance(found, Mapping) else {}


def _flat(value: Any, place: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        inner = dict(value)
        if isinstance(name := inner.pop("class_path", None), str) and place:
            yield ".".join(place), name.rpartition(".")[2]
            inner = {**(inner.pop("init_args", None) or {}), **inner}
        for key, below in inner.items():
            yield from _flat(below, (*place, str(key)))
    elif value is not None:
        yield ".".join(place), json.dumps(value) if isinstance(value, list) else str(value)
