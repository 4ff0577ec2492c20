"""Which compiled kernel plays a net of a given description, and the arrays that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tapezoo.architecture import (
    VERSION,
    Architecture,
    ControlledTransition,
    Convolution,
    Dense,
    Modulation,
    Recurrent,
    SkipStack,
    Transition,
)
from tapezoo.export.targets.transition_forms import ControlledSteps, Steps, fit_steps


@dataclass(frozen=True)
class Recurrence:
    """A description with the form that the kernels "lstm" and "gru" have."""

    layers: list[Recurrent]
    head: Dense
    linear_path: Convolution | None
    beside: Convolution | None = None
    gain: str | None = None

    @property
    def kernel(self) -> str:
        """Which of the two."""
        return self.layers[0].kind

    @property
    def state(self) -> list[str]:
        """What the kernel remembers, as it calls it."""
        memory = ["hidden", "cell"] if self.kernel == "lstm" else ["hidden"]
        paths = [path for path in (self.linear_path, self.beside) if path is not None]
        has_past = any(path.kernel_size > 1 for path in paths)
        return memory + ["past"] * has_past

    def settings(self) -> dict[str, str]:
        """Of the kernel."""
        return {"layers": str(len(self.layers))}

    def arrays(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the kernel takes, from the state dict."""
        gain = torch.ones(1) if self.gain is None else weights[self.gain]
        bias = torch.zeros(1) if self.head.bias is None else weights[self.head.bias]
        taps = torch.zeros(1) if self.linear_path is None else weights[self.linear_path.weight][0, 0]
        bias, taps = gain * bias, gain * taps
        if self.beside is not None:
            longer = weights[self.beside.weight][0, 0]
            taps = longer + torch.nn.functional.pad(taps, (len(longer) - len(taps), 0))
            bias = bias if self.beside.bias is None else bias + weights[self.beside.bias]
        arrays = {"head.weight": gain * weights[self.head.weight][0], "head.bias": bias, "taps": taps}
        for index, layer in enumerate(self.layers):
            of_input, of_hidden = weights[layer.weight_ih], weights[layer.weight_hh]
            bias_ih, bias_hh = weights[layer.bias_ih], weights[layer.bias_hh]
            sums = of_input, of_hidden, bias_ih + bias_hh
            if layer.kind == "gru":
                sums = _gru_sums(of_input, of_hidden, bias_ih, bias_hh)
            for name, array in zip(("input", "hidden", "bias"), sums, strict=True):
                arrays[f"layer_{index}.{name}"] = array
        return arrays


