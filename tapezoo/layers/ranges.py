"""Maps between unbounded trained numbers and a range."""

from __future__ import annotations

import torch
from torch import Tensor


def limit(raw: Tensor, reach: float) -> Tensor:
    """Limits any number to -`reach`..`reach`, almost linearly far below it: `reach tanh(raw / reach)`."""
    return reach * torch.tanh(raw / reach)


def to_range(raw: Tensor, lowest: Tensor | float, highest: Tensor | float) -> Tensor:
    """Maps any number to `lowest`..`highest` (both > 0), geometrically: `lowest (highest/lowest)^sigmoid(raw)`."""
    return tensors_to_range(raw, torch.as_tensor(lowest), torch.as_tensor(highest))


def from_range(value: Tensor | float, lowest: Tensor | float, highest: Tensor | float) -> Tensor:
    """The inverse of `to_range`, limited to 98 % of the way to either end so that a gradient remains."""
    value, lowest, highest = (torch.as_tensor(v, dtype=torch.float32) for v in (value, lowest, highest))
    return torch.logit((torch.log(value / lowest) / torch.log(highest / lowest)).clamp(0.02, 0.98))


# separate from `to_range`, because it is scripted in traced graphs: a plain function of tensors
def tensors_to_range(raw: Tensor, lowest: Tensor, highest: Tensor) -> Tensor:
    return lowest * torch.exp(torch.log(highest / lowest) * torch.sigmoid(raw))
