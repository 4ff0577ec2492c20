"""SubBand: the signal cut into bands, one small gated net for each, and put together again."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture
from tapezoo.data.batch import Batch
from tapezoo.layers.affine import Scaling
from tapezoo.layers.conditioning import FiLM
from tapezoo.layers.lapped_transform import OVERLAPS, LappedTransform
from tapezoo.models.arguments import (
    DEEPEST,
    INPUT_SCALES,
    LONGEST_SAMPLES,
    WIDEST,
    ModelArgumentError,
    require_number,
    require_one_of,
    require_reach,
    require_whole,
    require_wholes,
)
from tapezoo.net import Net, State, UndescribableError
from tapezoo.training.aim import Progress
from tapezoo.training.effect import EffectModel

MOST_BANDS = 512


class BandLayer(nn.Module):
    """`h + V (tanh(a) sigmoid(FiLM(g + c)))`, `a, g = sum_k W[k] h[m - k d]`, in every band with weights of its own.

    Shape:
        h: (M, rows, frames, C); past: (rows, M, (k - 1) d, C); controls: (rows, K, 1 or frames).
    """

    def __init__(self, num_controls: int, bands: int, channels: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.dilation, self.kernel_size = dilation, kernel_size
        self.enter = nn.Parameter(_uniform(bands, kernel_size * channels, 2 * channels))  # W
        self.opening = nn.Parameter(torch.zeros(bands, 1, 1, channels))  # c
        self.modulation: FiLM | Scaling = FiLM(num_controls, bands * channels)
        self.leave = nn.Parameter(_uniform(bands, channels, channels))  # V

    def forward(self, h: Tensor, controls: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """The features after the layer, and its `past` for the next block."""
        frames = h.shape[2]
        context = torch.cat([past.transpose(0, 1), h], dim=2)
        taps = [
            context[:, :, tap * self.dilation : tap * self.dilation + frames]
            for tap in range(self.kernel_size)
        ]
        a, g = by_band(torch.cat(taps, dim=-1), self.enter).chunk(2, dim=-1)
        gate = torch.sigmoid(self._modulated(g + self.opening, controls))
        return h + by_band(torch.tanh(a) * gate, self.leave), context[:, :, frames:].transpose(0, 1)

    def _modulated(self, g: Tensor, controls: Tensor) -> Tensor:
        if isinstance(self.modulation, FiLM) and self.modulation.affine is None:
            return g
        bands, rows, frames, channels = g.shape
        features = g.permute(1, 0, 3, 2).reshape(rows, bands * channels, frames)
        modulated: Tensor = self.modulation(features, controls, {})[0]
        return modulated.reshape(rows, bands, channels, frames).permute(1, 0, 3, 2)

    @torch.no_grad()
    def hold(self, controls: Tensor) -> None:
        """Fixes the controls: gain and offset are folded into W and c."""
        held = self.modulation.held(controls)
        if isinstance(held, Scaling):
            bands, _, _, channels = self.opening.shape
            gain = held.gain.reshape(bands, 1, channels)
            self.enter[..., channels:] *= gain
            self.opening.copy_(self.opening * gain.unsqueeze(1) + held.offset.reshape(self.opening.shape))
            self.modulation = FiLM(0, bands * channels)


class SubBandNet(Net):
    """`X = bands of x`, `Y[b] = linear path of u[b] + w[b] . net_b(u[b], controls)`, `y = the bands Y together`.

    u[b] is band b and its nearest neighbours, S bands in all. The linear path is a filter of L frames over them, with
    which a net starts at "output = input". `net_b` lifts them to C channels and has D gated layers with dilations
    (van den Oord et al., "WaveNet", 2016), with weights of its own in every band; all bands are computed together. The
    bands are those of a lapped transform (`LappedTransform`).

    All work is done at sample_rate / M, in large products without a loop over samples. The price: what distorts makes
    harmonics in distant bands, and a decimated band folds what lies outside it back into itself, so a net that hears
    its own band alone knows neither where a partial lies nor what its alias is. S = M lets every band hear all.

    The controls modulate the gates. Where the signal enters there are no constants beside it, so silence stays
    silence exactly: a constant in a band would be a tone.

    Latency: N - M samples, M with `overlap` 2 and 3 M with 4, apart from the hop of M that a host has to gather.
    Receptive field: `2 N - M + M max(L - 1, (k - 1) sum of dilations)`. Parameters with K controls:
    `M (S (L + C) + C + D (2 k C^2 + C + C^2))`, and `2 D M C (K + 1)` where K > 0; 39424 at M = S = 16, C = 8, k = 3,
    D = 5, L = 3, K = 0.

    Args:
        num_controls: Number of knobs; the value at the end of a hop counts for all of it.
        bands: M, 2 to 512; also the hop, in samples. Training rows and blocks are multiples of it.
        overlap: Length of the transform's window in hops: 2, less latency; or 4, bands that leak less.
        seen_bands: S, bands that each net sees, its own and the nearest, 1 to `bands`.
        channels: Per band, C, 1 or more.
        kernel_size: Taps of the layers' convolutions, in frames, 2 or more.
        dilations: Of the layers, in frames, each 1 or more; None: 1, 2, 4, 8, 16.
        linear_frames: Taps of the linear path, L, in frames, 1 or more.
        input_scale: Factor on the initial weights of the lift; fresh units hardly bend at 1.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(
        self,
        num_controls: int,
        bands: int = 16,
        overlap: int = 2,
        seen_bands: int = 16,
        channels: int = 8,
        kernel_size: int = 3,
        dilations: list[int] | None = None,
        linear_frames: int = 3,
        input_scale: float = 1.0,
    ) -> None:
        dilations = [1, 2, 4, 8, 16] if dilations is None else dilations
        require_whole("bands", bands, 2, MOST_BANDS)
        require_one_of("overlap", overlap, OVERLAPS)
        require_whole("seen_bands", seen_bands, 1, bands)
        require_whole("channels", channels, 1, WIDEST)
        require_whole("kernel_size", kernel_size, 2, WIDEST)
        require_wholes("dilations", dilations, 1, LONGEST_SAMPLES)
        require_whole("linear_frames", linear_frames, 1, DEEPEST)
        require_number("input_scale", input_scale, *INPUT_SCALES)
        frames = max(linear_frames - 1, (kernel_size - 1) * sum(dilations))
        receptive_field = bands * (overlap + frames + overlap - 1)
        require_reach("dilations", dilations, receptive_field)
        super().__init__(num_controls, receptive_field)
        self.transform = LappedTransform(bands, overlap)
        self.hop_samples, self.latency_samples = bands, self.transform.latency_samples
        self.seen_bands = seen_bands
        self.linear = nn.Parameter(torch.zeros(bands, linear_frames * seen_bands, 1))
        first = (torch.arange(bands) - seen_bands // 2).clamp(0, bands - seen_bands)
        self.register_buffer(
            "seen", (first.unsqueeze(1) + torch.arange(seen_bands)).flatten(), persistent=False
        )
        with torch.no_grad():  # the newest frame of the band itself
            self.linear[
                torch.arange(bands), (linear_frames - 1) * seen_bands + torch.arange(bands) - first
            ] = 1.0
        self.lift = nn.Parameter(input_scale * _uniform(bands, seen_bands, channels))
        layers = [BandLayer(num_controls, bands, channels, kernel_size, each) for each in dilations]
        self.layers = nn.ModuleList(layers)
        self.head = nn.Parameter(0.1 * _uniform(bands, channels, 1))
        self.register_rest("past", self.transform.past)
        self.register_rest("tail", self.transform.tail)
        self.register_rest("seen_past", torch.zeros(linear_frames - 1, bands))
        for index, layer in enumerate(layers):
            reach = (kernel_size - 1) * layer.dilation
            self.register_rest(f"layer_{index}", torch.zeros(bands, reach, channels))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`; samples is a multiple of `hop_samples`."""
        trajectory, new_state = self.smoothed(controls, state, input.shape[-1])
        if trajectory.shape[-1] != 1:  # moving, or in a graph being traced
            trajectory = trajectory[
                ..., self.hop_samples - 1 :: self.hop_samples
            ]  # as at the end of every hop
        bands, past = self.transform.analyse(input, state["past"])
        frames, delayed = bands.shape[1], state["seen_past"].shape[1]
        context = torch.cat([state["seen_past"], bands], dim=1)
        seen = context.index_select(2, self.get_buffer("seen"))
        seen = seen.reshape(*context.shape[:2], -1, self.seen_bands).permute(
            2, 0, 1, 3
        )  # (M, rows, frames, S)
        taps = [seen[:, :, tap : tap + frames] for tap in range(delayed + 1)]
        output = by_band(torch.cat(taps, dim=-1), self.linear)
        h = by_band(seen[:, :, delayed:], self.lift)
        for index, layer in enumerate(self.layers):
            h, new_state[f"layer_{index}"] = layer(h, trajectory, state[f"layer_{index}"])
        output = (output + by_band(h, self.head)).squeeze(-1).permute(1, 2, 0)  # (rows, frames, M)
        signal, tail = self.transform.synthesise(output, state["tail"])
        return signal, {**new_state, "past": past, "tail": tail, "seen_past": context[:, frames:]}

    def described(self) -> Architecture:
        """See `Net.described`."""
        raise UndescribableError(
            self, "bands: what is written from descriptions has no layer that cuts into them"
        )

    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: folded into what opens the gates."""
        net = self.without_knobs()
        for layer in net.modules():
            if isinstance(layer, BandLayer):
                layer.hold(controls)
        return net


class SubBand(EffectModel):
    """Trains a `SubBandNet`."""

    net_class = SubBandNet

    def train_on(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """See `EffectModel.train_on`.

        Raises:
            ModelArgumentError: A row of the batch that is no whole number of hops.
        """
        row, bands = batch.input.shape[-1], self.hparams["bands"]
        if row % bands:
            possible = ", ".join(str(n) for n in range(2, min(row, MOST_BANDS) + 1) if row % n == 0)
            raise ModelArgumentError(
                "bands",
                found=f"{bands}, which does not divide a training row of {row} samples, burn-in and segment together",
                expected=f"one of {possible or 'no number, with such rows'}; or other data.segment_samples",
            )
        return super().train_on(batch, progress)


def by_band(features: Tensor, weights: Tensor) -> Tensor:
    """(M, rows, frames, in) times (M, in, out): every band with its own weights."""
    bands, rows, frames, _ = features.shape
    return torch.bmm(features.flatten(1, 2), weights).reshape(bands, rows, frames, weights.shape[-1])


def _uniform(bands: int, inputs: int, outputs: int) -> Tensor:
    """Fresh weights as in torch's linear layers."""
    return (torch.rand(bands, inputs, outputs) * 2 - 1) / math.sqrt(inputs)
