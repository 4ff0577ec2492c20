"""The weights of a tiny net as a function of the controls: a table of nets, or polynomials."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tapezoo.layers.planes import plane_above, plane_through
from tapezoo.layers.transition import HEADROOM, UNLIMITED, Weights


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
        inner = vectors[..., self.first_bias.stop : head]
        inner = inner.reshape(*around, layers - 1, width * (width + 1))
        return (
            first[..., :inputs],
            vectors[..., self.first_bias],
            Weights(
                first[..., inputs],
                inner[..., : width * width].reshape(*around, layers - 1, width, width),
                inner[..., width * width :],
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


class WeightTable(WeightsByControls):
    """A net at every point of a grid, and between them weights in proportion to how near they are (multilinear).

    Controls without an axis are inputs of the first layer: what they add to its biases is in the table too. The
    scale of M is linear in them.

    Args:
        size: Of the nets.
        axes: Of every control how many positions it has, evenly spaced over 0..1; 0: it is an input.
        start: Weights of all nets, (P,).
    """

    def __init__(self, size: NetSize, axes: Sequence[int], start: Tensor) -> None:
        super().__init__(size, len(axes), math.prod(count or 1 for count in axes))
        self.axes = tuple(axes)
        self.shape = tuple(count for count in axes if count)
        self.on_axes = [control for control, count in enumerate(axes) if count]
        self.as_inputs = [control for control, count in enumerate(axes) if not count]
        heard = start.new_empty(size.width * len(self.as_inputs)).uniform_(-0.3, 0.3)
        self.nets = nn.Parameter(torch.cat([start[:-1].detach(), heard]).repeat(len(self.errors), 1))
        self.register_buffer("limits", start[-1:].detach().repeat(len(self.errors)))
        scales = start.new_zeros(len(self.errors), 1 + len(self.as_inputs))
        scales[:, 0] = 1.0
        self.register_buffer("scales", scales)

    def forward(self, controls: Tensor) -> Tensor:
        """See `WeightsByControls.forward`."""
        found, limit = self._mix(controls, self.nets), self._mix(controls, self.limits.unsqueeze(1))
        start, stop, size = self.size.first_bias.start, self.size.first_bias.stop, self.size.trained
        bias = found[:, start:stop]
        if self.as_inputs:
            heard = found[:, size:].reshape(-1, len(self.as_inputs), self.size.width)
            bias = bias + (heard * controls[:, self.as_inputs].unsqueeze(-1)).sum(dim=1)
        vectors = torch.cat([found[:, :start], bias, found[:, stop:size], limit], dim=1)
        return self.in_scale(vectors, self.scale(controls))

    def scale(self, controls: Tensor) -> Tensor:
        """See `WeightsByControls.scale`."""
        return (self._mix(controls, self.scales) * self.features(controls)).sum(dim=1)

    def _mix(self, controls: Tensor, table: Tensor) -> Tensor:
        """Rows of `table` (points, any) at the controls."""
        if not self.shape:
            return table.expand(controls.shape[0], -1)
        counts = torch.tensor(self.shape, dtype=controls.dtype, device=controls.device)
        place = controls[:, self.on_axes] * (counts - 1)
        low = torch.minimum(place.floor().clamp(min=0), counts - 2)
        share = place - low
        strides = torch.tensor(_strides(self.shape), device=controls.device)
        first = (low.long() * strides).sum(dim=1)
        found = torch.zeros_like(table[:1])
        for corner in itertools.product((0, 1), repeat=len(self.shape)):
            offset = sum(side * step for side, step in zip(corner, _strides(self.shape), strict=True))
            part = torch.ones_like(share[:, 0])
            for axis, side in enumerate(corner):
                part = part * (share[:, axis] if side else 1 - share[:, axis])
            found = found + part.unsqueeze(1) * table.index_select(0, first + offset)
        return found

    def block_of(self, controls: Tensor) -> Tensor:
        """See `WeightsByControls.block_of`: the nearest net."""
        if not self.shape:
            return torch.zeros(len(controls), dtype=torch.long)
        counts = torch.tensor(self.shape) - 1
        place = (controls[:, self.on_axes] * counts).round().long()
        return (place * torch.tensor(_strides(self.shape))).sum(dim=1)

    def features(self, controls: Tensor) -> Tensor:
        """See `WeightsByControls.features`: 1 and the controls that are inputs."""
        one = torch.ones_like(
            controls.sum(dim=1, keepdim=True)
        )  # of as many rows in a graph, and without controls
        return torch.cat([one, controls[:, self.as_inputs]], dim=1)

    @property
    def free(self) -> Tensor:
        """See `WeightsByControls.free`."""
        free = torch.zeros(self.size.total, 1 + len(self.as_inputs), dtype=torch.bool)
        free[:-1, 0] = True
        free[self.size.first_bias] = True
        return free

    def block(self, number: int) -> Tensor:
        """See `WeightsByControls.block`."""
        net = self.nets.detach()[number]
        found = torch.zeros(self.size.total, 1 + len(self.as_inputs), dtype=net.dtype)
        found[:-1, 0], found[-1, 0] = net[: self.size.trained], self.limits[number]
        found[self.size.first_bias, 1:] = net[self.size.trained :].reshape(-1, self.size.width).t()
        return found

    @torch.no_grad()
    def set_block(self, number: int, coefficients: Tensor) -> None:
        """See `WeightsByControls.set_block`."""
        heard = coefficients[self.size.first_bias, 1:].t().flatten()
        self.nets[number] = torch.cat([coefficients[:-1, 0], heard]).to(self.nets)
        self.limits[number] = coefficients[-1, 0]

    @torch.no_grad()
    def fit_scale(self, number: int, controls: Tensor, gains: Tensor) -> None:
        """See `WeightsByControls.fit_scale`."""
        self.scales[number] = plane_above(self.features(controls), gains, self._edges()).to(self.scales)

    @torch.no_grad()
    def mend_scale(self, number: int, controls: Tensor, ratios: Tensor, weights: Tensor) -> None:
        """See `WeightsByControls.mend_scale`."""
        features, last = self.features(controls), self.scales[number]
        self.scales[number] = plane_through(features, ratios * (features @ last), weights, self._edges()).to(
            last
        )
        self.limits[number] = UNLIMITED  # it was over the last scale

    @torch.no_grad()
    def take_scale(self, number: int, other: int, controls: Tensor, gains: Tensor) -> None:
        """See `WeightsByControls.take_scale`."""
        shape = self.scales[other].double()
        highest = (gains.double() / (self.features(controls).double() @ shape)).max()
        self.scales[number] = (shape * highest).to(self.scales)

    @torch.no_grad()
    def hold_within(self, number: int, controls: Tensor, peaks: Tensor) -> None:
        """See `WeightsByControls.hold_within`."""
        last, scale = (
            float(self.limits[number]),
            self.features(controls).double() @ self.scales[number].double(),
        )
        highest = HEADROOM * float((peaks.double() / scale).max())
        self.limits[number] = max(highest, last if last < UNLIMITED else 0.0)

    def _edges(self) -> Tensor:
        """Features at the ends of the inputs, float64."""
        corners = itertools.product((0.0, 1.0), repeat=len(self.as_inputs))
        return torch.tensor([[1.0, *corner] for corner in corners], dtype=torch.float64)

    @torch.no_grad()
    def take(self, cells: Tensor, other: WeightTable, theirs: Tensor) -> None:
        """Stores as its own what another table has, or it itself, at other points; but not what was missed there."""
        self.nets[cells], self.limits[cells] = other.nets[theirs], other.limits[theirs]
        self.scales[cells] = other.scales[theirs]

    def neighbours(self, number: int) -> list[int]:
        """See `WeightsByControls.neighbours`: one step along one axis away."""
        return [
            number + side * stride
            for place, count, stride in zip(
                _place(self.shape, number), self.shape, _strides(self.shape), strict=True
            )
            for side in (-1, 1)
            if 0 <= place + side < count
        ]

    def nearest(self, number: int, among: Sequence[int]) -> int | None:
        """See `WeightsByControls.nearest`: on the grid, all axes counted alike."""
        if not among:
            return None
        places = torch.tensor([_place(self.shape, other) for other in among], dtype=torch.float64)
        steps = places - torch.tensor(_place(self.shape, number))
        return among[int(steps.square().sum(dim=1).argmin())]


class WeightPolynomial(WeightsByControls):
    """Every weight is a polynomial of the controls: one net for the whole cube of them.

    Args:
        size: Of the net.
        num_controls: K.
        degree: Of all controls together, 1 or more.
        start: The weights at the middle of the controls, (P,); from there they move as the constants alone.
    """

    def __init__(self, size: NetSize, num_controls: int, degree: int, start: Tensor) -> None:
        super().__init__(size, num_controls, 1)
        self.exponents = polynomial_exponents(num_controls, degree)
        self.coefficients = nn.Parameter(start.new_zeros(size.trained, len(self.exponents)))
        self.register_buffer("limits", start.new_zeros(len(self.exponents)))
        scales = start.new_zeros(len(self.exponents))
        scales[0] = 1.0
        self.register_buffer("scales", scales)
        self.set_block(0, self.around(start.detach()))

    def forward(self, controls: Tensor) -> Tensor:
        """See `WeightsByControls.forward`."""
        features = self.features(controls)
        limit = torch.matmul(features, self.limits.unsqueeze(1))
        vectors = torch.cat([torch.matmul(features, self.coefficients.t()), limit], dim=1)
        return self.in_scale(vectors, self.scale(controls))

    def scale(self, controls: Tensor) -> Tensor:
        """See `WeightsByControls.scale`."""
        return torch.matmul(self.features(controls), self.scales.unsqueeze(1)).squeeze(1)

    def block_of(self, controls: Tensor) -> Tensor:
        """See `WeightsByControls.block_of`."""
        return torch.zeros(len(controls), dtype=torch.long)

    def features(self, controls: Tensor) -> Tensor:
        """See `WeightsByControls.features`: products of powers of the controls as -1..1."""
        centred = 2.0 * controls - 1.0
        terms = []
        for powers in self.exponents:
            term = torch.ones_like(centred[:, 0]) if centred.shape[1] else centred.new_ones(len(centred))
            for control, power in enumerate(powers):
                for _ in range(power):
                    term = term * centred[:, control]
            terms.append(term)
        return torch.stack(terms, dim=1)

    @property
    def free(self) -> Tensor:
        """See `WeightsByControls.free`."""
        free = torch.ones(self.size.total, len(self.exponents), dtype=torch.bool)
        free[-1] = False
        return free

    def block(self, number: int) -> Tensor:
        """See `WeightsByControls.block`."""
        return torch.cat([self.coefficients.detach(), self.limits.unsqueeze(0)])

    @torch.no_grad()
    def set_block(self, number: int, coefficients: Tensor) -> None:
        """See `WeightsByControls.set_block`."""
        self.coefficients.copy_(coefficients[:-1])
        self.limits.copy_(coefficients[-1])

    @torch.no_grad()
    def fit_scale(self, number: int, controls: Tensor, gains: Tensor) -> None:
        """See `WeightsByControls.fit_scale`."""
        found = plane_above(self.features(controls)[:, : self._linear], gains, self._edges())
        self.scales.zero_()
        self.scales[: self._linear] = found.to(self.scales)

    @torch.no_grad()
    def mend_scale(self, number: int, controls: Tensor, ratios: Tensor, weights: Tensor) -> None:
        """See `WeightsByControls.mend_scale`."""
        features, values = self.features(controls)[:, : self._linear], ratios * self.scale(controls)
        self.scales[: self._linear] = plane_through(features, values, weights, self._edges()).to(self.scales)

    def take_scale(self, number: int, other: int, controls: Tensor, gains: Tensor) -> None:
        """See `WeightsByControls.take_scale`: there is no other."""

    @torch.no_grad()
    def hold_within(self, number: int, controls: Tensor, peaks: Tensor) -> None:
        """See `WeightsByControls.hold_within`: the lowest plane above all peaks."""
        peaks = HEADROOM * peaks.double() / self.scale(controls).double()
        found = plane_above(self.features(controls)[:, : self._linear], peaks, self._edges())
        self.limits.zero_()
        self.limits[: self._linear] = found.to(self.limits)

    @property
    def _linear(self) -> int:
        """The constant and the linear terms."""
        return 1 + self.num_controls

    def _edges(self) -> Tensor:
        """Linear terms at the corners of the controls, float64."""
        corners = list(itertools.product((0.0, 1.0), repeat=self.num_controls))
        every = torch.tensor(corners, dtype=torch.float64).reshape(-1, self.num_controls)
        return self.features(every)[:, : self._linear]

    def neighbours(self, number: int) -> list[int]:
        """See `WeightsByControls.neighbours`."""
        return []

    def nearest(self, number: int, among: Sequence[int]) -> int | None:
        """See `WeightsByControls.nearest`."""
        return None


def polynomial_exponents(num_controls: int, degree: int) -> tuple[tuple[int, ...], ...]:
    """Powers of each control in every term, the constant first."""
    every = itertools.product(range(degree + 1), repeat=num_controls)
    return tuple(sorted((powers for powers in every if sum(powers) <= degree), key=lambda p: (sum(p), p)))


def _strides(shape: Sequence[int]) -> list[int]:
    strides: list[int] = []
    stride = 1
    for count in reversed(shape):
        strides.insert(0, stride)
        stride *= count
    return strides


def _place(shape: Sequence[int], number: int) -> list[int]:
    return [number // stride % count for count, stride in zip(shape, _strides(shape), strict=True)]
