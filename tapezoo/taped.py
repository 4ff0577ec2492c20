"""Any net followed by a tape's transport and noise, read from loops: nothing random is computed while it plays."""

from __future__ import annotations

import math
from typing import NoReturn

import torch
from torch import Tensor

from tapezoo.architecture import Architecture
from tapezoo.architecture.tape import (
    HISS_MOST_DB,
    HISS_OFF_DB,
    HISTORY,
    OWN_STATES,
    PAST,
    PLACE_IN_MODULATION,
    PLACE_IN_NOISE,
    PLACE_IN_TRANSPORT,
)
from tapezoo.controls import Control
from tapezoo.layers.looped_curves import LoopedCurves
from tapezoo.layers.looped_table import LoopedTable
from tapezoo.layers.smoothing import fill_history, glide, moves, scripted_glide
from tapezoo.layers.wandering_delay import WanderingDelay
from tapezoo.net import SMOOTHING_SAMPLES, Net, State, UndescribableError, UnfoldableError

WOW = Control("wow", 0.0, 1.0, 1.0)
FLUTTER = Control("flutter", 0.0, 1.0, 1.0)
MODULATION_NOISE = Control("modulation_noise", HISS_OFF_DB, HISS_MOST_DB, 0.0, "dB")
HISS = Control("hiss", HISS_OFF_DB, HISS_MOST_DB, 0.0, "dB")


