"""Architectures as anyone would write them first, from torch.nn alone: what the benchmarks compare with."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Recurrent(nn.Module):
    """A recurrent layer of 32 units, a linear layer, the input added (Wright et al. 2019)."""

    def __init__(self, layer: type[nn.LSTM] | type[nn.GRU]) -> None:
        super().__init__()
        self.layer, self.head = layer(1, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, input: Tensor) -> Tensor:
        """(batch, 1, samples) in and out."""
        return self.head(self.layer(input.transpose(1, 2))[0]).transpose(1, 2) + input


class Layer(nn.Module):
    """A dilated causal convolution with the input mixed in, tanh, and a 1x1 back into the residual."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, dilation=dilation)
        self.mix, self.out = nn.Conv1d(1, channels, 1, bias=False), nn.Conv1d(channels, channels, 1)
        self.left = 2 * dilation

    def forward(self, features: Tensor, input: Tensor) -> tuple[Tensor, Tensor]:
        """The residual, and the layer's part of the head."""
        past = nn.functional.pad(features, (self.left, 0))
        activated = torch.tanh(self.conv(past) + self.mix(input))
        return features + self.out(activated), activated


class PlainWaveNet(nn.Module):
    """Two arrays of ten layers with 16 and 8 channels, nn.Conv1d on a signal padded with zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.rechannel = nn.ModuleList([nn.Conv1d(1, 16, 1, bias=False), nn.Conv1d(16, 8, 1, bias=False)])
        self.arrays = nn.ModuleList(
            nn.ModuleList(Layer(channels, 2**power) for power in range(10)) for channels in (16, 8)
        )
        self.heads = nn.ModuleList([nn.Conv1d(16, 8, 1, bias=False), nn.Conv1d(8, 1, 1)])

    def forward(self, input: Tensor) -> Tensor:
        """(batch, 1, samples) in and out."""
        features, skip = input, torch.zeros(())
        for rechannel, layers, head in zip(self.rechannel, self.arrays, self.heads, strict=True):
            features = rechannel(features)
            for layer in layers:
                features, part = layer(features, input)
                skip = skip + part
            skip = head(skip)
        return 0.02 * skip


TEXTBOOK = {
    "LSTM": lambda: Recurrent(nn.LSTM),
    "GRU": lambda: Recurrent(nn.GRU),
    "WaveNet": PlainWaveNet,
}
