"""Saturator: a short filter into a driven tanh; the architecture to replace by your own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tapezoo.errors import TapezooError
from tapezoo.layers import FiLM, causal_convolution
from tapezoo.net import Net, State
from tapezoo.training.effect import EffectModel


class SaturatorShapeError(TapezooError):
    """A filter of a length that cannot be."""


class SaturatorNet(Net):
    """`v[n] = sum_k g[k] x[n - k]`, `y[n] = a tanh(gamma v[n] + beta) + b x[n]`.

    The controls set gamma and beta (FiLM); without controls these are 1 and 0.

    Receptive field: `taps` samples. Latency: 0. Parameters with K controls: `taps + 2`, and `2 (1 + K)` of
    the FiLM where K > 0; 34 at taps = 32, K = 0.

    Args:
        num_controls: Knobs, K.
        taps: Length of the filter in samples, 2 or more.
    """

    def __init__(self, num_controls: int, taps: int = 32) -> None:
        if taps < 2:
            raise SaturatorShapeError(
                "model.taps", found=str(taps), expected="2 or more", fix="Raise model.taps."
            )
        super().__init__(num_controls, receptive_field=taps)
        identity = torch.zeros(1, 1, taps)
        identity[..., -1] = 1.0
        self.filter = nn.Parameter(identity)  # g; the last tap meets the current sample
        self.drive = FiLM(num_controls, channels=1)  # gamma, beta
        self.driven_gain = nn.Parameter(torch.tensor(0.5))  # a
        self.direct_gain = nn.Parameter(torch.tensor(0.5))  # b
        self.register_rest("past", torch.zeros(1, taps - 1))  # what the next block needs of this one

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        path, knobs = self.smoothed(controls, state, input.shape[-1])  # a knob glides, sample by sample
        filtered, past = causal_convolution(input, state["past"], self.filter)  # (batch, 1, samples)
        drive, _ = self.drive(filtered, path, {})
        output = self.driven_gain * torch.tanh(drive) + self.direct_gain * input
        return output, {"past": past, **knobs}


class Saturator(EffectModel):
    """Trains a `SaturatorNet`."""

    net_class = SaturatorNet
