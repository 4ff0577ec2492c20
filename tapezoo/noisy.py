"""Any net with noise of its own: what a machine adds at random, of a spectrum that is trained."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture
from tapezoo.layers.convolution import identity_taps
from tapezoo.layers.looped_table import LoopedTable
from tapezoo.layers.responses import Explained, Response, fir_magnitude
from tapezoo.net import Net, State, UndescribableError

LOOP_SAMPLES = 1 << 18  # 6 s at 44.1 kHz, 1 MB: long enough that nobody hears it come again
LOOP_SEED = 0
# the loop is this loud, so that taps of about 1 are hiss, and a step of an optimizer is a small part of it
LOOP_DB = -40.0
START_DB = -60.0  # re full scale, white; silent taps would have no gradient, since noise has no sign
PLACE = "own_noise_place"
MOST_TAPS = 4096


class Noisy(Net):
    """`y[n] = net(x)[n] + sum_k g[k] e[n - k]`, with e a loop of white Gaussian noise that is stored with the weights.

    Nothing is drawn while it plays: where a row is in the loop is part of its state, and rows begin at different
    places. It cannot be trained by a loss of waveforms, which would only make it quieter; see
    `tapezoo.training.Adversarial`. The noise is the same at all settings of the controls, and does not follow the level
    of the signal.

    Args:
        net: Any net; its state tensors keep their names.
        taps: Length of g, 1 to 4096 samples.
    """

    def __init__(self, net: Net, taps: int) -> None:
        super().__init__(
            net.num_controls, net.receptive_field, smoothing_samples=0
        )  # the net has the controls
        self.smoothing_samples = net.smoothing_samples
        self.latency_samples, self.hop_samples = net.latency_samples, net.hop_samples
        self.max_block_samples, self.remains = net.max_block_samples, net.remains
        self.own_phase = net.own_phase
        self.net = net
        self.taps = nn.Parameter(10 ** ((START_DB - LOOP_DB) / 20) * identity_taps(0, taps))
        white = torch.randn(LOOP_SAMPLES, generator=torch.Generator().manual_seed(LOOP_SEED))
        self.loop = LoopedTable(10 ** (LOOP_DB / 20) * white)
        self.register_endless(PLACE, self.loop.rest)
        dead = {f"net.{name}": reason for name, reason in net.dead_parameters.items()}
        vars(self).update(
            cannot_keep={**net.cannot_keep, "rest": "the noise goes on in silence"}, dead_parameters=dead
        )

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        of_net = {name: value for name, value in state.items() if name != PLACE}
        output, after = self.net(input, controls, of_net)
        noise, place = self.noise(state[PLACE], input.shape[-1])
        return output + noise, {**after, PLACE: place}

    def noise(self, place: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        """The noise alone, (batch, 1, samples), and the places after it.

        What the filter heard before the block is read again from the loop, so that it has no state.

        Args:
            place: (batch,), in the loop.
            samples: Length of the block.
        """
        begun, before = self.loop.begun(place), self.taps.shape[-1] - 1
        _, after = self.loop(begun, samples)
        white, _ = self.loop(begun + (LOOP_SAMPLES - before), before + samples)
        return nn.functional.conv1d(white[:, None], self.taps), after

    @property
    def state_names(self) -> tuple[str, ...]:
        """See `Net.state_names`."""
        return (*self.net.state_names, PLACE)

    @property
    def endless_states(self) -> tuple[str, ...]:
        """See `Net.endless_states`."""
        return (*self.net.endless_states, PLACE)

    def initial_state(self, controls: Tensor) -> State:
        """See `Net.initial_state`; every row has its place in the loop already."""
        own = self.loop.begun(super().rest_state(controls.shape[0])[PLACE])
        return {**self.net.initial_state(controls), PLACE: own}

    def rest_state(self, rows: int) -> State:
        """See `Net.rest_state`."""
        return {**self.net.rest_state(rows), **super().rest_state(rows)}

    def store_rest(self, state: State) -> None:
        """See `Net.store_rest`; the place at rest stays what it is."""
        self.net.store_rest(state)

    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: the folded net and the noise as it is."""
        held = copy.deepcopy(self)
        held.net = self.net.folded(controls)
        held.num_controls = 0
        return held

    def described(self) -> Architecture:
        """See `Net.described`: it cannot be."""
        raise UndescribableError(self, "a loop of noise beside the net")

    def responses(self, sample_rate: int, controls: Tensor) -> list[Response]:
        """The spectrum of the noise, then the net's responses; see `tapezoo.layers.responses.Explained`."""
        own = fir_magnitude("noise, re -40 dB", self.taps.detach()[0, 0].flip(0), sample_rate)
        return [own, *(self.net.responses(sample_rate, controls) if isinstance(self.net, Explained) else [])]
