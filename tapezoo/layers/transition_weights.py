"""The weights of a tiny net as a function of the controls: the base of tables and polynomials of weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tapezoo.layers.transition import Weights


class NetSize(NamedTuple):
    """The size of a net: its first layer takes `inputs` signals and M; then `layers` of `width` tanh units, and a head.

    All numbers form one vector: layer by layer, weights before biases, with M the last input; then the head's; and at
    the end the limit of M.
    """

    inputs: int
    layers: int
    width: int

    @property
    def total(self) -> int:
        """Number of weights and biases, and the limit, P."""
        return self.trained + 1

    @property
    def trained(self) -> int:
        """Number of weights and biases."""
        inner = (self.layers - 1) * self.width * (self.width + 1)
        return self.width * (self.inputs + 2) + inner + self.width + 1

    @property
    def first_bias(self) -> slice:
        """Index of the first layer's first bias."""
        start = self.width * (self.inputs + 1)
        return slice(start, start + self.width)

    def split(self, vectors: Tensor) -> tuple[Tensor, Tensor, Weights]:
        """The first layer for the signals (..., W, I) and its biases (..., W); and the remaining vectors (..., P)."""
        inputs, layers, width = self
        around = vectors.shape[:-1]
        first = vectors[..., : width * (inputs + 1)].reshape(*around, width, inputs + 1)
        head = self.trained - width - 1
        if layers > 1:
            inner = vectors[..., self.first_bias.stop : head]
            inner = inner.reshape(*around, layers - 1, width * (width + 1))
            hidden = inner[..., : width * width].reshape(*around, layers - 1, width, width)
            biases = inner[..., width * width :]
        else:  # sliced, not reshaped: the ONNX exporter rejects the reshape of an empty tensor
            one = vectors[..., :1, None]
            hidden = one[..., None].expand(*around, 1, width, width)[..., :0, :, :]
            biases = one.expand(*around, 1, width)[..., :0, :]
        return (
            first[..., :inputs],
            vectors[..., self.first_bias],
            Weights(
                first[..., inputs],
                hidden,
                biases,
                vectors[..., head : head + width],
                vectors[..., head + width],
                vectors[..., -1].detach(),
            ),
        )


class WeightsByControls(nn.Module, ABC):
    """Vectors of weights, (rows, P), as a function of the controls, (rows, K).

    They are linear in unknowns that form blocks: within a block the weights are `C f(controls)`, C (P, F), and `free`
    says which elements of C may differ from 0. Least squares fit C, one block at a time
    (`tapezoo.training.CellLevenbergMarquardt`).

    Args:
        size: Size of the net.
        num_controls: K.
        num_blocks: Number of blocks.
    """

    errors: Tensor
    """For each block, its ESR on its rows at its last fit; infinite: never fitted."""
    limits: Tensor
    """The limit of M divided by its scale, at every point of a table, or as coefficients; not trained."""
    scales: Tensor
    """Coefficients of the scale by which M is divided inside the nets; not trained either."""

    def __init__(self, size: NetSize, num_controls: int, num_blocks: int) -> None:
        super().__init__()
        self.size, self.num_controls = size, num_controls
        self.register_buffer("errors", torch.full((num_blocks,), torch.inf))

    @abstractmethod
    def forward(self, controls: Tensor) -> Tensor:
        """The weights, (rows, P)."""

    @abstractmethod
    def block_of(self, controls: Tensor) -> Tensor:
        """The block that each row belongs to, (rows,)."""

    @abstractmethod
    def features(self, controls: Tensor) -> Tensor:
        """f, (rows, F)."""

    @property
    @abstractmethod
    def free(self) -> Tensor:
        """Which elements of C may differ from 0, (P, F)."""

    @abstractmethod
    def block(self, number: int) -> Tensor:
        """C of a block, (P, F)."""

    @abstractmethod
    def set_block(self, number: int, coefficients: Tensor) -> None:
        """Stores C."""

    @abstractmethod
    def scale(self, controls: Tensor) -> Tensor:
        """The output for an M of 1 inside the nets, (rows,): a knob may change the output by orders of magnitude."""

    @abstractmethod
    def fit_scale(self, number: int, controls: Tensor, gains: Tensor) -> None:
        """Sets the scale of M for a block: the lowest plane over the controls that is nowhere below the gains.

        Args:
            number: The block.
            controls: Controls of its rows, (rows, K).
            gains: How much the true output changes with the field, (rows,), above 0.
        """

    @abstractmethod
    def mend_scale(self, number: int, controls: Tensor, ratios: Tensor, weights: Tensor) -> None:
        """Corrects the scale from the errors of a net that was trained with it.

        Args:
            number: The block.
            controls: Controls of its rows, (rows, K).
            ratios: True output divided by the net's output, (rows,), above 0.
            weights: How reliable each ratio is, (rows,).
        """

    @abstractmethod
    def take_scale(self, number: int, other: int, controls: Tensor, gains: Tensor) -> None:
        """Sets the lowest multiple of another block's scale that is nowhere below the gains; its shape is kept.

        Args:
            number: The block.
            other: The block from whose weights it starts.
            controls: See `fit_scale`.
            gains: See `fit_scale`.
        """

    @abstractmethod
    def hold_within(self, number: int, controls: Tensor, peaks: Tensor) -> None:
        """Limits M of a block to slightly more than the largest true output.

        Args:
            number: The block; its scale is known.
            controls: Controls of its rows, (rows, K).
            peaks: Largest true output of each row, (rows,).
        """

    def in_scale(self, vectors: Tensor, scale: Tensor) -> Tensor:
        """Converts weights for M divided by its scale into weights for M itself, (rows, P).

        Args:
            vectors: Weights of the nets, (rows, P).
            scale: Scale of each row, (rows,).
        """
        width, heard = self.size.width, self.size.inputs + 1
        first = vectors[:, : width * heard].reshape(-1, width, heard)
        fed = first[:, :, -1:] / scale[:, None, None]
        given = vectors[:, self.size.trained - width - 1 :] * scale[:, None]  # the head, its bias, the limit
        inner = vectors[:, width * heard : self.size.trained - width - 1]
        return torch.cat([torch.cat([first[:, :, :-1], fed], dim=2).flatten(1), inner, given], dim=1)

    def around(self, vector: Tensor) -> Tensor:
        """C for the weights (P,), which initially hardly depend on the controls."""
        coefficients = 0.03 * torch.randn(self.free.shape, dtype=vector.dtype) * self.free
        coefficients[:, 0] = vector
        return coefficients

    @abstractmethod
    def neighbours(self, number: int) -> list[int]:
        """The blocks whose weights are interpolated with this block's."""

    @abstractmethod
    def nearest(self, number: int, among: Sequence[int]) -> int | None:
        """The block whose weights this one may start from; None: there is none."""
