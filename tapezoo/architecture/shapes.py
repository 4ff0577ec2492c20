"""Shapes of tensors, by their names in a net's state dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


class Part(Protocol):
    """A layer, or a part of one."""

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        ...


def all_shapes(*parts: Part | None) -> Shapes:
    """The shapes of all the parts that are not None."""
    return {name: shape for part in parts if part is not None for name, shape in part.shapes().items()}


def bias_shape(name: str | None, channels: int) -> Shapes:
    """The shape of a bias, one number per channel, if there is such a tensor."""
    return {} if name is None else {name: (channels,)}
