"""Shared by the laws: signals, control positions, tolerances, and the error for a broken law."""

from __future__ import annotations

import torch
from torch import Tensor

from tapezoo.net import State
from tapezoo.training.effect import EffectModel

SAMPLE_RATE_HZ = 44100
TOLERANCE = 1e-5
SETTLED_TOLERANCE = 1e-4


class LawBroken(AssertionError):
    """A model breaks a law; the message says which value, and by how much."""


def noise_and_tone(rows: int, samples: int, seed: int = 0) -> Tensor:
    """Noise bursts and a tone, (rows, 1, samples), within +-1."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(samples) / SAMPLE_RATE_HZ
    tone = 0.4 * torch.sin(2 * torch.pi * 220.0 * time)
    noise = 0.15 * torch.randn(rows, 1, samples, generator=generator)
    return (tone + noise).clamp(-1.0, 1.0)


def random_controls(model: EffectModel, rows: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.rand(rows, model.num_controls, generator=generator)


def shapes_of(state: State) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items()}


def expect_close(output: Tensor, expected: Tensor, what: str, tolerance: float = TOLERANCE) -> None:
    error = float((output - expected).abs().max())
    scale = max(1.0, float(expected.abs().max()))
    if not error <= tolerance * scale:
        raise LawBroken(f"{what}: largest difference {error:.2e}, allowed {tolerance * scale:.0e}")
