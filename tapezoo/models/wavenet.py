"""WaveNet: stacked dilated causal convolutions with residual and skip connections."""

from __future__ import annotations

from typing import ClassVar, get_args

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture, SkipLayer, SkipStack
from tapezoo.layers.convolution import causal_convolution, convolution
from tapezoo.layers.described import describe_convolution, describe_modulation
from tapezoo.models.arguments import (
    INPUT_SCALES,
    LONGEST_SAMPLES,
    WIDEST,
    ModelArgumentError,
    require_factor,
    require_number,
    require_one_of,
    require_reach,
    require_whole,
    require_wholes,
)
from tapezoo.models.modulation import Modulations, require_conditioning
from tapezoo.models.wavenet_arrays import NATIVE, Activation, Array, Layer, name_parts
from tapezoo.net import Net, State
from tapezoo.training.effect import EffectModel

HEAD_PAST = "past_head"  # in the state: the sums of z before the block, if the last head has several taps
NAM_DILATIONS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]


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
        input_scale: Factor on the weights of the signal (in the first E, and in V) at the start of training, 0.01 to
            1000: how loud it is for fresh layers, which are nearly linear at low levels.
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
        input_scale: float = 1.0,
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
        require_number("input_scale", input_scale, *INPUT_SCALES)
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
        with torch.no_grad():
            self.arrays[name_parts(len(channels))[0]].get_parameter("widen.weight").mul_(input_scale)
            for mix in (layer.mix for layer in self.modules() if isinstance(layer, Layer)):
                mix.weight[:, 0] *= input_scale
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