class Taped(Net):
    """`y[n] = v[n - latency - wow w[n] - flutter f[n]] + hiss h[n]`, `v[n] = u[n] (1 + modulation_noise m[n])`.

    u is the net's output; w, f, h and m are loops. The modulation noise is the unevenness of the coating: it lies on
    the tape, so that it wanders with it.

    Behind the net's own controls it has `wow` and `flutter`, 0 (off) to 1 (as recorded), `modulation_noise` and `hiss`,
    in dB over the noise as recorded; their lowest value, -60 dB, is off. They glide as all controls do. With all of
    them off the output is that of the net, delayed by the latency, to the last bit.

    All rows of a batch hear the same wander, and each another part of either noise: the channels of one tape.

    Args:
        net: Any net; its state tensors keep their names.
        transport: The loops of wow and flutter, in samples of delay around 0; None: no delay line, and neither control.
        noise: The loop of the noise, full scale is +-1; None: neither noise nor its control.
        modulation: The loop of the modulation noise, relative deviation of the gain; None: likewise.
    """

    def __init__(
        self,
        net: Net,
        transport: LoopedCurves | None,
        noise: LoopedTable | None,
        modulation: LoopedTable | None = None,
    ) -> None:
        if transport is None and noise is None and modulation is None:
            raise ValueError("neither transport nor noise: nothing stands behind the net")
        if taken := OWN_STATES.intersection(net.state_names):
            raise ValueError(
                f"a net with a state called {', '.join(sorted(taken))}: is there a tape behind it already?"
            )
        super().__init__(net.num_controls, net.receptive_field, smoothing_samples=0)  # see `_smoothed_own`
        self.controls = tape_controls(transport is not None, noise is not None, modulation is not None)
        self.num_controls = net.num_controls + len(self.controls)
        self.smoothing_samples = SMOOTHING_SAMPLES
        self.latency_samples, self.hop_samples = net.latency_samples, net.hop_samples
        self.own_phase = net.own_phase
        self.max_block_samples, self.remains = net.max_block_samples, net.remains
        self.net, self.transport, self.noise, self.modulation = net, transport, noise, modulation
        self.register_rest(HISTORY, torch.zeros(len(self.controls), SMOOTHING_SAMPLES))
        self.delay: WanderingDelay | None = None
        if transport is not None:
            self.delay = delay = WanderingDelay(reach_samples(transport))
            self.latency_samples += delay.latency_samples
            if self.receptive_field is not None:
                self.receptive_field += delay.past_samples
            self.register_rest(PAST, torch.zeros(1, delay.past_samples))
            # the first sample behind the latency is delayed as the loops begin
            begin = (int(transport.rest) - self.latency_samples) % transport.length_samples
            self.register_endless(PLACE_IN_TRANSPORT, torch.tensor(begin))
        cannot_keep = dict(net.cannot_keep)
        if modulation is not None:
            self.register_endless(PLACE_IN_MODULATION, modulation.rest)
            cannot_keep["rest"] = "the offset of the net's output wavers, as all of it does"
        if noise is not None:
            self.register_endless(PLACE_IN_NOISE, noise.rest)
            cannot_keep["rest"] = "the noise goes on in silence"
        dead = {f"net.{name}": reason for name, reason in net.dead_parameters.items()}
        vars(self).update(cannot_keep=cannot_keep, dead_parameters=dead)

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        samples, known = input.shape[-1], self.net.num_controls
        of_net = {name: value for name, value in state.items() if name not in OWN_STATES}
        output, after = self.net(input, controls[:, :known], of_net)
        own = controls[:, known:] if known else controls  # each operator of a graph costs a microsecond
        path, history = self._smoothed_own(own, state[HISTORY], input)
        after = {**after, HISTORY: history}
        if self.modulation is not None:
            unevenness, after[PLACE_IN_MODULATION] = self.modulation(state[PLACE_IN_MODULATION], samples)
            knob = 0 if self.transport is None else 2
            output = output * (1 + noise_gain(path[:, knob]) * unevenness)[:, None]
        if self.transport is not None and self.delay is not None:
            curves, after[PLACE_IN_TRANSPORT] = self.transport(state[PLACE_IN_TRANSPORT], samples)
            deviation = (curves * path[:, :2].transpose(1, 2)).sum(-1)
            output, after[PAST] = self.delay(output, deviation, state[PAST], samples)
        if self.noise is not None:
            noise, after[PLACE_IN_NOISE] = self.noise(state[PLACE_IN_NOISE], samples)
            output = output + (noise_gain(path[:, -1]) * noise)[:, None]
        return output, after

    @property
    def state_names(self) -> tuple[str, ...]:
        """See `Net.state_names`."""
        return (*self.net.state_names, *super().state_names)

    @property
    def endless_states(self) -> tuple[str, ...]:
        """See `Net.endless_states`."""
        return (*self.net.endless_states, *super().endless_states)

    def initial_state(self, controls: Tensor) -> State:
        """See `Net.initial_state`; every row has its place in the noises already."""
        known = self.net.num_controls
        state = {**self.net.initial_state(controls[:, :known]), **super().rest_state(controls.shape[0])}
        state[HISTORY] = fill_history(controls[:, known:], SMOOTHING_SAMPLES)
        if self.noise is not None:
            state[PLACE_IN_NOISE] = self.noise.begun(state[PLACE_IN_NOISE])
        if self.modulation is not None:
            state[PLACE_IN_MODULATION] = self.modulation.begun(state[PLACE_IN_MODULATION])
        return state

    def rest_state(self, rows: int) -> State:
        """See `Net.rest_state`."""
        return {**self.net.rest_state(rows), **super().rest_state(rows)}

    def store_rest(self, state: State) -> None:
        """See `Net.store_rest`."""
        self.net.store_rest(state)
        super().store_rest(state)

    def folded(self, controls: Tensor) -> NoReturn:
        """See `Net.folded`: it cannot be."""
        raise UnfoldableError(
            "a net with a tape behind it",
            found="a grid of it",
            expected="a bundle without a grid",
            fix="Sample the nonlinearity alone: `tapezoo export CHECKPOINT --grid ...`.",
        )

    def described(self) -> Architecture:
        """See `Net.described`: it cannot be."""
        raise UndescribableError(self, "a delay line and loops of noise behind the net")

    def _smoothed_own(self, controls: Tensor, history: Tensor, input: Tensor) -> tuple[Tensor, Tensor]:
        """See `Net.smoothed`; of the controls behind those of the net."""
        tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        if tracing:
            return scripted_glide()(history, controls, input)
        if not moves(history, controls):
            return controls.unsqueeze(-1), history
        return glide(history, controls, input.shape[-1])


def tape_controls(has_transport: bool, has_noise: bool, has_modulation: bool = False) -> tuple[Control, ...]:
    """The controls of what stands behind the net."""
    return (
        *((WOW, FLUTTER) if has_transport else ()),
        *((MODULATION_NOISE,) if has_modulation else ()),
        *((HISS,) if has_noise else ()),
    )


def noise_gain(position: Tensor) -> Tensor:
    """The gain of a noise at a position of `HISS` or `MODULATION_NOISE`; exactly 0 at its lowest."""
    first, ratio = 10 ** (HISS_OFF_DB / 20), 10 ** ((HISS_MOST_DB - HISS_OFF_DB) / 20)
    return torch.where(position > 0, first, 0.0) * torch.pow(ratio, position)


def reach_samples(transport: LoopedCurves) -> int:
    """The largest deviation of the delay from its centre, at any positions of wow and flutter."""
    wow, flutter = transport.windows[:, :4], transport.windows[:, 4:]
    most = max(float(curve.abs().max()) for curve in (wow, flutter, wow + flutter))
    return math.ceil(most)
