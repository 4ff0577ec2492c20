"""The weights of a tiny net as a function of the controls: what a table and polynomials of them have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tapezoo.layers.transition import Weights


class NetSize(NamedTuple):
    """Of a net whose first layer hears `inputs` signals and M, `layers` of `width` units with a tanh, and a head.

    All of it as one vector: layer by layer, weights before biases, then the head's, M the last input; and at the end
    what M is held within.
    """

    inputs: int
    layers: int
    width: int

    @property
    def total(self) -> int:
        """Of weights and biases, and the limit, P."""
        return self.trained + 1

    @property
    def trained(self) -> int:
        """Of weights and biases alone."""
        inner = (self.layers - 1) * self.width * (self.width + 1)
        return self.width * (self.inputs + 2) + inner + self.width + 1

    @property
    def first_bias(self) -> slice:
        """Where the first layer's biases stand."""
        start = self.width * (self.inputs + 1)
        return slice(start, start + self.width)

    def split(self, vectors: Tensor) -> tuple[Tensor, Tensor, Weights]:
        """The first layer for the signals (..., W, I) and its biases (..., W); and the rest, vectors (..., P)."""
        inputs, layers, width = self
        around = vectors.shape[:-1]
        first = vectors[..., : width * (inputs + 1)].reshape(*around, width, inputs + 1)
        head = self.trained - width - 1
        if layers > 1:
            inner = vectors[..., self.first_bias.stop : head]
            inner = inner.reshape(*around, layers - 1, width * (width + 1))
            hidden = inner[..., : width * width].reshape(*around, layers - 1, width, width)
            biases = inner[..., width * width :]
        else:  # what has no numbers is cut, not reshaped, which ONNX' exporter takes for a fault of its own
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

    They are linear in unknowns that come in blocks: within a block the weights are `C f(controls)`, C (P, F), of which
    `free` says what may differ from 0. That is what least squares fit, a block apart from the others
    (`tapezoo.training.CellLevenbergMarquardt`).

    Args:
        size: Of the net.
        num_controls: K.
        num_blocks: How many blocks there are.
    """

    errors: Tensor
    """Of each block the share of its rows' energy that it missed when it was fitted last; infinite: never fitted."""
    limits: Tensor
    """What M is held within over its scale, at every point of a table, or its coefficients; nothing trains it."""
    scales: Tensor
    """Coefficients of the scale that the nets hear and give M in; nothing trains it either."""

    def __init__(self, size: NetSize, num_controls: int, num_blocks: int) -> None:
        super().__init__()
        self.size, self.num_controls = size, num_controls
        self.register_buffer("errors", torch.full((num_blocks,), torch.inf))

    @abstractmethod
    def forward(self, controls: Tensor) -> Tensor:
        """The weights, (rows, P)."""

    @abstractmethod
    def block_of(self, controls: Tensor) -> Tensor:
        """Whose block each row belongs to, (rows,)."""

    @abstractmethod
    def features(self, controls: Tensor) -> Tensor:
        """f, (rows, F)."""

    @property
    @abstractmethod
    def free(self) -> Tensor:
        """Which of C may differ from 0, (P, F)."""

    @abstractmethod
    def block(self, number: int) -> Tensor:
        """C of a block, (P, F)."""

    @abstractmethod
    def set_block(self, number: int, coefficients: Tensor) -> None:
        """Stores C."""

    @abstractmethod
    def scale(self, controls: Tensor) -> Tensor:
        """What an M of 1 of the nets' own stands for, (rows,): a knob may move the output by orders of magnitude."""

    @abstractmethod
    def fit_scale(self, number: int, controls: Tensor, gains: Tensor) -> None:
        """Sets the scale of M where a block is trained: the lowest plane that no gain is above.

        Args:
            number: Of the block.
            controls: Of its rows, (rows, K).
            gains: How much the true output changes with the field, (rows,), above 0.
        """

    @abstractmethod
    def mend_scale(self, number: int, controls: Tensor, ratios: Tensor, weights: Tensor) -> None:
        """Moves the scale to where a net that was trained with it says that it should have been.

        Args:
            number: Of the block.
            controls: Of its rows, (rows, K).
            ratios: The true output over the net's, (rows,), above 0.
            weights: How much each is to be trusted, (rows,).
        """

    @abstractmethod
    def take_scale(self, number: int, other: int, controls: Tensor, gains: Tensor) -> None:
        """The lowest multiple of another block's scale that no gain is above: its rows know how it follows the inputs.

        Args:
            number: Of the block.
            other: From whose weights it starts.
            controls: See `fit_scale`.
            gains: See there.
        """

    @abstractmethod
    def hold_within(self, number: int, controls: Tensor, peaks: Tensor) -> None:
        """Limits M to little more than the true output ever was, where a block is trained.

        Args:
            number: Of the block; its scale is known.
            controls: Of its rows, (rows, K).
            peaks: The largest true output of each, (rows,).
        """

    def in_scale(self, vectors: Tensor, scale: Tensor) -> Tensor:
        """Weights of nets that hear and give M itself, of those that hear and give it in a scale, (rows, P).

        Args:
            vectors: Of the nets, (rows, P).
            scale: Of each row, (rows,).
        """
        width, heard = self.size.width, self.size.inputs + 1
        first = vectors[:, : width * heard].reshape(-1, width, heard)
        fed = first[:, :, -1:] / scale[:, None, None]
        given = vectors[:, self.size.trained - width - 1 :] * scale[:, None]  # the head, its bias, the limit
        inner = vectors[:, width * heard : self.size.trained - width - 1]
        return torch.cat([torch.cat([first[:, :, :-1], fed], dim=2).flatten(1), inner, given], dim=1)

    def around(self, vector: Tensor) -> Tensor:
        """C of weights (P,) that hardly follow the controls yet."""
        coefficients = 0.03 * torch.randn(self.free.shape, dtype=vector.dtype) * self.free
        coefficients[:, 0] = vector
        return coefficients

    @abstractmethod
    def neighbours(self, number: int) -> list[int]:
        """Between whose weights and a block's own there are mixtures."""

    @abstractmethod
    def nearest(self, number: int, among: Sequence[int]) -> int | None:
        """Whose weights a block may start from; None: nobody's."""
