"""TCN: dilated causal residual blocks, modulated by the controls."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from tapezoo.architecture import Activation as ActivationLayer
from tapezoo.architecture import Architecture, Dense, ResidualBlock
from tapezoo.layers.activations import FastTanh
from tapezoo.layers.affine import Affine, fold_into_previous
from tapezoo.layers.conditioning import FiLM, conditioner
from tapezoo.layers.convolution import causal_convolution, convolution
from tapezoo.layers.described import describe_convolution, describe_dense, describe_modulation
from tapezoo.layers.residual_layout import LayerWeights
from tapezoo.layers.residual_stack import run_residual_stack, runs_residual_stack
from tapezoo.models.arguments import (
    DEEPEST,
    LONGEST_SAMPLES,
    WIDEST,
    require_one_of,
    require_reach,
    require_whole,
)
from tapezoo.models.modulation import Modulations, hold_conditioner, is_identity, require_conditioning
from tapezoo.net import Net, State
from tapezoo.training.effect import EffectModel

Activation = Literal["prelu", "tanh"]


class Block(nn.Module):
    """`h' = f(modulation(W * h)) + r h`: dilated convolution, modulation, activation, weighted residual."""

    def __init__(
        self,
        cond_dim: int,
        in_channels: int,
        channels: int,
        kernel_size: int,
        dilation: int,
        activation: Activation,
        conditioning: str,
    ) -> None:
        super().__init__()
        self.dilation = dilation
        # the modulation has its own offset; without controls there is no modulation, and W gets the bias
        self.dilated = nn.Conv1d(in_channels, channels, kernel_size, dilation=dilation, bias=not cond_dim)
        self.modulation = conditioner(conditioning, cond_dim, channels)
        self.activation = nn.PReLU(channels) if activation == "prelu" else FastTanh()
        self.residual = nn.Parameter(torch.empty(channels, 1).uniform_(-1.0, 1.0))  # r

    def forward(self, h: Tensor, cond: Tensor, past: Tensor, own: State) -> tuple[Tensor, Tensor, State]:
        """(h', past, the modulation's own state) from h (batch, in_channels, samples)."""
        u, past = causal_convolution(h, past, self.dilated.weight, self.dilated.bias, self.dilation)
        u, own = self.modulation(u, cond, own)  # (batch, channels, samples)
        return torch.addcmul(self.activation(u), h, self.residual), past, own

    def weights(self) -> LayerWeights:
        """W, b, the slope of f, and r, for a block without modulation."""
        weight, bias = self.dilated.weight, self.dilated.bias
        assert bias is not None
        slope = self.activation.weight if isinstance(self.activation, nn.PReLU) else bias.new_empty(0)
        return LayerWeights(weight, bias, slope, self.residual[:, 0])

    @torch.no_grad()
    def hold(self, cond: Tensor) -> None:
        """Folds the effect of the embedding (cond_dim,) into W as constants; a gated unit remains."""
        constant = hold_conditioner(self.modulation, cond)
        weight, bias = self.dilated.weight, self.dilated.bias
        if isinstance(constant, Affine):
            weight, bias = fold_into_previous(constant, weight, bias)
            constant = FiLM(0, self.dilated.out_channels)
        self.dilated.weight = nn.Parameter(weight)
        self.dilated.bias = None if bias is None else nn.Parameter(bias)
        self.modulation = constant


class TCNNet(Net):
    """`h_{l+1} = f(g_l W_l * h_l + b_l) + r_l h_l`, `h_0 = x`, output `= tanh(o . h_L + o_0)`.

    `*` is a causal convolution with dilation `dilation_growth^l`, f a PReLU per channel (or tanh), `r_l` a
    weight per channel. FiLM: `g_l, b_l` are affine in an embedding of the controls, which three layers of
    16, `cond_dim` and `cond_dim` ReLUs compute and all blocks share.

    Steinmetz, Reiss, "Efficient neural networks for real-time modeling of analog dynamic range
    compression", AES 152, 2022: few blocks of long kernels with fast growing dilation. One departure: before FiLM, the
    paper normalises u over the batch, which would make rows depend on each other and the output on the batch. That
    normalisation has no trained weights, so the parameter counts are the paper's. Without controls there is no FiLM,
    and b is the convolution's bias.

    Receptive field: `1 + (kernel_size - 1) sum_l dilation_growth^l`, with "temporal_film" unbounded. Latency: 0.
    The paper's nets, with 32 channels, growth 10 and two controls:

        uTCN-100    4 blocks of  5 taps, receptive field  4 445, 25 905 parameters; the default
        uTCN-300    4 blocks of 13 taps, receptive field 13 333, 50 737 parameters
        uTCN-1000   5 blocks of  5 taps, receptive field 44 445, 33 201 parameters

    Parameters of L blocks of C channels, k taps and embedding D, for K > 0 controls: `C k (1 + (L - 1) C) +
    L (2 C (D + 1) + 2 C) + 16 (K + 1) + 17 D + D (D + 1) + C + 1`; for K = 0
    `C k (1 + (L - 1) C) + 3 L C + C + 1`. With tanh instead of PReLU: L C less.

    Args:
        num_controls: Number of knobs, K.
        channels: Of every block, C.
        num_blocks: Number of blocks, L.
        kernel_size: Taps of each convolution, k, 2 or more.
        dilation_growth: Ratio of the dilations of two successive blocks.
        activation: "prelu" with a slope per channel, or "tanh".
        cond_dim: Size of the controls' embedding, D; unused without controls.
        conditioning: "film", as in the paper, or another of `tapezoo.layers.CONDITIONERS`: how the embedding acts on
            u = W * h of every block.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(
        self,
        num_controls: int,
        channels: int = 32,
        num_blocks: int = 4,
        kernel_size: int = 5,
        dilation_growth: int = 10,
        activation: Activation = "prelu",
        cond_dim: int = 32,
        conditioning: str = "film",
    ) -> None:
        require_whole("channels", channels, 1, WIDEST)
        require_whole("num_blocks", num_blocks, 1, DEEPEST)
        require_whole("kernel_size", kernel_size, 2, WIDEST)
        require_whole("dilation_growth", dilation_growth, 1, LONGEST_SAMPLES)
        require_one_of("activation", activation, get_args(Activation))
        require_whole("cond_dim", cond_dim, 1, WIDEST)
        require_conditioning(conditioning)
        dilations = [dilation_growth**block for block in range(num_blocks)]
        receptive_field = 1 + (kernel_size - 1) * sum(dilations)
        require_reach("dilation_growth", dilation_growth, receptive_field)
        super().__init__(num_controls, receptive_field)
        self.embedding = _embedding(num_controls, cond_dim) if num_controls else None
        self.blocks, layers = nn.ModuleList(), []
        for index, dilation in enumerate(dilations):
            in_channels = channels if index else 1
            cond = cond_dim if num_controls else 0
            block = Block(cond, in_channels, channels, kernel_size, dilation, activation, conditioning)
            self.blocks.append(block)
            layers.append((str(index), block.modulation))
            self.register_rest(f"past_{index}", torch.zeros(in_channels, (kernel_size - 1) * dilation))
        self.output = nn.Conv1d(channels, 1, 1)  # o
        self.modulations = Modulations(self, layers)

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        trajectory, after = self.smoothed(controls, state, input.shape[-1])
        pasts = [state[f"past_{index}"] for index in range(len(self.blocks))]
        if self.plays_compiled(input, pasts):
            return self._run_compiled(input, pasts)
        cond = trajectory
        if self.embedding is not None:
            cond = self.embedding(trajectory.transpose(1, 2)).transpose(
                1, 2
            )  # (batch, cond_dim, 1 or samples)
        h = input
        for index, block in enumerate(self.blocks):
            own = self.modulations.own_state(str(index), state)
            h, after[f"past_{index}"], own = block(h, cond, pasts[index], own)
            after |= self.modulations.net_state(str(index), own)
        return torch.tanh(convolution(h, self.output.weight, self.output.bias)), after

    def rest_state(self, rows: int) -> State:
        """See `Net.rest_state`; the pasts lie sample by sample, so `run_residual_stack` need not transpose them."""
        state = {}
        for name, rest in super().rest_state(1).items():
            turned = rest.transpose(1, 2).contiguous() if name.startswith("past_") else rest
            copied = turned.repeat(rows, *[1] * (rest.dim() - 1))
            state[name] = copied.transpose(1, 2) if name.startswith("past_") else copied
        return state

    def plays_compiled(self, input: Tensor, pasts: list[Tensor]) -> bool:
        """Whether all blocks run at once in `run_residual_stack`: in training, when nothing modulates."""
        plain = all(is_identity(block.modulation) for block in self.blocks if isinstance(block, Block))
        return plain and (self.training or torch.is_grad_enabled()) and runs_residual_stack(input, pasts)

    def _run_compiled(self, input: Tensor, pasts: list[Tensor]) -> tuple[Tensor, State]:
        blocks = [block for block in self.blocks if isinstance(block, Block)]
        weights, dilations = [block.weights() for block in blocks], [block.dilation for block in blocks]
        assert self.output.bias is not None
        head = self.output.weight.flatten(), self.output.bias
        output, pasts = run_residual_stack(input, pasts, weights, dilations, *head)
        return torch.tanh(output), {f"past_{index}": past for index, past in enumerate(pasts)}

    def described(self) -> Architecture:
        """See `Net.described`."""
        channels = self.output.in_channels
        return self.describe_layers(
            *(self._describe_block(index, channels) for index in range(len(self.blocks))),
            describe_convolution("output", self.output),
            ActivationLayer("tanh", 1),
            controls_at="modulation",
            embedding=() if self.embedding is None else tuple(_describe_embedding(self.embedding)),
        )

    def _describe_block(self, index: int, channels: int) -> ResidualBlock:
        block, path = self.blocks[index], f"blocks.{index}"
        assert isinstance(block, Block)
        own = self.modulations.state_names(str(index))
        prelu = isinstance(block.activation, nn.PReLU)
        return ResidualBlock(
            convolution=describe_convolution(f"{path}.dilated", block.dilated, f"past_{index}"),
            activation=(
                ActivationLayer("prelu", channels, f"{path}.activation.weight")
                if prelu
                else ActivationLayer("tanh", channels)
            ),
            gain=f"{path}.residual",
            modulation=describe_modulation(f"{path}.modulation", block.modulation, channels, own),
        )

    @torch.no_grad()
    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: without embedding, its modulation folded into the convolutions."""
        net = self.without_knobs()
        cond = controls if self.embedding is None else self.embedding(controls)
        net.embedding = None
        for block in net.modules():
            if isinstance(block, Block):
                block.hold(cond)
        return net


def _embedding(num_controls: int, cond_dim: int) -> nn.Module:
    sizes = [num_controls, 16, cond_dim, cond_dim]
    layers = [(nn.Linear(width, next_width), nn.ReLU()) for width, next_width in pairwise(sizes)]
    return nn.Sequential(*chain.from_iterable(layers))


def _describe_embedding(embedding: nn.Module) -> Iterator[Dense | ActivationLayer]:
    for name, layer in embedding.named_children():
        if isinstance(layer, nn.Linear):
            yield describe_dense(f"embedding.{name}", layer)
            yield ActivationLayer("relu", layer.out_features)


class TCN(EffectModel):
    """Trains a `TCNNet`; the defaults are the paper's uTCN-100."""

    net_class = TCNNet
