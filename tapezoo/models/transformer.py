"""Transformer: causal attention over a window of frames of the signal."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture
from tapezoo.data.batch import Batch
from tapezoo.layers.affine import Affine, fold_into_next
from tapezoo.layers.conditioning import FiLM, conditioner
from tapezoo.layers.windowed_attention import windowed_attention
from tapezoo.models.arguments import (
    DEEPEST,
    LONGEST_SAMPLES,
    WIDEST,
    ModelArgumentError,
    require_reach,
    require_whole,
)
from tapezoo.models.modulation import Modulations, hold_conditioner, require_conditioning
from tapezoo.net import Net, State, UndescribableError
from tapezoo.training.aim import Progress
from tapezoo.training.effect import EffectModel

WIDER = 4  # units of the feed-forward part per channel, as in the paper


class TransformerBlock(nn.Module):
    """`a = h + W_o Attention(W_qkv u)`, `u = modulation(h, controls)`; then `a + W_2 gelu(W_1 a)`."""

    def __init__(self, num_controls: int, channels: int, heads: int, window: int, conditioning: str) -> None:
        super().__init__()
        self.modulation = conditioner(conditioning, num_controls, channels)
        self.attend = nn.Linear(channels, 3 * channels)  # W_qkv
        self.distances = nn.Parameter(torch.zeros(heads, window))
        self.leave = nn.Linear(channels, channels)  # W_o
        self.widen = nn.Linear(channels, WIDER * channels)  # W_1
        self.narrow = nn.Linear(WIDER * channels, channels)  # W_2

    def forward(self, h: Tensor, controls: Tensor, past: Tensor, own: State) -> tuple[Tensor, Tensor, State]:
        """(h, past, the modulation's own state) from h (batch, frames, channels)."""
        u, own = self.modulation(h.transpose(1, 2), controls, own)
        q, k, v = self.attend(u.transpose(1, 2)).chunk(3, dim=-1)
        y, past = windowed_attention(q, k, v, past, self.distances)
        a = h + self.leave(y)
        return a + self.narrow(nn.functional.gelu(self.widen(a))), past, own

    @torch.no_grad()
    def hold(self, controls: Tensor) -> None:
        """Fixes the controls; what is affine of the modulation is folded into W_qkv."""
        self.modulation = hold_conditioner(self.modulation, controls)
        if isinstance(self.modulation, Affine):
            weight, bias = fold_into_next(self.modulation, self.attend.weight, self.attend.bias)
            self.attend.weight, self.attend.bias = nn.Parameter(weight), nn.Parameter(bias)
            self.modulation = FiLM(0, self.attend.in_features)


class TransformerNet(Net):
    """`h[m] = E (frame m - 1, frame m) + e`; P blocks of attention; `frame m of the output = U h[m] + c`.

    Vaswani et al., "Attention is all you need", NeurIPS 2017, its decoder alone: causal attention of several heads,
    then two layers for every frame by itself, each added to what it was made from. Its window is bounded (Beltagy,
    Peters, Cohan, "Longformer", 2020): a frame attends to the last W frames of its layer, itself included, whose keys
    and values are the state. Positions are trained biases for every distance (`windowed_attention`).

    A token is a frame of T samples, seen with the frame before it. Attention takes 2 W d products per token and block,
    all else 12 d^2. With single samples as tokens, 6 d of them (192, 4 ms at 44.1 kHz) would already double the work,
    and a compressor remembers for hundreds of milliseconds. The price: each of the T samples has weights of its own in
    E and U, so one nonlinearity is learned T times over, a signal shifted by less than a frame is processed slightly
    differently, and an output hears the samples after it in its frame.

    There is no layer normalisation: it would take from every frame its level, on which tape and compressors depend.

    Receptive field: `T (P (W - 1) + 2)`. Latency: 0, apart from the hop that a host has to gather. Parameters with
    d channels, H heads, K controls: `3 T d + d + T + P (12 d^2 + 9 d + H W)`, and `2 P d (K + 1)` where K > 0; 40080 at
    d = 32, H = 4, P = 3, W = 64, T = 16, K = 0.

    Args:
        num_controls: Number of knobs, given to every block; the value at the end of a frame counts for all of it.
        channels: Of every frame, d, 1 or more; 2 T or more can hold the waveform.
        heads: H, a divisor of `channels`.
        num_blocks: Blocks in series, P, 1 or more.
        window_frames: Frames that a frame attends to, W, 2 or more, and no more than a training row holds.
        hop_samples: Samples of a frame, T, 1 or more; blocks are multiples of it.
        conditioning: Of what is attended: "film", or another of `tapezoo.layers.CONDITIONERS`.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    cannot_keep: ClassVar[dict[str, str]] = {
        "rest": "every sample of a frame has weights of its own: in silence every frame has the same few samples, a "
        "faint tone instead of a constant"
    }

    def __init__(
        self,
        num_controls: int,
        channels: int = 32,
        heads: int = 4,
        num_blocks: int = 3,
        window_frames: int = 64,
        hop_samples: int = 16,
        conditioning: str = "film",
    ) -> None:
        require_whole("channels", channels, 1, WIDEST)
        require_whole("heads", heads, 1, WIDEST)
        if channels % heads:
            divisors = ", ".join(str(n) for n in range(1, channels + 1) if channels % n == 0)
            raise ModelArgumentError("heads", repr(heads), f"a divisor of channels, {channels}: {divisors}")
        require_whole("num_blocks", num_blocks, 1, DEEPEST)
        require_whole("window_frames", window_frames, 2, LONGEST_SAMPLES)
        require_whole("hop_samples", hop_samples, 1, WIDEST)
        receptive_field = hop_samples * (num_blocks * (window_frames - 1) + 2)
        require_reach("window_frames", window_frames, receptive_field)
        require_conditioning(conditioning)
        super().__init__(num_controls, receptive_field)
        self.hop_samples = hop_samples
        self.embed = nn.Linear(2 * hop_samples, channels)  # E
        blocks = [
            TransformerBlock(num_controls, channels, heads, window_frames, conditioning)
            for _ in range(num_blocks)
        ]
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(channels, hop_samples)  # U
        with torch.no_grad():
            for (
                block
            ) in blocks:  # as in GPT-2: what the blocks add together is as large as what one would add
                block.leave.weight.mul_(1 / math.sqrt(2 * num_blocks))
                block.narrow.weight.mul_(1 / math.sqrt(2 * num_blocks))
        self.register_rest("frame", torch.zeros(1, hop_samples))
        self.register_rest("past", torch.zeros(num_blocks, window_frames - 1, 2 * channels))
        layers = ((str(index), block.modulation) for index, block in enumerate(blocks))
        self.modulations = Modulations(self, layers)

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`; samples is a multiple of `hop_samples`."""
        trajectory, new_state = self.smoothed(controls, state, input.shape[-1])
        hop, pasts = self.hop_samples, []
        if trajectory.shape[-1] > 1:
            trajectory = trajectory[..., hop - 1 :: hop]  # as at the end of every frame
        signal = torch.cat([state["frame"], input], dim=-1)
        frames = signal.reshape(input.shape[0], -1, hop)  # (batch, 1 + frames, T)
        h = self.embed(torch.cat([frames[:, :-1], frames[:, 1:]], dim=-1))  # (batch, frames, channels)
        for index, block in enumerate(self.blocks):
            own = self.modulations.own_state(str(index), state)
            h, past, own = block(h, trajectory, state["past"][:, index], own)
            pasts.append(past)
            new_state |= self.modulations.net_state(str(index), own)
        new_state |= {"frame": signal[..., -hop:], "past": torch.stack(pasts, dim=1)}
        return self.head(h).reshape(input.shape), new_state

    def described(self) -> Architecture:
        """See `Net.described`."""
        raise UndescribableError(self, "attention: what is written from descriptions has no layer for it")

    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: what is affine is folded into queries, keys and values."""
        net = self.without_knobs()
        for block in net.modules():
            if isinstance(block, TransformerBlock):
                block.hold(controls)
        return net


class Transformer(EffectModel):
    """Trains a `TransformerNet`."""

    net_class = TransformerNet

    def train_on(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """See `EffectModel.train_on`.

        Raises:
            ModelArgumentError: A window longer than a row of the batch, whose far end would never hear anything.
        """
        window, hop = self.hparams["window_frames"], self.hparams["hop_samples"]
        row = batch.input.shape[-1]
        if window * hop > row:
            raise ModelArgumentError(
                "window_frames",
                found=f"{window} frames of {hop} samples",
                expected=f"at most {row // hop} in a training row of {row} samples, burn-in and segment together",
            )
        return super().train_on(batch, progress)
