"""WaveNet: stacked dilated causal convolutions with residual and skip connections."""

from __future__ import annotations

from itertools import groupby
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from tapezoo.architecture import LEAK, Architecture, SkipLayer, SkipStack
from tapezoo.layers.activations import fast_tanh
from tapezoo.layers.conditioning import conditioner
from tapezoo.layers.convolution import causal_convolution, convolution
from tapezoo.layers.described import describe_convolution, describe_modulation
from tapezoo.layers.skip_stack import run_skip_stack, runs_stack, stack_weights
from tapezoo.models.arguments import (
    LONGEST_SAMPLES,
    WIDEST,
    ModelArgumentError,
    require_factor,
    require_one_of,
    require_reach,
    require_whole,
    require_wholes,
)
from tapezoo.models.modulation import Modulations, hold_conditioner, is_identity, require_conditioning
from tapezoo.net import Net, State
from tapezoo.training.effect import EffectModel

Activation = Literal["tanh", "gated", "leaky_relu"]
HEAD_PAST = "past_head"  # in the state: the sums of z before the block, if the last head has several taps
NATIVE = "concat"  # the controls accompany the raw input, which every layer receives
NAM_DILATIONS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]


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


def read_kernel_sizes(kernel_size: int | list[int], dilations: list[int]) -> list[int]:
    """One number of taps for each dilation.

    Raises:
        ModelArgumentError: They are out of their range, or not as many as the dilations.
    """
    if not isinstance(kernel_size, list):
        require_whole("kernel_size", kernel_size, 2, WIDEST)
        return [kernel_size] * len(dilations)
    require_wholes("kernel_size", kernel_size, 2, WIDEST)
    if len(kernel_size) != len(dilations):
        raise ModelArgumentError(
            "kernel_size",
            found=f"{len(kernel_size)} numbers",
            expected=f"one number, or as many as model.dilations has, {len(dilations)}",
        )
    return kernel_size


def name_parts(count: int) -> list[str]:
    """Names of stacked parts: "0", "1", ..., "last", so that the last part has the same name at every depth."""
    return [*map(str, range(count - 1)), "last"]


