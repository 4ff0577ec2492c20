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


class PlainTCN(nn.Module):
    """Four blocks of 32 channels, 5 taps, dilation times 10, a PReLU and a weighted residual each."""

    def __init__(self) -> None:
        super().__init__()
        widths, self.dilations = (1, 32, 32, 32), (1, 10, 100, 1000)
        pairs = list(zip(widths, self.dilations, strict=True))
        self.convolutions = nn.ModuleList(nn.Conv1d(width, 32, 5, dilation=step) for width, step in pairs)
        self.activations = nn.ModuleList(nn.PReLU(32) for _ in pairs)
        self.residuals = nn.ModuleList(nn.Conv1d(width, 32, 1, groups=width, bias=False) for width in widths)
        self.output = nn.Conv1d(32, 1, 1)

    def forward(self, input: Tensor) -> Tensor:
        """(batch, 1, samples) in and out."""
        features = input
        parts = zip(self.convolutions, self.activations, self.residuals, self.dilations, strict=True)
        for convolution, activation, residual, dilation in parts:
            past = nn.functional.pad(features, (4 * dilation, 0))
            features = activation(convolution(past)) + residual(features)
        return torch.tanh(self.output(features))


class PlainGCN(nn.Module):
    """Ten gated layers of 16 channels, 3 taps, all of them mixed into the output."""

    def __init__(self) -> None:
        super().__init__()
        self.dilated = nn.ModuleList(
            nn.Conv1d(16 if power else 1, 32, 3, dilation=2**power) for power in range(10)
        )
        self.mixes = nn.ModuleList(nn.Conv1d(16, 16, 1) for _ in range(10))
        self.output = nn.Conv1d(160, 1, 1)

    def forward(self, input: Tensor) -> Tensor:
        """(batch, 1, samples) in and out."""
        features, skips = input, []
        for power, (dilated, mix) in enumerate(zip(self.dilated, self.mixes, strict=True)):
            filter, gate = dilated(nn.functional.pad(features, (2 * 2**power, 0))).chunk(2, dim=1)
            skips.append(torch.tanh(filter) * torch.sigmoid(gate))
            features = features + mix(skips[-1])
        return self.output(torch.cat(skips, dim=1))


class PlainS4D(nn.Module):
    """Four blocks of 16 channels and 4 conjugate pairs, kernels made in full and applied by FFT (Gu et al. 2022)."""

    def __init__(self) -> None:
        super().__init__()
        self.lift, self.head = nn.Conv1d(1, 16, 1), nn.Conv1d(16, 1, 1)
        self.mixes = nn.ModuleList(nn.Conv1d(16, 16, 1) for _ in range(4))
        self.log_dt = nn.Parameter(torch.linspace(-6.2, -1.4, 16).repeat(4, 1))
        self.log_decay = nn.Parameter(torch.full((4, 16, 4), -0.69))
        self.frequency = nn.Parameter(3.14 * torch.arange(4.0).repeat(4, 16, 1))
        self.C, self.D = nn.Parameter(torch.randn(4, 16, 4, 2)), nn.Parameter(torch.randn(4, 16))

    def forward(self, input: Tensor) -> Tensor:
        """(batch, 1, samples) in and out."""
        samples, features = input.shape[-1], self.lift(input)
        A = torch.complex(-self.log_decay.exp(), self.frequency)
        dt_A = A * self.log_dt.exp().unsqueeze(-1)
        C = torch.view_as_complex(self.C) * (dt_A.exp() - 1) / A
        powers = torch.exp(dt_A.unsqueeze(-1) * torch.arange(samples))
        kernels = 2 * torch.einsum("bcn,bcnt->bct", C, powers).real
        for block, mix in enumerate(self.mixes):
            signal = torch.tanh(mix(features))
            spectrum = torch.fft.rfft(signal, 2 * samples) * torch.fft.rfft(kernels[block], 2 * samples)
            filtered = torch.fft.irfft(spectrum, 2 * samples)[..., :samples]
            features = features + torch.tanh(filtered + self.D[block].unsqueeze(-1) * signal)
        return self.head(features)


TEXTBOOK = {
    "LSTM": lambda: Recurrent(nn.LSTM),
    "GRU": lambda: Recurrent(nn.GRU),
    "WaveNet": PlainWaveNet,
    "TCN": PlainTCN,
    "GCN": PlainGCN,
    "S4D": PlainS4D,
}
