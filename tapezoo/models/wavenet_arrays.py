"""The layers of a WaveNet: arrays of dilated convolutions of one width, whose z are summed for a head."""

from __future__ import annotations

from itertools import groupby
from typing import Literal

import torch
from torch import Tensor, nn

from tapezoo.architecture import LEAK
from tapezoo.layers.activations import fast_tanh
from tapezoo.layers.conditioning import conditioner
from tapezoo.layers.convolution import causal_convolution, convolution
from tapezoo.layers.skip_stack import run_skip_stack, runs_stack, stack_weights
from tapezoo.models.modulation import hold_conditioner, is_identity
from tapezoo.net import State

Activation = Literal["tanh", "gated", "leaky_relu"]
NATIVE = "concat"  # the controls accompany the raw input, which every layer receives


class Layer(nn.Module):
    """One dilated layer: `z = modulation(f(W * y + V c))`, `y' = y + R z`; controls are in c or in modulation."""

    def __init__(
        self,
        num_controls: int,
        channels: int,
        kernel_size: int,
        dilation: int,
        activation: Activation,
        conditioning: str,
    ) -> None:
        super().__init__()
        self.dilation = dilation
        self.activation = activation
        width = 2 * channels if activation == "gated" else channels
        beside_input = num_controls if conditioning == NATIVE else 0
        self.dilated = nn.Conv1d(channels, width, kernel_size, dilation=dilation)  # W, b
        self.mix = nn.Conv1d(1 + beside_input, width, 1, bias=False)  # V
        # with the controls in V, the modulation is a concatenation without controls: the identity, without parameters
        self.modulation = conditioner(conditioning, num_controls - beside_input, channels)
        self.residual = nn.Conv1d(channels, channels, 1)  # R, r
        self.past_samples = (kernel_size - 1) * dilation

    def forward(
        self, y: Tensor, input: Tensor, controls: Tensor, past: Tensor, own: State
    ) -> tuple[Tensor, Tensor, Tensor, State]:
        """(y', z, past, the modulation's own state) from y (batch, channels, samples)."""
        mixed = self.mix.weight[:, :1, 0] * input  # V c, (batch, width, samples)
        if self.mix.in_channels > 1:  # kept separate because constant controls have only one column
            mixed = mixed + torch.matmul(self.mix.weight[:, 1:, 0], controls)
        u, past = causal_convolution(
            y, past, self.dilated.weight, self.dilated.bias, self.dilation, offset=mixed
        )
        z, own = self.modulation(activated(u, self.activation), controls, own)
        return convolution(z, self.residual.weight, self.residual.bias, offset=y), z, past, own

    @torch.no_grad()
    def hold(self, controls: Tensor) -> None:
        """Folds constant controls into b if they are in c, otherwise into constants after f."""
        if self.mix.in_channels > 1:
            assert self.dilated.bias is not None
            weight = self.mix.weight
            self.dilated.bias = nn.Parameter(self.dilated.bias + weight[:, 1:, 0] @ controls)
            self.mix.weight, self.mix.in_channels = nn.Parameter(weight[:, :1].clone()), 1
        else:
            self.modulation = hold_conditioner(self.modulation, controls)


def activated(u: Tensor, activation: Activation) -> Tensor:
    """f(u), see `tapezoo.architecture.SkipLayer`."""
    if activation == "leaky_relu":
        return nn.functional.leaky_relu(u, LEAK)
    if activation == "tanh":
        return fast_tanh(u)
    filter, gate = u.chunk(2, dim=1)
    return fast_tanh(filter) * torch.sigmoid(gate)


class Array(nn.Module):
    """A stack of layers of one width, and the head, which the net applies to the sum of their z."""

    def __init__(
        self,
        in_channels: int,
        num_controls: int,
        channels: int,
        head_channels: int,
        head_taps: int,
        head_bias: bool,
        kernel_sizes: list[int],
        dilations: list[int],
        activation: Activation,
        conditioning: str,
    ) -> None:
        super().__init__()
        self.widen = nn.Conv1d(in_channels, channels, 1, bias=False)
        layers = {
            name: Layer(num_controls, channels, kernel_size, dilation, activation, conditioning)
            for name, kernel_size, dilation in zip(
                name_parts(len(dilations)), kernel_sizes, dilations, strict=True
            )
        }
        self.layers = nn.ModuleDict(layers)
        self.conditioners = [(name, layer.modulation) for name, layer in layers.items()]
        self.head = nn.Conv1d(channels, head_channels, head_taps, bias=head_bias)
        self.past_samples = [layer.past_samples for layer in layers.values()]

    def forward(
        self,
        y: Tensor,
        head: Tensor | None,
        input: Tensor,
        controls: Tensor,
        past: Tensor,
        owns: list[State],
    ) -> tuple[Tensor, Tensor, Tensor, list[State]]:
        """(y, head, past, owns) after all layers, head the sum of z, to that of the array before.

        `past` holds the left context of all layers, one after another; `owns` holds the state of each modulation.
        """
        y = convolution(y, self.widen.weight)  # (batch, channels, samples)
        if self.plays_compiled(y, past):
            y, skips, past = self._run_compiled(y, input, controls, past)
            return y, skips if head is None else head + skips, past, owns
        pasts, after = [], []
        for layer, layer_past, own in zip(
            self.layers.values(), torch.split(past, self.past_samples, dim=-1), owns, strict=True
        ):
            y, z, layer_past, own = layer(y, input, controls, layer_past, own)
            head = z if head is None else head + z
            pasts.append(layer_past)
            after.append(own)
        assert head is not None
        return y, head, torch.cat(pasts, dim=-1), after

    def plays_compiled(self, y: Tensor, past: Tensor) -> bool:
        """Whether the layers run in `run_skip_stack`: in training, when nothing modulates z."""
        plain = all(is_identity(modulation) for _, modulation in self.conditioners)
        return plain and (self.training or torch.is_grad_enabled()) and runs_stack(y, past)

    def _run_compiled(
        self, y: Tensor, input: Tensor, controls: Tensor, past: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        all_layers = [layer for layer in self.layers.values() if isinstance(layer, Layer)]
        told = input
        if all_layers[0].mix.in_channels > 1:
            told = torch.cat([input, controls.expand(-1, -1, input.shape[-1])], dim=1)
        # layers that follow one another with one number of taps run at once
        runs = [list(run) for _, run in groupby(all_layers, lambda layer: layer.dilated.kernel_size)]
        contexts = torch.split(past, [sum(layer.past_samples for layer in run) for run in runs], dim=-1)
        skips, after = [], []
        for layers, context in zip(runs, contexts, strict=True):
            convolutions = [(layer.dilated, layer.residual, layer.mix) for layer in layers]
            weights, dilations = (
                stack_weights(*zip(*convolutions, strict=True)),
                [layer.dilation for layer in layers],
            )
            y, z, context = run_skip_stack(
                y, told, context, weights, dilations, layers[0].activation, summed=True
            )
            skips.append(z)
            after.append(context)
        if len(runs) == 1:
            return y, skips[0], after[0]
        return y, torch.stack(skips).sum(dim=0), torch.cat(after, dim=-1)


def name_parts(count: int) -> list[str]:
    """Names of stacked parts: "0", "1", ..., "last", so that the last part has the same name at every depth."""
    return [*map(str, range(count - 1)), "last"]
