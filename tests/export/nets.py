"""Small nets with the faults and shapes the export has to deal with."""

import numpy as np
import torch
from torch import nn

from tapezoo.controls import Control
from tapezoo.export.targets.target import TRACED_ROWS
from tapezoo.models.fir import FIRNet
from tapezoo.models.lstm import LSTMNet
from tapezoo.net import Net

RATE_HZ = 44100


class Waveshaper(Net):
    """Memoryless: no state at all."""

    def __init__(self):
        super().__init__(0, receptive_field=1)
        self.gain = nn.Parameter(torch.tensor(2.0))

    def forward(self, input, controls, state):
        return torch.tanh(self.gain * input), {}


class HopNet(Net):
    """Takes whole frames of 4 samples: each is scaled by the energy of the frame before."""

    hop_samples = 4

    def __init__(self, num_controls=0):
        super().__init__(num_controls, receptive_field=8)
        self.depth = nn.Parameter(torch.tensor(0.7))
        self.register_rest("energy", torch.zeros(1))

    def forward(self, input, controls, state):
        _, knobs = self.smoothed(controls, state, input.shape[-1])
        frames = input.reshape(input.shape[0], -1, 4)
        energy = frames.square().mean(dim=-1)
        before = torch.cat([state["energy"], energy[:, :-1]], dim=1)
        output = frames * (1 + self.depth * before).unsqueeze(-1)
        return output.reshape(input.shape), {"energy": energy[:, -1:], **knobs}


class PythonCondition(Net):
    """Faithful in torch, wrong once traced: the branch taken with the tracer's example becomes the graph."""

    def __init__(self):
        super().__init__(0, receptive_field=1)
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, input, controls, state):
        if input.shape[0] == TRACED_ROWS:
            return input * self.gain * 0.5, {}
        return input * self.gain, {}


class Untraceable(Net):
    """An operation no exporter knows."""

    def __init__(self):
        super().__init__(0, receptive_field=None)
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, input, controls, state):
        return self.gain * torch.fft.ifft(torch.fft.fft(input)).real, {}


class BlockDependent(Net):
    """Breaks the contract itself: the output depends on where blocks begin."""

    def __init__(self):
        super().__init__(0, receptive_field=None)
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, input, controls, state):
        return self.gain * input.cumsum(dim=-1) * 0.01, {}


class Slow(Net):
    """One-pole memory with a rest state away from zero that moves with its control."""

    def __init__(self):
        super().__init__(1, receptive_field=None)
        self.pole = nn.Parameter(torch.tensor(0.99))
        self.register_rest("level", torch.zeros(1))

    def forward(self, input, controls, state):
        path, knobs = self.smoothed(controls, state, input.shape[-1])
        # s[n] = p s[n-1] + (1 - p) (c[n] - 0.2) solved over one block; its powers need the range of float64
        powers = self.pole.double() ** torch.arange(1, input.shape[-1] + 1)
        driven = ((1 - self.pole) * (path[:, 0] - 0.2) / powers).cumsum(dim=-1)
        levels = (powers * (state["level"] + driven)).float()
        return input + levels.unsqueeze(1), {"level": levels[:, -1:], **knobs}


def perturbed(net, seed=0, scale=0.1):
    """Weights as after training: no zeros, no identity."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * scale)
    return net


def lstm(num_controls=0, taps=1, layers=1):
    """Always the same, whatever was drawn before."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return perturbed(
            LSTMNet(num_controls, hidden_size=8, num_layers=layers, linear_taps=taps, memory_samples=100.0)
        )


def fir(num_controls=0):
    return perturbed(FIRNet(num_controls, taps=33))


def knobs(net):
    units = [Control("drive", 0, 10, 2, "dB"), Control("speed", 1, 100, 10, curve="log")]
    return units[: net.num_controls]


def programme(samples=7000, seed=0):
    """A decaying tone in noise after a little silence."""
    noise = np.random.default_rng(seed).standard_normal(samples) * 0.05
    time = np.arange(samples) / RATE_HZ
    audio = noise + 0.6 * np.sin(2 * np.pi * 220 * time) * np.exp(-5 * time)
    audio[:300] = 0.0
    return audio.astype(np.float32)


def arguments(net, out, **changes):
    """What `export_bundle` needs beside the net."""
    return {
        "architecture": "Small",
        "sample_rate": RATE_HZ,
        "controls": knobs(net),
        "out": out,
        "audio": programme(),
        "metrics": {"val_esr": 0.01, "val_mrstft": float("inf")},
        "provenance": {"checkpoint": "best.ckpt", "data": {"sha256": "abc"}},
        **changes,
    }
