"""Which compiled kernel plays a state transition net of a given description, and the arrays that it takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tapezoo.architecture import Architecture, ControlledTransition, Dense, TableWeights, Transition

WIDEST_STEPS = 16  # units, one vector of the kernel
STATE = ("field", "slope", "output")
HELD = "step_controls"


@dataclass(frozen=True)
class Steps:
    """A description with the form that the kernel "transition" has."""

    layer: Transition

    kernel = "transition"

    @property
    def state(self) -> list[str]:
        """What the kernel remembers, as it calls it."""
        return list(STATE)

    def settings(self) -> dict[str, str]:
        """Of the kernel."""
        return {"layers": str(1 + len(self.layer.hidden)), **_settings(self.layer)}

    def arrays(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the kernel takes, from the state dict."""
        layer = self.layer
        arrays = {"head.weight": weights[layer.head.weight][0], "head.bias": _bias_of(weights, layer.head)}
        arrays |= {"first.weight": weights[layer.first.weight], "first.bias": _bias_of(weights, layer.first)}
        if layer.hidden:
            arrays["hidden.weight"] = torch.stack([weights[each.weight] for each in layer.hidden])
            arrays["hidden.bias"] = torch.stack([_bias_of(weights, each) for each in layer.hidden])
        arrays["limit"] = weights[layer.limit]
        if layer.bend is not None:
            arrays["bend"] = weights[layer.bend]
        return arrays


@dataclass(frozen=True)
class ControlledSteps:
    """A description with the form that the kernels "transition_table" and "transition_polynomial" have."""

    layer: ControlledTransition
    num_controls: int

    @property
    def kernel(self) -> str:
        """Which of the two."""
        return f"transition_{self.layer.weights.kind}"

    @property
    def state(self) -> list[str]:
        """What the kernel remembers, as it calls it."""
        return [*STATE, HELD] if self.num_controls else list(STATE)

    def settings(self) -> dict[str, str]:
        """Of the kernel."""
        layer = self.layer
        sizes = {"layers": layer.layers, "width": layer.width, "step_samples": layer.step_samples}
        settings = {**{name: str(size) for name, size in sizes.items()}, **_settings(layer)}
        if isinstance(layer.weights, TableWeights):
            settings["axes"] = ",".join(str(count) for count in layer.weights.axes)
        return settings

    def arrays(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the kernel takes, from the state dict."""
        of = self.layer.weights
        if isinstance(of, TableWeights):
            table = weights[of.table]
            own = table.shape[1] - self.layer.width * of.axes.count(0)
            limits = weights[of.limits].unsqueeze(1)
            rows = torch.cat([table[:, :own], limits, table[:, own:]], dim=1)
            return {"table": rows, "scales": weights[of.scales]}
        rows = torch.cat([weights[of.coefficients], weights[of.limits].unsqueeze(0)])
        arrays = {"coefficients": rows, "scales": weights[of.scales].unsqueeze(1)}
        if self.num_controls:
            arrays["exponents"] = torch.tensor(of.exponents, dtype=torch.float32)
        return arrays


def _settings(layer: Transition | ControlledTransition) -> dict[str, str]:
    return {
        "inputs": layer.inputs,
        "increment": repr(layer.increment or 0.0),
        "alpha": repr(layer.alpha),
        "rise": repr(layer.rise),
        "slope_scale": repr(layer.slope_scale),
        "still": repr(layer.still),
    }


def _bias_of(weights: dict[str, Tensor], layer: Dense) -> Tensor:
    return torch.zeros(layer.outputs) if layer.bias is None else weights[layer.bias]


def fit_steps(
    layer: Transition | ControlledTransition, architecture: Architecture
) -> Steps | ControlledSteps | None:
    """The kernel's form of a net that is this one layer; None where there is none."""
    plain = architecture.linear_path is None and architecture.beside is None and architecture.gain is None
    # in another order they would be played wrongly; the target reports other names
    named = layer.state == STATE or sorted(layer.state) != sorted(STATE)
    if not (plain and architecture.scale == 1.0 and named):
        return None
    if isinstance(layer, ControlledTransition):
        controls = architecture.num_controls
        fits = architecture.controls_at == ("weights" if controls else None) and layer.width <= WIDEST_STEPS
        return ControlledSteps(layer, controls) if fits and bool(layer.held) == bool(controls) else None
    widths = {layer.first.outputs, layer.head.inputs, *(each.outputs for each in layer.hidden)}
    return Steps(layer) if len(widths) == 1 and max(widths) <= WIDEST_STEPS else None
