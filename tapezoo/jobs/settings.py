"""The settings of a training, and the differences between two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Config = dict[str, Any]
"""A resolved recipe, as `fit --config` takes it."""

# where a training goes, not what is trained
NOT_COMPARED = ("tracking", "run_dir", "ckpt_path", "overwrite", "trainer.logger")


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """`key: old -> new` of every setting of a training that is not the same."""
    before, after = _flatten(old), _flatten(new)
    return [
        f"{key}: {before.get(key)} -> {after.get(key)}"
        for key in sorted(before | after)
        if before.get(key) != after.get(key) and not {key, key.split(".")[0]} & set(NOT_COMPARED)
    ]


def _flatten(content: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(content, Mapping) and content:
        items = [(f"{prefix}.{key}" if prefix else str(key), value) for key, value in content.items()]
    elif isinstance(content, list) and content:
        items = [(f"{prefix}.{number}", value) for number, value in enumerate(content)]
    else:
        return {prefix: content}
    return {key: value for name, part in items for key, value in _flatten(part, name).items()}
