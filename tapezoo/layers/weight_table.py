"""The weights of a tiny net from a table of nets, interpolated between its points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tapezoo.layers.planes import plane_above, plane_through
from tapezoo.layers.transition import HEADROOM, UNLIMITED
from tapezoo.layers.transition_weights import NetSize, WeightsByControls


class WeightTable(WeightsByControls):
    """A net at every point of a grid; between the points, weights are interpolated multilinearly.

    Controls without an axis are inputs of the first layer; their contributions to its biases are in the table too. The
    scale of M is linear in them.

    Args:
        size: Size of the nets.
        axes: Number of positions of every control, evenly spaced over 0..1; 0: the control is an input.
        start: Initial weights of all nets, (P,).
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
        """Rows of `table` (points, any), interpolated at the controls."""
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
        )  # as many rows as the batch, in a traced graph and without controls too
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
        self.limits[number] = UNLIMITED  # it was relative to the old scale

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
        """Copies other points of a table, which may be this one, to its own `cells`; but not their errors."""
        self.nets[cells], self.limits[cells] = other.nets[theirs], other.limits[theirs]
        self.scales[cells] = other.scales[theirs]

    def neighbours(self, number: int) -> list[int]:
        """See `WeightsByControls.neighbours`: points one step away along one axis."""
        return [
            number + side * stride
            for place, count, stride in zip(
                _place(self.shape, number), self.shape, _strides(self.shape), strict=True
            )
            for side in (-1, 1)
            if 0 <= place + side < count
        ]

    def nearest(self, number: int, among: Sequence[int]) -> int | None:
        """See `WeightsByControls.nearest`: by distance on the grid, with all axes equal."""
        if not among:
            return None
        places = torch.tensor([_place(self.shape, other) for other in among], dtype=torch.float64)
        steps = places - torch.tensor(_place(self.shape, number))
        return among[int(steps.square().sum(dim=1).argmin())]


def _strides(shape: Sequence[int]) -> list[int]:
    strides: list[int] = []
    stride = 1
    for count in reversed(shape):
        strides.insert(0, stride)
        stride *= count
    return strides


def _place(shape: Sequence[int], number: int) -> list[int]:
    return [number // stride % count for count, stride in zip(shape, _strides(shape), strict=True)]
