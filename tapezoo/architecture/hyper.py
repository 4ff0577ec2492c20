"""Recurrent layers in which all weights follow the controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tapezoo.architecture.shapes import Shape, Shapes


@dataclass(frozen=True)
class ControlledRecurrent:
    """LSTM or GRU layers, an output layer and a linear path, with weights `W(p) = sum_d z_d(p) W_d`.

    z = (1, p, tanh(V p + v)); with `blend`, p is first divided by its sum if that exceeds 1. `corners` hold V_d along
    their last axis: W_0 = V_0, W_k = V_k - V_0 for control k, and W_d = V_d for a tanh unit. Gates are in PyTorch's
    order. The output layer and the linear path use z at every sample; the recurrent layers use z from the start of
    every `step_samples` after a new target, until the controls are constant (`tapezoo.layers.smoothing.steps`).

    Args:
        cell: Kind of cell; an LSTM has one bias, a GRU also that of its candidate's hidden part.
        layers: Number of stacked layers.
        units: Units of each layer, H.
        taps: Length of the linear path; 0: there is none.
        controls: Number of controls, K, 1 or more.
        bent: Number of tanh units, U.
        blend: See above.
        corners: V by the name of the weight: weight_ih_l0 (gates H, 1, D), weight_hh_l0 (gates H, H, D), bias_ih_l0
            (gates H, D), for a GRU bias_m_l0 (H, D); likewise for each further layer, which has H inputs;
            weight (H, D) and bias (D,) of the output; taps (taps, D), the last one multiplies the current sample.
        bend: V (U, K) and v (U,); empty where U is 0.
        state: The hidden state, and the cell of an LSTM, (layers, H) each.
        past: The samples before the block, (1, taps - 1); None if taps is below 2.
        held: The controls at which the recurrent layers' weights were last computed, (K,).
        step_samples: See above.
    """

    cell: Literal["lstm", "gru"]
    layers: int
    units: int
    taps: int
    controls: int
    bent: int
    blend: bool
    corners: Mapping[str, str]
    bend: tuple[str, ...]
    state: tuple[str, ...]
    past: str | None
    held: str
    step_samples: int
    kind: Literal["controlled_recurrent"] = "controlled_recurrent"

    @property
    def components(self) -> int:
        """D."""
        return 1 + self.controls + self.bent

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        gates, units = (4 if self.cell == "lstm" else 3) * self.units, self.units
        found: dict[str, Shape] = {"weight": (units,), "bias": ()}
        if self.taps:
            found["taps"] = (self.taps,)
        for layer in range(self.layers):
            found[f"weight_ih_l{layer}"] = gates, units if layer else 1
            found[f"weight_hh_l{layer}"] = gates, units
            found[f"bias_ih_l{layer}"] = (gates,)
            if self.cell == "gru":
                found[f"bias_m_l{layer}"] = (units,)
        bends = ((self.bent, self.controls), (self.bent,))
        return {
            **{self.corners[name]: (*shape, self.components) for name, shape in found.items()},
            **dict(zip(self.bend, bends, strict=False)),
        }
