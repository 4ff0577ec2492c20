"""GreyBox: equaliser, memory, curve, equaliser; every number has a name and a unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tapezoo.architecture import Architecture, GreyBoxChain
from tapezoo.layers.described_chains import (
    describe_curve,
    describe_equaliser,
    describe_followers,
    describe_numbers,
)
from tapezoo.layers.equaliser import ParametricEQ
from tapezoo.layers.followers import Followers, Lag, Level
from tapezoo.layers.nonlinearities import AsymmetricTanh, MLPCurve, TanhSum
from tapezoo.layers.responses import Response, audible_hz, decibels
from tapezoo.layers.sections import magnitudes
from tapezoo.layers.trained_numbers import HyperParameters
from tapezoo.models.arguments import DEEPEST, require_one_of, require_whole
from tapezoo.net import Net, State
from tapezoo.training.effect import EffectModel

FollowersName = Literal["lag", "level"]
NonlinearityName = Literal["tanh", "tanh_sum", "mlp"]
FOLLOWERS: dict[str, Callable[[int, int, int], Followers]] = {"lag": Lag, "level": Level}
CURVE_UNITS = 8
CURVE_REACH = 1.5  # input range of the displayed static curve, in units of full scale
CURVE_POINTS = 301


class GreyBoxNet(Net):
    """A chain of differentiable blocks:

        u = EQ_in(G_in x)                    gain; low shelf, peaks, high shelf
        v = memory(u)                        `Lag` or `Level` (tapezoo.layers.followers)
        z = f(v + b) - f(b)                  bias b; f a trained curve (tapezoo.layers.nonlinearities)
        y = G_out EQ_out(z)

    Nercessian, Sarroff, Werner, "Lightweight and interpretable neural modeling of an audio distortion effect
    using hyperconditioned differentiable biquads", ICASSP 2021, whose chain is EQ, curve, EQ; Comunita,
    Steinmetz, Reiss, "Differentiable black-box and gray-box modeling of nonlinear audio effects", 2025, in which
    a controller moves gain and bias over time, as `Level` does. Controls move every number except the
    curve's (`HyperParameters`). The filters run exactly, in the time domain, not by frequency sampling.

    While a knob moves, gains, bias, both equalisers and all numbers of the memory except its time constants follow it
    sample by sample. Time constants change to the knob's new setting at once; the followers continue from their
    current values.

    Silence gives silence. G_out may be negative: a machine that inverts.
    Receptive field: unbounded. Latency: 0. Parameters with P peaks, F followers, K controls: N numbers, and
    `64 (1 + K) + 16 N` for the controls where K > 0, plus those of the curve (tanh 2, tanh_sum 25, mlp 96);
    `N = 6 (2 + P) + 3 + 3 F`. 64 at P = 2, F = 4, K = 0 and tanh_sum.

    Args:
        num_controls: Number of knobs, K.
        peaks: Peaking sections of each of the two equalisers, P, 0 or more.
        followers: One-pole followers of the memory, F, 1 or more.
        memory: "lag": the signal lags behind its own past, as with hysteresis; "level": its level changes
            gain and bias, as a sagging supply does.
        nonlinearity: "tanh": drive and bias; "tanh_sum": any smooth curve; "mlp": any smooth curve, by a deeper net.
        sample_rate: Hz; declared by the data.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    cannot_follow: ClassVar[str] = "whose equalisers and time constants take one setting for a whole block"

    def __init__(
        self,
        num_controls: int,
        peaks: int = 2,
        followers: int = 4,
        memory: FollowersName = "lag",
        nonlinearity: NonlinearityName = "tanh_sum",
        sample_rate: int = 44100,
    ) -> None:
        require_whole("peaks", peaks, 0, DEEPEST)
        require_whole("followers", followers, 1, DEEPEST)
        require_one_of("memory", memory, get_args(FollowersName))
        require_one_of("nonlinearity", nonlinearity, get_args(NonlinearityName))
        super().__init__(num_controls, receptive_field=None)
        self.input_eq = ParametricEQ(num_controls, peaks, sample_rate)
        self.memory = FOLLOWERS[memory](num_controls, followers, sample_rate)
        self.curve = _curve(nonlinearity)
        self.output_eq = ParametricEQ(num_controls, peaks, sample_rate)
        self.levels = HyperParameters(num_controls, torch.tensor([0.0, 0.0, 1.0]))  # log G_in, b, G_out
        self.register_rest("input_eq", torch.zeros(2 + peaks, 2))
        self.register_rest("memory", torch.zeros(followers, 2))
        self.register_rest("output_eq", torch.zeros(2 + peaks, 2))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        trajectory, knobs = self.smoothed(controls, state, input.shape[-1])
        gain_in, bias, gain_out = self.gains(trajectory)
        u, input_eq = self.input_eq(gain_in * input, controls, trajectory, state["input_eq"])
        v, memory = self.memory(u, controls, trajectory, state["memory"])
        z = self.curve(v + bias) - self.curve(bias)
        y, output_eq = self.output_eq(z, controls, trajectory, state["output_eq"])
        return gain_out * y, {"input_eq": input_eq, "memory": memory, "output_eq": output_eq, **knobs}

    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: the same chain with fixed numbers; the filters no longer need coefficients per row."""
        net = self.without_knobs()
        for block in (net.input_eq, net.memory, net.output_eq):
            block.hold(controls)
        net.levels = self.levels.held(controls)
        return net

    def described(self) -> Architecture:
        """See `Net.described`."""
        chain = GreyBoxChain(
            describe_numbers("levels", self.levels),
            describe_equaliser("input_eq", self.input_eq, "input_eq"),
            describe_followers("memory", self.memory, "memory"),
            describe_curve("curve", self.curve),
            describe_equaliser("output_eq", self.output_eq, "output_eq"),
        )
        return self.describe_layers(chain, controls_at="weights")

    def gains(self, trajectory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """G_in, b and G_out, each (rows, 1, 1 or samples), from controls (batch, K, 1 or samples)."""
        log_gain, bias, gain = self.levels.along(trajectory).chunk(3, dim=1)
        return log_gain.exp(), bias, gain

    @torch.no_grad()
    def responses(self, sample_rate: int, controls: Tensor) -> list[Response]:
        """Every block at these controls; see `tapezoo.layers.responses.Explained`."""
        gain_in, bias, gain_out = self.gains(controls.unsqueeze(-1))
        level = torch.linspace(-CURVE_REACH, CURVE_REACH, CURVE_POINTS, device=controls.device)
        bent = self.curve(level.reshape(1, 1, -1) + bias) - self.curve(bias)
        curve = Response("curve", f"bias {bias.item():+.2f}", "curve", _array(level), _array(bent))
        return [
            *_equaliser("input equaliser", self.input_eq, gain_in.item(), sample_rate, controls),
            *self.memory.responses(controls),
            curve,
            *_equaliser("output equaliser", self.output_eq, gain_out.item(), sample_rate, controls),
        ]


class GreyBox(EffectModel):
    """Trains a `GreyBoxNet`."""

    net_class = GreyBoxNet

    def build_net(self, **arguments: Any) -> Net:
        """See `EffectModel.build_net`; the filters depend on the sample rate."""
        return GreyBoxNet(self.num_controls, sample_rate=self.sample_rate, **arguments)


def _curve(name: NonlinearityName) -> nn.Module:
    if name == "tanh":
        return AsymmetricTanh()
    return TanhSum(CURVE_UNITS) if name == "tanh_sum" else MLPCurve(CURVE_UNITS)


def _equaliser(
    block: str, eq: ParametricEQ, gain: float, sample_rate: int, controls: Tensor
) -> list[Response]:
    """The response of the whole equaliser with its gain, then of each section."""
    x = audible_hz(sample_rate)
    each = magnitudes(eq.sections(controls), x, sample_rate)
    total = f"all, gain {decibels(np.array(abs(gain))):+.1f} dB" + (", inverted" if gain < 0 else "")
    lines = [(total, abs(gain) * each.prod(axis=0)), *zip(eq.labels(controls), each, strict=True)]
    return [Response(block, label, "magnitude", x, decibels(line)) for label, line in lines]


def _array(tensor: Tensor) -> NDArray[np.float64]:
    values: NDArray[np.float64] = tensor.reshape(-1).cpu().double().numpy()
    return values
