"""What a conditioner becomes while its controls are constant: an affine map that the next layer can absorb."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from tapezoo.layers.conditioner import Conditioner, State


class Affine(Conditioner):
    """An affine map of the features with constant coefficients, `M h + o`.

    Args:
        offset: o, (C,).
    """

    def __init__(self, offset: Tensor) -> None:
        super().__init__()
        self.offset = nn.Parameter(offset.detach().clone())

    @property
    @abstractmethod
    def matrix(self) -> Tensor:
        """M, (C, C)."""

    def held(self, controls: Tensor) -> Conditioner:
        """See `Conditioner.held`: itself."""
        return self


class Scaling(Affine):
    """`g h + o`, a gain and an offset per channel.

    Args:
        gain: g, (C,).
        offset: o, (C,).
    """

    def __init__(self, gain: Tensor, offset: Tensor) -> None:
        super().__init__(offset)
        self.gain = nn.Parameter(gain.detach().clone())

    @property
    def matrix(self) -> Tensor:
        """See `Affine.matrix`."""
        return torch.diag(self.gain)

    def forward(self, features: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Conditioner.forward`."""
        return features * self.gain.unsqueeze(1) + self.offset.unsqueeze(1), {}


class Mixing(Affine):
    """`M h + o`: every output channel is a mix of all input channels.

    Args:
        weight: M, (C, C).
        offset: o, (C,).
    """

    def __init__(self, weight: Tensor, offset: Tensor) -> None:
        super().__init__(offset)
        self.weight = nn.Parameter(weight.detach().clone())

    @property
    def matrix(self) -> Tensor:
        """See `Affine.matrix`."""
        return self.weight

    def forward(self, features: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Conditioner.forward`."""
        return torch.matmul(self.weight, features) + self.offset.unsqueeze(1), {}


@torch.no_grad()
def fold_into_next(affine: Affine, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """`W (M h + o) + b` as one layer: its weight and bias.

    Shape:
        weight: (out, C), or (out, C, 1); bias: (out,); results: as these.
    """
    flat = weight.reshape(weight.shape[0], -1)
    return (flat @ affine.matrix).reshape(weight.shape), bias + flat @ affine.offset


@torch.no_grad()
def fold_into_previous(affine: Affine, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """`M (W * h + b) + o` as one convolution: its weight and bias.

    Shape:
        weight: (C, in, taps); bias: (C,); results: as these.
    """
    mixed = (affine.matrix @ weight.reshape(weight.shape[0], -1)).reshape(weight.shape)
    return mixed, affine.offset if bias is None else affine.matrix @ bias + affine.offset
