"""WaveUNet: a waveform U-Net, which looks at the signal at rates that halve, and joins them again."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture
from tapezoo.data.batch import Batch
from tapezoo.layers.affine import Affine, fold_into_previous
from tapezoo.layers.conditioner import Conditioner
from tapezoo.layers.conditioning import FiLM, conditioner
from tapezoo.layers.convolution import causal_convolution, convolution
from tapezoo.models.arguments import (
    INPUT_SCALES,
    WIDEST,
    ModelArgumentError,
    require_number,
    require_reach,
    require_whole,
)
from tapezoo.models.modulation import Modulations, hold_conditioner, require_conditioning
from tapezoo.net import Net, State, UndescribableError
from tapezoo.training.aim import Progress
from tapezoo.training.effect import EffectModel

SLOPE = 0.2  # of the rectifier below 0, as in the paper's code
MOST_LEVELS = 16  # a hop of 65536 samples


class Layer(nn.Module):
    """`leaky_relu(modulation(W * h))` at one rate."""

    def __init__(
        self, num_controls: int, in_channels: int, channels: int, taps: int, conditioning: str
    ) -> None:
        super().__init__()
        self.filter = nn.Conv1d(in_channels, channels, taps)  # W
        self.modulation = conditioner(conditioning, num_controls, channels)

    def forward(self, h: Tensor, controls: Tensor, past: Tensor, own: State) -> tuple[Tensor, Tensor, State]:
        """(features, past, the modulation's own state) from h (batch, in_channels, samples at its rate)."""
        u, past = causal_convolution(h, past, self.filter.weight, self.filter.bias)
        u, own = self.modulation(u, controls, own)
        return nn.functional.leaky_relu(u, SLOPE), past, own

    @torch.no_grad()
    def hold(self, controls: Tensor) -> None:
        """Fixes the controls; what is affine of the modulation is folded into W."""
        self.modulation = hold_conditioner(self.modulation, controls)
        if isinstance(self.modulation, Affine):
            weight, bias = fold_into_previous(self.modulation, self.filter.weight, self.filter.bias)
            assert bias is not None
            self.filter.weight, self.filter.bias = nn.Parameter(weight), nn.Parameter(bias)
            self.modulation = FiLM(0, self.filter.out_channels)


class WaveUNetNet(Net):
    """`s_l = f(D_l * h_l)`, `h_{l+1}` every second sample of it; `b = f(D_L * h_L)`; `b = f(U_l * (b twice, s_l))`.

    Level l runs at the sample rate over 2^l: down from l = 0 to L - 1, then up again. "b twice"
    repeats each of its samples, `f` is a leaky rectifier after the modulation. The last layer is `o . (b, x) + o_0`.

    Stoller, Ewert, Dixon, "Wave-U-Net: a multi-scale neural network for end-to-end audio source separation", ISMIR
    2018, from which the widths are: level l has (l + 1) C channels. Two departures. Where the rate is doubled the
    paper interpolates; here each sample is repeated, since the convolution that follows learns the interpolation. And
    the paper's convolutions are symmetric and cropped. Here they hear the past alone, and what is joined on the way up,
    s_l and x, is delayed instead, so that blocks of whole hops give what one pass gives.

    The lookahead T, `lookahead_samples`, is spent from the outermost level inwards, up to the middle of each
    convolution, as far as it goes: with `p = (k - 1) // 2` and `q = (k_up - 1) // 2` the delay of s_l is
    `max(0, T - (p + q)(2^{l+1} - 1)) // 2^l` of its samples. The paper's symmetric net has
    `T = (p + q)(2^L - 1) + 2^L p`. Within a hop an output hears the samples after it for nothing, since a host has
    to gather the hop anyway: it waits `T + 2^L - 1` samples in all. The price of the halved rates: a signal shifted
    by less than a hop is processed slightly differently.

    Receptive field: `1 + (k - 1)(2^{L+1} - 1) + (k_up - 1)(2^L - 1)`, with "temporal_film" unbounded. Latency: T.
    Parameters with c_l = (l + 1) C, c_{-1} = 1 and K controls: the sum over l = 0 to L of `k c_{l-1} c_l + c_l`, that
    over l = 0 to L - 1 of `k_up (c_l + c_{l+1}) c_l + c_l`, C + 2; and where K > 0 `2 (K + 1)` for every channel of a
    convolution, `C (L + 1)^2` of them. 31 626 at C = 8, L = 4, k = 7, k_up = 3, K = 0.

    Args:
        num_controls: Number of knobs, given to every convolution; the value at the end of each of a level's samples
            counts for all of it.
        channels: Of level 0, C, 1 or more.
        num_levels: Times that the rate is halved, L, 1 to 16; the hop is 2^L samples.
        kernel_size: Taps of the convolutions on the way down and at the bottom, k, 2 or more.
        up_kernel_size: Taps of those on the way up, k_up, 2 or more.
        lookahead_samples: Samples that the output hears ahead and is late by, T, 0 to the receptive field - 1.
        conditioning: "film", or another of `tapezoo.layers.CONDITIONERS`: how the controls act on every convolution.
        input_scale: Factor on the fresh weights of D_0, 0.01 to 1000. Beside the biases, quiet signals are small: the
            rectifiers then hardly bend them.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(
        self,
        num_controls: int,
        channels: int = 8,
        num_levels: int = 4,
        kernel_size: int = 7,
        up_kernel_size: int = 3,
        lookahead_samples: int = 0,
        conditioning: str = "film",
        input_scale: float = 1.0,
    ) -> None:
        require_whole("channels", channels, 1, WIDEST)
        require_whole("num_levels", num_levels, 1, MOST_LEVELS)
        require_whole("kernel_size", kernel_size, 2, WIDEST)
        require_whole("up_kernel_size", up_kernel_size, 2, WIDEST)
        receptive_field = (
            1 + (kernel_size - 1) * (2 ** (num_levels + 1) - 1) + (up_kernel_size - 1) * (2**num_levels - 1)
        )
        require_reach("num_levels", num_levels, receptive_field)
        require_whole("lookahead_samples", lookahead_samples, 0, receptive_field - 1)
        require_conditioning(conditioning)
        require_number("input_scale", input_scale, *INPUT_SCALES)
        super().__init__(num_controls, receptive_field)
        self.hop_samples = 2**num_levels
        self.latency_samples = lookahead_samples
        widths = [(level + 1) * channels for level in range(num_levels + 1)]
        inner = (kernel_size - 1) // 2 + (up_kernel_size - 1) // 2
        self.delays = [
            max(0, lookahead_samples - inner * (2 ** (level + 1) - 1)) // 2**level
            for level in range(num_levels)
        ]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        layers: list[tuple[str, Conditioner]] = []
        for level, width in enumerate(widths):  # the last one is the bottom
            narrower = widths[level - 1] if level else 1
            layer = Layer(num_controls, narrower, width, kernel_size, conditioning)
            self.down.append(layer)
            self.register_rest(f"past_down_{level}", torch.zeros(narrower, kernel_size - 1))
            layers.append((f"down_{level}", layer.modulation))
        with torch.no_grad():
            self.down[0].get_parameter("filter.weight").mul_(input_scale)
        for level, delay in enumerate(self.delays):
            joined = widths[level] + widths[level + 1]
            layer = Layer(num_controls, joined, widths[level], up_kernel_size, conditioning)
            self.up.append(layer)
            self.register_rest(f"past_up_{level}", torch.zeros(joined, up_kernel_size - 1))
            layers.append((f"up_{level}", layer.modulation))
            if delay:
                self.register_rest(f"past_skip_{level}", torch.zeros(widths[level], delay))
        if lookahead_samples:
            self.register_rest("past_input", torch.zeros(1, lookahead_samples))
        self.output = nn.Conv1d(channels + 1, 1, 1)  # o
        self.modulations = Modulations(self, layers)

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`; samples is a multiple of `hop_samples`."""
        trajectory, after = self.smoothed(controls, state, input.shape[-1])
        paths = [_at_level(trajectory, level) for level in range(len(self.down))]
        skips: list[Tensor] = []
        h = input
        for level, path in enumerate(paths):
            h = self._run("down", level, h, path, state, after)
            if level < len(self.up):
                skips.append(_delayed(f"past_skip_{level}", h, state, after))
                h = h[..., 1::2]
        for level in reversed(range(len(self.up))):
            twice = torch.stack([h, h], dim=-1).flatten(2)
            h = self._run("up", level, torch.cat([twice, skips[level]], dim=1), paths[level], state, after)
        joined = torch.cat([h, _delayed("past_input", input, state, after)], dim=1)
        return convolution(joined, self.output.weight, self.output.bias), after

    def _run(self, way: str, level: int, h: Tensor, path: Tensor, state: State, after: State) -> Tensor:
        """Runs one layer; what it remembers is added to `after`."""
        layer = self.down[level] if way == "down" else self.up[level]
        label = f"{way}_{level}"
        own = self.modulations.own_state(label, state)
        features: Tensor
        features, after[f"past_{label}"], own = layer(h, path, state[f"past_{label}"], own)
        after |= self.modulations.net_state(label, own)
        return features

    def described(self) -> Architecture:
        """See `Net.described`."""
        raise UndescribableError(
            self,
            "levels at several sample rates: what is written from descriptions has one rate for all layers",
        )

    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: what is affine is folded into the convolutions; a gated unit remains."""
        net = self.without_knobs()
        for layer in net.modules():
            if isinstance(layer, Layer):
                layer.hold(controls)
        return net


def _at_level(trajectory: Tensor, level: int) -> Tensor:
    """The path of the controls at the end of each sample of a level."""
    return trajectory[..., 2**level - 1 :: 2**level] if trajectory.shape[-1] > 1 else trajectory


def _delayed(name: str, signal: Tensor, state: State, after: State) -> Tensor:
    """The signal, as late as the state `name` is long; it is not late where there is none."""
    if name not in state:
        return signal
    whole = torch.cat([state[name], signal], dim=-1)
    delay = int(state[name].shape[-1])  # int: a constant in exported graphs
    after[name] = whole[..., -delay:]
    return whole[..., :-delay]


class WaveUNet(EffectModel):
    """Trains a `WaveUNetNet`."""

    net_class = WaveUNetNet

    def train_on(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """See `EffectModel.train_on`.

        Raises:
            ModelArgumentError: A hop that does not divide a row of the batch, or a receptive field longer than it.
        """
        net, row = self.net, batch.input.shape[-1]
        if row % net.hop_samples:
            most = (row & -row).bit_length() - 1
            raise ModelArgumentError(
                "num_levels",
                found=f"{self.hparams['num_levels']}, a hop of {net.hop_samples} samples, which does not divide a "
                f"training row of {row} samples, burn-in and segment together",
                expected=f"at most {most} levels, or a segment whose row is a multiple of {net.hop_samples} samples",
            )
        if net.receptive_field is not None and net.receptive_field > row:
            raise ModelArgumentError(
                "num_levels",
                found=f"{self.hparams['num_levels']} with {self.hparams['kernel_size']} and "
                f"{self.hparams['up_kernel_size']} taps, a receptive field of {net.receptive_field} samples",
                expected=f"at most {row} samples, a training row, burn-in and segment together: fewer levels or taps",
            )
        return super().train_on(batch, progress)
