"""The weights of a tiny net as polynomials of the controls."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tapezoo.layers.planes import plane_above, plane_through
from tapezoo.layers.transition import HEADROOM
from tapezoo.layers.transition_weights import NetSize, WeightsByControls


class WeightPolynomial(WeightsByControls):
    """Every weight is a polynomial of the controls: one net for the whole range of all controls.

    Args:
        size: Size of the net.
        num_controls: K.
        degree: Total degree in all controls, 1 or more.
        start: Initial weights at the middle of the controls, (P,); at first only the constants differ from 0.
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
        """See `WeightsByControls.take_scale`; does nothing, since there is only one block."""

    @torch.no_grad()
    def hold_within(self, number: int, controls: Tensor, peaks: Tensor) -> None:
        """See `WeightsByControls.hold_within`: the lowest plane above all peaks."""
        peaks = HEADROOM * peaks.double() / self.scale(controls).double()
        found = plane_above(self.features(controls)[:, : self._linear], peaks, self._edges())
        self.limits.zero_()
        self.limits[: self._linear] = found.to(self.limits)

    @property
    def _linear(self) -> int:
        """The number of constant and linear terms."""
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
    """The powers of each control in every term, the constant first."""
    every = itertools.product(range(degree + 1), repeat=num_controls)
    return tuple(sorted((powers for powers in every if sum(powers) <= degree), key=lambda p: (sum(p), p)))
