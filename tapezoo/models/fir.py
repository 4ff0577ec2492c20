"""FIR: one causal filter, the smallest model; its least-squares solution is the linear floor of a data set."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture, ControlledFilter, Convolution
from tapezoo.data.least_squares import LINEAR_FLOOR_TAPS
from tapezoo.layers.convolution import controlled_fir, fold_taps, identity_taps
from tapezoo.models.arguments import LONGEST_SAMPLES, require_whole
from tapezoo.net import Net, State
from tapezoo.training.effect import EffectModel


class FIRNet(Net):
    """`y[n] = sum_k (g0[k] + sum_c p_c[n] g_c[k]) x[n - k]`: one FIR, its taps linear in the controls p.

    Receptive field: `taps` samples. Latency: 0. Parameters: `taps (1 + num_controls)`.

    Args:
        num_controls: Number of knobs.
        taps: Length of the filter in samples, 2 or more.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(self, num_controls: int, taps: int = LINEAR_FLOOR_TAPS) -> None:
        require_whole("taps", taps, 2, LONGEST_SAMPLES)
        super().__init__(num_controls, receptive_field=taps)
        self.taps = nn.Parameter(identity_taps(num_controls, taps))
        self.register_rest("past", torch.zeros(1, taps - 1))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        trajectory, knobs = self.smoothed(controls, state, input.shape[-1])
        output, past = controlled_fir(input, trajectory, state["past"], self.taps)
        return output, {"past": past, **knobs}

    def described(self) -> Architecture:
        """See `Net.described`."""
        taps = self.taps.shape[-1]
        if self.num_controls:
            controlled = ControlledFilter(self.num_controls, taps, "taps", "past")
            return self.describe_layers(controlled, controls_at="weights")
        return self.describe_layers(Convolution(1, 1, taps, "taps", state="past"), controls_at=None)

    @torch.no_grad()
    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: one filter without controls."""
        net = self.without_knobs()
        net.taps = nn.Parameter(fold_taps(self.taps, controls))
        return net


class FIR(EffectModel):
    """Trains a `FIRNet` by gradient descent, like every other model; `least_squares_fir` gives its closed form."""

    net_class = FIRNet
