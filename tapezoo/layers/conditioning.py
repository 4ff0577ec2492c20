"""How controls reach a net's features: FiLM, and FiLM followed by a gated linear unit."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FiLM(nn.Module):
    """Feature-wise linear modulation: `h g(controls) + b(controls)`, g and b affine in the controls.

    Perez et al., "FiLM: visual reasoning with a general conditioning layer", AAAI 2018. A net without
    controls has no parameters here and leaves the features as they are. Fresh weights modulate around
    g = 1, b = 0.

    Args:
        num_controls: Length of the control vector, 0 or more.
        channels: Of the features.

    Shape:
        features: (batch, channels, samples); controls: (batch, num_controls); output: as features.
    """

    def __init__(self, num_controls: int, channels: int) -> None:
        super().__init__()
        self.affine = nn.Linear(num_controls, 2 * channels) if num_controls else None
        if self.affine is not None:
            with torch.no_grad():
                self.affine.bias[:channels] = 1.0
                self.affine.bias[channels:] = 0.0

    def forward(self, features: Tensor, controls: Tensor) -> Tensor:
        """The modulated features."""
        if self.affine is None:
            return features
        gain, offset = self.affine(controls).unsqueeze(-1).chunk(2, dim=1)  # (batch, channels, 1) each
        modulated: Tensor = features * gain + offset
        return modulated


class SoftsignGLU(nn.Module):
    """Gated linear unit with a softsign gate: `(U h + u) softsign(V h + v)`.

    Dauphin et al., "Language modeling with gated convolutional networks", ICML 2017, with the gate of
    Simionato, Fasciani, "Hybrid neural audio effects", SMC 2024.

    Args:
        channels: In and out; `2 channels (channels + 1)` parameters.

    Shape:
        features, output: (batch, channels, samples).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Linear(channels, 2 * channels)

    def forward(self, features: Tensor) -> Tensor:
        """The gated features."""
        linear, gate = self.mix(features.transpose(1, 2)).transpose(1, 2).chunk(2, dim=1)
        gated: Tensor = linear * nn.functional.softsign(gate)
        return gated
