"""GCN: a gated convolutional network whose output mixes all of its layers."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture, SkipLayer, SkipStack
from tapezoo.layers.activations import fast_tanh
from tapezoo.layers.affine import Affine, fold_into_next
from tapezoo.layers.conditioner import Conditioner
from tapezoo.layers.conditioning import FiLM, conditioner
from tapezoo.layers.convolution import causal_convolution, convolution
from tapezoo.layers.described import describe_convolution, describe_modulation
from tapezoo.layers.skip_stack import run_skip_stack, runs_stack, stack_weights
from tapezoo.models.arguments import (
    DEEPEST,
    INPUT_SCALES,
    LONGEST_SAMPLES,
    WIDEST,
    require_number,
    require_reach,
    require_whole,
)
from tapezoo.models.modulation import Modulations, hold_conditioner, is_identity, require_conditioning
from tapezoo.net import Net, State
from tapezoo.training.effect import EffectModel


class Layer(nn.Module):
    """`z = modulation(tanh(F * h) sigmoid(G * h))`, `h' = M z + h`."""

    def __init__(
        self,
        num_controls: int,
        in_channels: int,
        channels: int,
        kernel_size: int,
        dilation: int,
        conditioning: str,
    ) -> None:
        super().__init__()
        self.dilation = dilation
        self.dilated = nn.Conv1d(in_channels, 2 * channels, kernel_size, dilation=dilation)  # F, then G
        self.modulation = conditioner(conditioning, num_controls, channels)
        self.mix = nn.Conv1d(channels, channels, 1)  # M

    def forward(
        self, h: Tensor, controls: Tensor, past: Tensor, own: State
    ) -> tuple[Tensor, Tensor, Tensor, State]:
        """(h', z, past, the modulation's own state) from h (batch, in_channels, samples).

        If h has a single channel, it is added to every channel of h'.
        """
        u, past = causal_convolution(h, past, self.dilated.weight, self.dilated.bias, self.dilation)
        filter, gate = u.chunk(2, dim=1)  # (batch, channels, samples) each
        z, own = self.modulation(fast_tanh(filter) * torch.sigmoid(gate), controls, own)
        return convolution(z, self.mix.weight, self.mix.bias, offset=h.expand_as(z)), z, past, own

    @torch.no_grad()
    def hold(self, controls: Tensor) -> Conditioner:
        """Fixes the controls, folds the conditioner into M if possible, and returns the conditioner held.

        If that is `Affine`, this layer's z no longer includes it, and other users of z must apply it themselves.
        """
        constant = hold_conditioner(self.modulation, controls)
        self.modulation = constant
        if isinstance(constant, Affine):
            assert self.mix.bias is not None
            weight, bias = fold_into_next(constant, self.mix.weight, self.mix.bias)
            self.mix.weight, self.mix.bias = nn.Parameter(weight), nn.Parameter(bias)
            self.modulation = FiLM(0, self.mix.in_channels)
        return constant


class GCNNet(Net):
    """`z_l = FiLM(tanh(F_l * h_l) sigmoid(G_l * h_l))`, `h_{l+1} = M_l z_l + h_l`, output `= sum o_l . z_l + b`.

    `*` is a causal convolution with dilation `dilation_growth^(l mod num_layers)`, `h_0 = x`; the output mixes
    the z of all layers of all blocks by one 1x1. FiLM is a gain and an offset per channel, affine in the
    controls; without controls there is none.

    Comunità, Steinmetz, Phan, Reiss, "Modelling black-box audio effects with time-varying feature
    modulation", ICASSP 2023: with conditioning "temporal_film" its GCNTF (see `TemporalFiLM` for how ours
    departs from it), else without the time-varying modulation (its GCN baseline); the gated net itself is from
    Wright, Damskägg, Juvela, Välimäki, "Real-time guitar amplifier emulation with deep learning",
    Applied Sciences 2020.

    Receptive field: `1 + num_blocks (kernel_size - 1) sum_l dilation_growth^l`, with "temporal_film" unbounded.
    Latency: 0. Parameters for L
    layers in all of C channels, k taps, K controls: `2 C k (1 + (L - 1) C) + 2 C L + L C (C + 1) + L C + 1`, and
    with controls `2 L C (K + 1)` more. The default, one block of ten layers of 16 channels, has 17 121 at
    K = 0 and a receptive field of 2 047 samples; five layers of 7 taps and growth 4 have the same with 16 161.
    C (C + 1) of them are dead: nothing follows the last layer's h.

    Args:
        num_controls: Number of knobs, K.
        channels: Of every layer, C.
        num_blocks: Stacks of layers; each starts again at dilation 1.
        num_layers: Layers of each block.
        kernel_size: Taps of each convolution, k, 2 or more.
        dilation_growth: Ratio of the dilations of two successive layers, 1 or more.
        conditioning: Modulation of each layer's z: "film", or another of `tapezoo.layers.CONDITIONERS`;
            "temporal_film" gives the paper's GCNTF.
        input_scale: Factor on F_0 and G_0 at the start of training, 0.01 to 1000: how loud the signal is for the fresh
            first layer. Fresh layers are nearly linear at low levels.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    dead_parameters: ClassVar[dict[str, str]] = {
        f"layers.last.mix.{name}": "the last layer's h is not used; kept to match the papers"
        for name in ("weight", "bias")
    }

    def __init__(
        self,
        num_controls: int,
        channels: int = 16,
        num_blocks: int = 1,
        num_layers: int = 10,
        kernel_size: int = 3,
        dilation_growth: int = 2,
        conditioning: str = "film",
        input_scale: float = 1.0,
    ) -> None:
        require_whole("channels", channels, 1, WIDEST)
        require_whole("num_blocks", num_blocks, 1, DEEPEST)
        require_whole("num_layers", num_layers, 1, DEEPEST)
        require_whole("kernel_size", kernel_size, 2, WIDEST)
        require_whole("dilation_growth", dilation_growth, 1, LONGEST_SAMPLES)
        require_conditioning(conditioning)
        require_number("input_scale", input_scale, *INPUT_SCALES)
        dilations = num_blocks * [dilation_growth**layer for layer in range(num_layers)]
        receptive_field = 1 + (kernel_size - 1) * sum(dilations)
        require_reach("dilation_growth", dilation_growth, receptive_field)
        super().__init__(num_controls, receptive_field)
        self.layers, layers = nn.ModuleDict(), []
        for index, dilation in enumerate(dilations):
            name = "last" if index == len(dilations) - 1 else str(index)  # named alike at every depth
            in_channels = channels if index else 1
            layer = Layer(num_controls, in_channels, channels, kernel_size, dilation, conditioning)
            self.layers[name] = layer
            layers.append((name, layer.modulation))
        with torch.no_grad():
            next(iter(self.layers.values())).get_parameter("dilated.weight").mul_(input_scale)
        self.output = nn.Conv1d(len(dilations) * channels, 1, 1)  # o
        # two state tensors for all layers: each further one would cost more in streaming than its samples do
        self.past_samples = [(kernel_size - 1) * dilation for dilation in dilations]
        self.register_rest("past_input", torch.zeros(1, self.past_samples[0]))
        if len(dilations) > 1:
            self.register_rest("past_layers", torch.zeros(channels, sum(self.past_samples[1:])))
        self.modulations = Modulations(self, layers)

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        trajectory, knobs = self.smoothed(controls, state, input.shape[-1])
        later = state.get("past_layers")
        h, features, new_state = input, [], knobs
        layers = {name: layer for name, layer in self.layers.items() if isinstance(layer, Layer)}
        if later is not None and self.plays_compiled(layers, input, later):
            first, *rest = layers.values()  # only the first layer has another width
            h, z, new_state["past_input"], _ = first(h, trajectory, state["past_input"], {})
            skips, new_state["past_layers"] = self._run_compiled(rest, h, later)
            return convolution(torch.cat([z, skips], dim=1), self.output.weight, self.output.bias), new_state
        pasts, after = [state["past_input"]], []
        if later is not None:
            pasts += torch.split(later, self.past_samples[1:], dim=-1)
        for (name, layer), past in zip(layers.items(), pasts, strict=True):
            h, z, past, own = layer(h, trajectory, past, self.modulations.own_state(name, state))
            features.append(z)
            after.append(past)
            new_state |= self.modulations.net_state(name, own)
        mixed = torch.cat(features, dim=1)  # (batch, layers * channels, samples)
        output = convolution(mixed, self.output.weight, self.output.bias)
        new_state["past_input"] = after[0]
        if later is not None:
            new_state["past_layers"] = torch.cat(after[1:], dim=-1)
        return output, new_state

    def plays_compiled(self, layers: dict[str, Layer], signal: Tensor, past: Tensor) -> bool:
        """Whether all layers but the first run at once in `run_skip_stack`: in training, when nothing modulates z."""
        plain = all(is_identity(layer.modulation) for layer in layers.values())
        return plain and (self.training or torch.is_grad_enabled()) and runs_stack(signal, past)

    def _run_compiled(self, layers: list[Layer], h: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        weights = stack_weights([layer.dilated for layer in layers], [layer.mix for layer in layers])
        nothing = h.new_zeros(h.shape[0], 0, h.shape[-1])
        dilations = [layer.dilation for layer in layers]
        _, skips, past = run_skip_stack(h, nothing, past, weights, dilations, "gated", summed=False)
        return skips, past

    def described(self) -> Architecture:
        """See `Net.described`."""
        layers = []
        for name, layer in self.layers.items():
            assert isinstance(layer, Layer)
            path, own = f"layers.{name}", self.modulations.state_names(name)
            channels = layer.mix.in_channels
            layers.append(
                SkipLayer(
                    convolution=describe_convolution(f"{path}.dilated", layer.dilated),
                    activation="gated",
                    residual=describe_convolution(f"{path}.mix", layer.mix),
                    modulation=describe_modulation(f"{path}.modulation", layer.modulation, channels, own),
                )
            )
        contexts = tuple(name for name in self.state_names if name.startswith("past_"))
        head = describe_convolution("output", self.output)
        stack = SkipStack(tuple(layers), head, skips="concatenate", state=contexts)
        return self.describe_layers(stack, controls_at="modulation")

    @torch.no_grad()
    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: the modulation of z is folded into M and o; a gated unit remains."""
        net = self.without_knobs()
        columns, bias = list(net.output.weight.chunk(len(net.layers), dim=1)), net.output.bias
        assert bias is not None
        for index, layer in enumerate(net.layers.values()):
            assert isinstance(layer, Layer)
            constant = layer.hold(controls)
            if isinstance(constant, Affine):
                columns[index], bias = fold_into_next(constant, columns[index], bias)
        net.output.weight, net.output.bias = nn.Parameter(torch.cat(columns, dim=1)), nn.Parameter(bias)
        return net


class GCN(EffectModel):
    """Trains a `GCNNet`."""

    net_class = GCNNet
