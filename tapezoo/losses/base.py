"""The contract of every loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

# a chunk of silence has no energy to divide by; this floor is -90 dB per sample, below 16-bit noise
ENERGY_FLOOR = 1e-9


class Loss(nn.Module, ABC):
    """A scalar distance between output and target.

    `min_samples` is the shortest block it accepts; truncated backpropagation must not use shorter ones.
    """

    min_samples: int = 1
    compares_waveforms: ClassVar[bool] = False
    """Whether it is meaningless where output and target differ in phase."""

    @abstractmethod
    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(batch, 1, samples) twice -> scalar."""
