"""Weights that follow the controls: a hyper-network for recurrent cells and the linear layers around them.

Ha, Dai, Le, "HyperNetworks", ICLR 2017; for audio effects Yeh, Hsiao, Yang, "Hyper recurrent neural network:
condition mechanisms for black-box audio effect modeling", DAFx 2024.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class ControlCode(nn.Module):
    """`z(p) = (1, p, tanh(V p + v))`: the vector in which the weights are linear.

    1 and the controls alone suffice for the corners of a hybrid, where each effect gets weights of its own; the
    tanh units bend the path between the corners.

    Args:
        num_controls: K, 0 or more.
        hyper_units: Number of tanh units, 0 or more; `hyper_units (K + 1)` parameters, none without controls.

    Shape:
        controls: (batch, K, samples); code: (batch, D, samples), D = 1 + K + hyper_units, or 1 without controls.
    """

    def __init__(self, num_controls: int, hyper_units: int) -> None:
        super().__init__()
        self.bend = nn.Linear(num_controls, hyper_units) if num_controls and hyper_units else None
        self.num_controls = num_controls
        self.size = 1 + num_controls + (hyper_units if num_controls else 0)

    def forward(self, controls: Tensor) -> Tensor:
        """The code z."""
        one = controls.new_ones(controls.shape[0], 1, controls.shape[2])
        code = torch.cat([one, controls], dim=1)
        if self.bend is None:
            return code
        return torch.cat([code, torch.tanh(self.bend(controls.transpose(1, 2))).transpose(1, 2)], dim=1)


class BlendCode(ControlCode):
    """The code of controls that choose among machines: if they sum to more than 1, they are divided by their sum.

    A mix of two machines' weights then stays between them; a sum of 1 + 1 would lie outside them.
    """

    def forward(self, controls: Tensor) -> Tensor:
        """The code z of the normalised controls."""
        code: Tensor = super().forward(controls / controls.sum(dim=1, keepdim=True).clamp(min=1.0))
        return code


CODES: dict[str, type[ControlCode]] = {"hyper": ControlCode, "hyper_blend": BlendCode}


class HyperTensors(nn.Module):
    """Tensors `W(z) = sum_d z_d W_d`, by name.

    The trained tensors are V_0, where all controls are 0, and V_k, where control k alone is 1:
    `W_0 = V_0, W_k = V_k - V_0`. Training one corner of a hybrid therefore does not disturb another. The tensors of
    the tanh units are trained directly. Stored as (*shape, D).

    Args:
        start: Initial V_0 and V_k of each tensor, up to `reach`.
        code: Computes z from the controls.
        reach: Fresh tensors differ from `start` by at most this; those of the tanh units differ from 0 by at most this.

    Shape:
        code: (rows, D); results: (rows, *shape).
    """

    def __init__(self, start: Mapping[str, Tensor], code: ControlCode, reach: float) -> None:
        super().__init__()
        self.num_controls = code.num_controls
        self.corners = nn.ParameterDict()
        for name, tensor in start.items():
            spread = torch.empty(*tensor.shape, code.size).uniform_(-reach, reach)
            spread[..., 0] = 0.0
            spread[..., : 1 + code.num_controls] += tensor.detach().unsqueeze(-1)
            self.corners[name] = nn.Parameter(spread)

    @property
    def apart(self) -> dict[str, Tensor]:
        """The W_d of each tensor, (*shape, D)."""
        found = {}
        for name, corners in self.corners.items():
            first, others = corners[..., :1], corners[..., 1 : 1 + self.num_controls]
            found[name] = torch.cat([first, others - first, corners[..., 1 + self.num_controls :]], dim=-1)
        return found

    def forward(self, code: Tensor) -> dict[str, Tensor]:
        """The tensors at each row of z."""
        return {name: torch.matmul(tensor, code.t()).movedim(-1, 0) for name, tensor in self.apart.items()}


def mix(apart: Tensor, code: Tensor) -> Tensor:
    """A linear layer with weights W(z), from the outputs y_d of its W_d, sample by sample: `sum_d z_d y_d`.

    Shape:
        apart: (batch, D, samples); code: (batch, D, 1 or samples); result: (batch, 1, samples).
    """
    return (apart * code).sum(dim=1, keepdim=True)


class HyperRecurrence(nn.Module, ABC):
    """A recurrent layer whose weights follow the controls; `memory` names its state tensors.

    Rows at the same controls share weights and run as one batch; the signal is cut where the weights change.

    Args:
        start: Weights of a fresh layer.
        code: Computes z from the controls.
        hidden_size: Units, H.
        num_layers: Stacked layers.

    Shape:
        signal: (batch, samples, 1); code: (batch, D, samples), or (batch, D, 1) while the weights are constant;
        memory: (layers, batch, H) each; output: (batch, samples, H).
    """

    memory: tuple[str, ...]

    def __init__(
        self, start: Mapping[str, Tensor], code: ControlCode, hidden_size: int, num_layers: int
    ) -> None:
        super().__init__()
        self.hidden_size, self.num_layers = hidden_size, num_layers
        self.tensors = HyperTensors(start, code, reach=0.1 / math.sqrt(hidden_size))

    def forward(self, signal: Tensor, code: Tensor, memory: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The output of the last layer, and the memory after it."""
        tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        if tracing:
            code = code.expand(-1, -1, signal.shape[1])
            layers = []
            for layer in range(self.num_layers):
                start = [part[layer : layer + 1] for part in memory]
                signal, *after = self.traced(signal, code, start, layer)
                layers.append(after)
            return signal, [torch.cat(parts) for parts in zip(*layers, strict=True)]
        if code.shape[-1] == 1:
            return self._grouped(signal, code[..., 0], memory)
        outputs = []
        for start_sample, stop_sample in _pieces(code):
            piece = signal[:, start_sample:stop_sample]
            output, memory = self._grouped(piece, code[..., start_sample], memory)
            outputs.append(output)
        return torch.cat(outputs, dim=1), memory

    def _grouped(self, signal: Tensor, code: Tensor, memory: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Runs rows with the same code as one batch; code (batch, D)."""
        if bool((code == code[:1]).all()):
            tensors = self.tensors(code[:1])
            return self.run(signal, memory, {name: value[0] for name, value in tensors.items()})
        _, kind = torch.unique(code.detach(), dim=0, return_inverse=True)
        order = torch.argsort(kind, stable=True)
        sizes = torch.bincount(kind).tolist()
        first = order[torch.tensor([0, *sizes[:-1]], device=code.device).cumsum(0)]  # one row of each kind
        tensors = self.tensors(code.index_select(0, first))
        weights = [{name: value[index] for name, value in tensors.items()} for index in range(len(sizes))]
        signals = torch.split(signal.index_select(0, order), sizes)
        memories = zip(
            *(torch.split(part.index_select(1, order), sizes, dim=1) for part in memory), strict=True
        )
        results = [
            self.run(rows, list(start), kinds)
            for rows, start, kinds in zip(signals, memories, weights, strict=True)
        ]
        back = torch.argsort(order)
        output = torch.cat([output for output, _ in results]).index_select(0, back)
        after = [torch.cat(parts, dim=1) for parts in zip(*(after for _, after in results), strict=True)]
        return output, [part.index_select(1, back) for part in after]

    @abstractmethod
    def run(
        self, signal: Tensor, memory: list[Tensor], weights: Mapping[str, Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """All layers with the same weights for all rows."""

    @abstractmethod
    def traced(self, signal: Tensor, code: Tensor, memory: list[Tensor], layer: int) -> list[Tensor]:
        """One layer, written for an exported graph with any number of rows and samples: output and memory."""


def _pieces(code: Tensor) -> list[tuple[int, int]]:
    """Where to cut, so that no row's code changes within a piece."""
    changed = (code[..., 1:] != code[..., :-1]).flatten(0, 1).any(dim=0)
    starts = [0, *(changed.nonzero().flatten() + 1).tolist()]
    return list(zip(starts, [*starts[1:], code.shape[-1]], strict=True))


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def cuts(code: Tensor, row: int) -> tuple[Tensor, Tensor, Tensor]:
    """For loops over a row's pieces in a graph: the end of each piece, and the row and first sample of the next one.

    Shape:
        code: (batch, D, samples); results: (pieces,).
    """
    changed = (code[row, :, 1:] != code[row, :, :-1]).any(dim=0)
    inner = changed.nonzero().flatten() + 1
    stops = torch.cat([inner, torch.full([1], code.shape[2], dtype=torch.long)])
    next_rows = torch.cat([torch.full_like(inner, row), torch.full([1], row + 1, dtype=torch.long)])
    next_starts = torch.cat([inner, torch.zeros([1], dtype=torch.long)])
    return stops, next_rows, next_starts