def _gru_sums(
    of_input: Tensor, of_hidden: Tensor, bias_ih: Tensor, bias_hh: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """r, z, m of the input, m of the hidden state: the reset gate stands between the last two."""
    r_in, z_in, m_in = of_input.chunk(3)
    r_hidden, z_hidden, m_hidden = of_hidden.chunk(3)
    (b_r, b_z, b_m), (c_r, c_z, c_m) = bias_ih.chunk(3), bias_hh.chunk(3)
    return (
        torch.cat([r_in, z_in, m_in, torch.zeros_like(m_in)]),
        torch.cat([r_hidden, z_hidden, torch.zeros_like(m_hidden), m_hidden]),
        torch.cat([b_r + c_r, b_z + c_z, b_m, c_m]),
    )


@dataclass(frozen=True)
class Stacks:
    """A description with the form that the kernels "wavenet" and "filtered_wavenet" have."""

    stacks: list[SkipStack]
    scale: float
    beside: Convolution | None = None
    gain: str | None = None

    @property
    def kernel(self) -> str:
        """Which of the two."""
        return "wavenet" if self.beside is None else "filtered_wavenet"

    @property
    def state(self) -> list[str]:
        """What the kernel remembers, as it calls it."""
        own = [*(f"past_{index}" for index in range(len(self.stacks) - 1)), "past_last"]
        return own if self.beside is None else [*own, "past"]

    def settings(self) -> dict[str, str]:
        """Of the kernel."""
        dilations = ",".join(str(layer.convolution.dilation) for layer in self.stacks[0].layers)
        return {"arrays": str(len(self.stacks)), "dilations": dilations}

    def arrays(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the kernel takes, from the state dict."""
        arrays: dict[str, Tensor] = {}
        if self.beside is not None:
            bias = torch.zeros(1) if self.beside.bias is None else weights[self.beside.bias]
            arrays = {"beside.taps": weights[self.beside.weight][0, 0], "beside.bias": bias}
        factor = self.scale * (torch.ones(1) if self.gain is None else weights[self.gain])
        for index, stack in enumerate(self.stacks):
            assert stack.widen is not None
            scale = factor if index == len(self.stacks) - 1 else 1.0
            mixes = [(layer.mix, layer.convolution) for layer in stack.layers if layer.mix is not None]
            part = {
                "widen": weights[stack.widen.weight][:, :, 0],
                "dilated": torch.stack([weights[layer.convolution.weight] for layer in stack.layers]),
                "mix": torch.stack([_with_bias(weights, mix, biased) for mix, biased in mixes]),
                "residual": torch.stack(
                    [_with_bias(weights, layer.residual, layer.residual) for layer in stack.layers]
                ),
                "head": scale * _with_bias(weights, stack.head, stack.head),
            }
            arrays |= {f"array_{index}.{name}": array for name, array in part.items()}
        return arrays


def _with_bias(weights: dict[str, Tensor], one_tap: Convolution, biased: Convolution) -> Tensor:
    """The weights of one tap, and a bias as the last column."""
    columns = weights[one_tap.weight][:, :, 0]
    bias = columns.new_zeros(len(columns)) if biased.bias is None else weights[biased.bias]
    return torch.cat([columns, bias[:, None]], dim=1)


def fit_kernel(architecture: Architecture) -> Recurrence | Stacks | Steps | ControlledSteps | None:
    """The kernel that plays a net of this description, less its modulations; None where there is none."""
    if architecture.version != VERSION or architecture.embedding or architecture.before is not None:
        return None
    heard = 1 + (architecture.num_controls if architecture.controls_at == "input" else 0)
    layers = [layer for layer in architecture.layers if not isinstance(layer, Modulation)]
    if isinstance(layers[0], Transition | ControlledTransition):
        return fit_steps(layers[0], architecture) if len(layers) == 1 else None
    stacks = [layer for layer in layers if isinstance(layer, SkipStack)]
    if stacks and len(stacks) == len(layers):
        form = Stacks(stacks, architecture.scale, architecture.beside, architecture.gain)
        return form if _are_wavenet(stacks, architecture) else None
    recurrent, head = [layer for layer in layers if isinstance(layer, Recurrent)], layers[-1]
    if not (recurrent and layers[:-1] == recurrent and isinstance(head, Dense)):
        return None
    first = recurrent[0]
    memory = ("hidden", "cell") if first.kind == "lstm" else ("hidden",)
    alike = first.inputs == heard and head.inputs == first.units
    for row, layer in enumerate(recurrent):
        alike &= (layer.kind, layer.units, layer.state_row) == (first.kind, first.units, row)
        alike &= row == 0 or layer.inputs == first.units
        # the target reports other names; the kernel's own names in another order would be played wrongly
        alike &= layer.state == memory or sorted(layer.state) != sorted(memory)
    path, beside = architecture.linear_path, architecture.beside
    plain = head.outputs == 1 and architecture.scale == 1.0 and (path is None or path.bias is None)
    if beside is not None:
        # one left context serves both, so that one of them has to have none
        plain &= beside.state == "past" and (path is None or path.kernel_size == 1)
    return Recurrence(recurrent, head, path, beside, architecture.gain) if alike and plain else None


def _are_wavenet(stacks: Sequence[SkipStack], architecture: Architecture) -> bool:
    forms = {
        tuple(
            (layer.convolution.dilation, layer.convolution.kernel_size, layer.activation)
            for layer in stack.layers
        )
        for stack in stacks
    }
    alike = len(forms) == 1 and len({form[1:] for form in next(iter(forms))}) == 1
    whole = all(
        stack.widen is not None
        and stack.widen.bias is None
        and stack.skips == "sum"
        and stack.head.kernel_size == 1
        and all(layer.activation != "leaky_relu" for layer in stack.layers)
        and all(layer.mix is not None and layer.mix.bias is None for layer in stack.layers)
        for stack in stacks
    )
    return alike and whole and architecture.linear_path is None
