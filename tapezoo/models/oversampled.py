"""Any net at a multiple of its sample rate between two filters, against aliases: as interleaved copies of itself."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from tapezoo.architecture import Architecture
from tapezoo.devices.oversampling import lowpass
from tapezoo.errors import TapezooError
from tapezoo.layers.convolution import causal_convolution
from tapezoo.net import KNOBS, Net, State, UndescribableError

FACTORS = (2, 4, 8)


class OversampleError(TapezooError):
    """A net cannot be oversampled as asked for."""


class Oversampled(Net):
    """`y = down(net(up(x)))` with `factor` samples of `up(x)` for each of x, M; the net keeps its weights.

    At M times the rate a trained net must hear its own past of M samples ago: `h[n] = cell(x[n], h[n - M])`. Sample
    mM + p then only meets samples of the same p, so the net is M copies of itself, each of which plays every M-th
    sample as if it were a signal at the old rate. They are rows of one batch here, with the old operators.

    Carson, Wright, Chowdhury, Välimäki, Bilbao, "Sample rate independent recurrent neural networks for audio effects
    processing", DAFx 2024. Harmonics up to M times half the rate have room, and the second filter takes off what is
    above half of it. What the net was trained to do from there on is unknown, see `RecurrentAtRate`.

    Both filters are linear-phase, flat to .4535 of the rate (20 kHz at 44.1 kHz) and 100 dB down from .5465 on: `q` of
    both together is 1 at a delay of 72 samples, to its ripple, and a linear net gives `q * net(x)`.

    Receptive field: 144 samples more than the net's. Latency: 72 samples more.

    Args:
        net: The trained net, which is copied.
        factor: M, 2, 4 or 8.

    Raises:
        OversampleError: Another factor, or a net that reads loops: its copies would all read the same.
    """

    rise: Tensor
    fall: Tensor

    def __init__(self, net: Net, factor: int) -> None:
        _check(net, factor)
        taps = torch.from_numpy(lowpass(factor)).float()
        reach = taps.numel() // factor  # samples at the rate of x: both halves of the filter
        field = None if net.receptive_field is None else net.receptive_field + 2 * reach
        super().__init__(net.num_controls, field, smoothing_samples=0)  # the net has the controls
        self.smoothing_samples, self.hop_samples, self.remains = (
            net.smoothing_samples,
            net.hop_samples,
            net.remains,
        )
        self.max_block_samples, self.own_phase = net.max_block_samples, net.own_phase
        self.latency_samples = net.latency_samples + reach
        self.factor, self.net = factor, copy.deepcopy(net)
        vars(self).update(
            cannot_keep=net.cannot_keep,
            dead_parameters={f"net.{name}": reason for name, reason in net.dead_parameters.items()},
        )
        # up: phase p of M sum_j taps[n - jM] x[j] at n = mM + p; down: y[m] = sum_k taps[k] high[mM - k]
        rise, fall = torch.zeros(factor, 1, reach + 1), torch.zeros(1, factor, reach + 1)
        for phase in range(factor):
            up, down = factor * taps[phase::factor], taps[-phase % factor :: factor]
            late = 1 if phase else 0  # its first sample here belongs to the one before
            rise[phase, 0] = torch.nn.functional.pad(up, (0, reach + 1 - up.numel())).flip(0)
            fall[0, phase] = torch.nn.functional.pad(down, (late, reach + 1 - late - down.numel())).flip(0)
        self.register_buffer("rise", rise)
        self.register_buffer("fall", fall)
        self.register_rest("past_up", torch.zeros(1, reach))
        self.register_rest("past_down", torch.zeros(factor, reach))
        for name, rest in net.rest_state(1).items():
            self.register_rest(
                name, rest[0] if name == KNOBS else rest.expand(factor, *rest.shape[1:]).clone()
            )

    def initial_state(self, controls: Tensor) -> State:
        """See `Net.initial_state`."""
        state = self.rest_state(controls.shape[0])
        if KNOBS in state:
            state[KNOBS] = self.net.initial_state(controls)[KNOBS]
        return state

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        after: State = {}
        phases, after["past_up"] = causal_convolution(
            input, state["past_up"], self.rise
        )  # (batch, M, samples)
        before = {
            name: self._of_copies(value) if name == KNOBS else value.flatten(0, 1)
            for name, value in state.items()
            if name not in ("past_up", "past_down")
        }
        played, own = self.net(phases.flatten(0, 1).unsqueeze(1), self._of_copies(controls), before)
        for name, value in own.items():
            rows = value.unflatten(0, (-1, self.factor))
            after[name] = rows[:, 0] if name == KNOBS else rows
        high = played[:, 0].unflatten(0, (-1, self.factor))
        output, after["past_down"] = causal_convolution(high, state["past_down"], self.fall)
        return output, after

    def _of_copies(self, value: Tensor) -> Tensor:
        """What all copies share, once for each: (batch, ...) -> (batch M, ...)."""
        return torch.stack([value] * self.factor, dim=1).flatten(0, 1)

    def described(self) -> Architecture:
        """See `Net.described`."""
        raise UndescribableError(
            self, "copies of a net between two filters: no layer of a description plays them"
        )

    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: copies of the folded net."""
        return Oversampled(self.net.folded(controls), self.factor)


def oversampled(net: Net, factor: int) -> Net:
    """`net` between filters to `factor` times its rate and back; itself for 1. Raises OversampleError."""
    return net if factor == 1 else Oversampled(net, factor)


def _check(net: Net, factor: int) -> None:
    if factor not in FACTORS:
        raise OversampleError(
            "the factor of oversampling",
            found=repr(factor),
            expected="one of " + ", ".join(map(str, FACTORS)),
            fix="Choose one of them, or none.",
        )
    if net.endless_states:
        raise OversampleError(
            type(net).__name__,
            found="a net that reads a loop, such as noise: all copies would read the same samples of it",
            expected="a net that only hears its input",
            fix="Export it without --oversample, or train it without noise_taps.",
        )