class WaveNetNet(Net):
    """`z_l = f(W_l * y_l + b_l + V_l c)`, `y_{l+1} = y_l + R_l z_l + r_l`, output `= scale H(sum_l z_l)`.

    `*` is a causal convolution with dilation, `c = (x, controls)` the raw input and the knobs, `f` tanh, a leaky
    rectifier or the gated `tanh(u_1) sigmoid(u_2)`. Layers of one width form an array. It starts with a 1x1 `y = E y`
    from the previous width. Its head H is a 1x1 that maps the sum of z to the width of the next array, whose own sum
    starts from the result; the last head gives the output, and may have several taps.

    Damskägg, Juvela, Thuillier, Välimäki, "Deep learning for tube amplifier emulation", ICASSP 2019. The
    paper's post-processing gives every layer its own mixing weights; summing first is from Neural Amp
    Modeler (Atkinson), whose "standard" shape is the default here, and whose two "A2" shapes are
    `recipes/wavenet/a2-lite.yaml` and `a2-full.yaml`. NAM's scale is a constant, no parameter.

    In the paper's conditioning, "concat", the default, c contains the controls: through V they shift every layer's u.
    The other conditioners take the knobs out of c and follow f in every layer, so that z is modulated both on its way
    to the head and to the next layer, like FiLM in the same group's gated nets (see `GCNNet`).

    Receptive field: `head_taps + sum (kernel_size - 1) dilation` over all layers, with "temporal_film" unbounded.
    Latency: 0. Parameters with "concat" of an array of L layers, width C from C' with head width O, K controls, k
    taps, G = 2 C if gated, else C, a head of T taps (in all arrays but the last one 1):
    `C' C + L (G C k + G + G (1 + K) + C^2 + C) + C O T`, and 1 for the bias of the last head. The default
    has 13 801 at K = 0, of which 72 are dead: nothing follows the last layer's y.

    Args:
        num_controls: Number of knobs, K.
        channels: Width of each array of layers; None: 16, 8.
        dilations: Of the layers of each array, in samples; None: 1, 2, 4, ..., 512.
        kernel_size: Taps of each convolution, k, 2 or more; or a list, one for each of the dilations.
        activation: "tanh"; "leaky_relu", of slope .01 below 0; or "gated" as in the paper: twice the convolution's
            channels.
        head_scale: Factor on the output, not 0.
        head_taps: Taps of the last head, 1 or more.
        conditioning: "concat", the paper's and Neural Amp Modeler's, or another of `tapezoo.layers.CONDITIONERS`.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    dead_parameters: ClassVar[dict[str, str]] = {
        f"arrays.last.layers.last.residual.{name}": "the last layer's y is not used; kept to match NAM"
        for name in ("weight", "bias")
    }

    def __init__(
        self,
        num_controls: int,
        channels: list[int] | None = None,
        dilations: list[int] | None = None,
        kernel_size: int | list[int] = 3,
        activation: Activation = "tanh",
        head_scale: float = 0.02,
        conditioning: str = NATIVE,
        head_taps: int = 1,
    ) -> None:
        channels = [16, 8] if channels is None else channels
        dilations = NAM_DILATIONS if dilations is None else dilations
        require_wholes("channels", channels, 1, WIDEST)
        require_wholes("dilations", dilations, 1, LONGEST_SAMPLES)
        kernel_sizes = read_kernel_sizes(kernel_size, dilations)
        require_one_of("activation", activation, get_args(Activation))
        require_factor("head_scale", head_scale)
        require_conditioning(conditioning)
        require_whole("head_taps", head_taps, 1, WIDEST)
        past_samples = sum(
            (taps - 1) * dilation for taps, dilation in zip(kernel_sizes, dilations, strict=True)
        )
        receptive_field = head_taps + len(channels) * past_samples
        require_reach("dilations", dilations, receptive_field)
        super().__init__(num_controls, receptive_field)
        self.head_scale = head_scale
        self.layer_names = name_parts(len(dilations))
        self.arrays, layers = nn.ModuleDict(), []
        for index, name in enumerate(name_parts(len(channels))):
            last = name == "last"
            array = Array(
                in_channels=channels[index - 1] if index else 1,
                num_controls=num_controls,
                channels=channels[index],
                head_channels=1 if last else channels[index + 1],
                head_taps=head_taps if last else 1,
                head_bias=last,
                kernel_sizes=kernel_sizes,
                dilations=dilations,
                activation=activation,
                conditioning=conditioning,
            )
            self.arrays[name] = array
            self.register_rest(f"past_{name}", torch.zeros(channels[index], past_samples))
            layers += [(f"{name}_{layer}", modulation) for layer, modulation in array.conditioners]
        if head_taps > 1:
            self.register_rest(HEAD_PAST, torch.zeros(channels[-1], head_taps - 1))
        self.modulations = Modulations(self, layers)

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        trajectory, after = self.smoothed(controls, state, input.shape[-1])
        y, head = input, None
        for name, array in self.arrays.items():
            assert isinstance(array, Array)
            labels = [f"{name}_{layer}" for layer in self.layer_names]
            owns = [self.modulations.own_state(label, state) for label in labels]
            y, head, after[f"past_{name}"], owns = array(
                y, head, input, trajectory, state[f"past_{name}"], owns
            )
            for label, own in zip(labels, owns, strict=True):
                after |= self.modulations.net_state(label, own)
            if array.head.kernel_size[0] == 1:
                head = convolution(head, array.head.weight, array.head.bias)
            else:
                head, after[HEAD_PAST] = causal_convolution(
                    head, state[HEAD_PAST], array.head.weight, array.head.bias
                )
        assert head is not None
        return self.head_scale * head, after

    def described(self) -> Architecture:
        """See `Net.described`."""
        beside_input = any(layer.mix.in_channels > 1 for layer in self.modules() if isinstance(layer, Layer))
        return self.describe_layers(
            *(self._describe_array(name) for name in self.arrays),
            controls_at="input" if beside_input else "modulation",
            scale=self.head_scale,
        )

    def _describe_array(self, name: str) -> SkipStack:
        array, prefix, layers = self.arrays[name], f"arrays.{name}", []
        assert isinstance(array, Array)
        for layer_name, layer in array.layers.items():
            assert isinstance(layer, Layer)
            path, own = f"{prefix}.layers.{layer_name}", self.modulations.state_names(f"{name}_{layer_name}")
            channels = layer.residual.in_channels
            layers.append(
                SkipLayer(
                    convolution=describe_convolution(f"{path}.dilated", layer.dilated),
                    activation=layer.activation,
                    residual=describe_convolution(f"{path}.residual", layer.residual),
                    mix=describe_convolution(f"{path}.mix", layer.mix),
                    modulation=describe_modulation(f"{path}.modulation", layer.modulation, channels, own),
                )
            )
        return SkipStack(
            layers=tuple(layers),
            head=describe_convolution(
                f"{prefix}.head", array.head, HEAD_PAST if array.head.kernel_size[0] > 1 else None
            ),
            skips="sum",
            state=(f"past_{name}",),
            widen=describe_convolution(f"{prefix}.widen", array.widen),
        )

    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: "concat" goes into the biases; otherwise z keeps them, as the head takes the sum of z."""
        net = self.without_knobs()
        for layer in net.modules():
            if isinstance(layer, Layer):
                layer.hold(controls)
        return net


class WaveNet(EffectModel):
    """Trains a `WaveNetNet`; the defaults are Neural Amp Modeler's "standard" shape."""

    net_class = WaveNetNet
