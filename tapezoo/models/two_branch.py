"""TwoBranch: a recurrent net on the waveform and a U-Net on the spectrogram, side by side."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor

from tapezoo.architecture import Architecture
from tapezoo.data.batch import Batch
from tapezoo.models.arguments import require_one_of
from tapezoo.models.lstm import LSTMNet
from tapezoo.models.spectral_frames import require_context, require_frames, require_row
from tapezoo.models.spectral_unet import Head, SpectralUNetNet
from tapezoo.net import KNOBS, Net, State, UndescribableError
from tapezoo.training.aim import Progress
from tapezoo.training.effect import EffectModel

BRANCHES = ("waveform", "spectral")


class TwoBranchNet(Net):
    """`y[n] = LSTM(x)[n - L] + SpectralUNet(x)[n]`, L the latency of the spectral branch.

    Défossez, "Hybrid spectrogram and waveform source separation", MDX Workshop, ISMIR 2021: one branch works on
    the waveform, one on the spectrogram, and their outputs are added. A waveform branch resolves time, as curves
    and fast memories need it; a spectral branch hears a longer context at the cost of one step per hop, and
    tells frequencies apart. Departures: the waveform branch is an `LSTMNet`, not a U-Net, and the branches meet only in
    their sum. The paper's exchange between their innermost layers needs equal rates there, which an LSTM does not have.

    The waveform branch has the linear path and starts as an `LSTMNet` does; the spectral branch's equaliser starts at
    0, not at 1, so that the sum does not start at twice the input. Both hear the controls.

    Receptive field: unbounded. Latency: that of `SpectralUNetNet`, L; the waveform branch waits for it. Parameters:
    those of both nets; 29174 at the defaults without controls.

    Args:
        num_controls: Number of knobs, K.
        hidden_size: Units of the LSTM, 1 or more.
        memory_samples: Longest time constant of a unit at the start of training, in samples, 2 or more.
        input_scale: Factor on the LSTM's weights of the signal at the start of training, 0.01 to 1000.
        channels: Of every level of the U-Net; each halves the bins.
        kernel_frames: Frames that a convolution hears, 2 or more.
        window_samples: Of a frame, a multiple of 2 to the levels + 1 and of the hop, two hops to 2048.
        hop_samples: Samples from frame to frame, 1 or more; blocks are multiples of it.
        synthesis_samples: Of a frame of the output, a multiple of two hops up to the window; None: the window.
        lookahead_frames: Later frames that a frame's change depends on, 0 or more; a hop of latency each.
        head: Of the U-Net, "mask" or "mapping"; see `SpectralUNetNet`.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(
        self,
        num_controls: int,
        hidden_size: int = 32,
        memory_samples: float = 1000.0,
        input_scale: float = 1.0,
        channels: Sequence[int] = (16, 16, 24, 32),
        kernel_frames: int = 3,
        window_samples: int = 256,
        hop_samples: int = 64,
        synthesis_samples: int | None = None,
        lookahead_frames: int = 0,
        head: Head = "mask",
    ) -> None:
        last = require_frames(channels, window_samples, hop_samples, synthesis_samples)
        require_context(channels, kernel_frames, window_samples, hop_samples, last, lookahead_frames)
        require_one_of("head", head, get_args(Head))
        waveform = LSTMNet(num_controls, hidden_size, 1, 1, memory_samples, "concat", input_scale)
        spectral = SpectralUNetNet(
            num_controls, channels, kernel_frames, window_samples, hop_samples, last, lookahead_frames, head
        )
        super().__init__(num_controls, None, smoothing_samples=0)  # the branches have the controls
        self.smoothing_samples = waveform.smoothing_samples
        self.latency_samples, self.hop_samples = spectral.latency_samples, hop_samples
        self.waveform: Net = waveform
        self.spectral: Net = spectral
        with torch.no_grad():
            spectral.gain.zero_()
        self.register_rest("waiting", torch.zeros(1, self.latency_samples))
        vars(self).update(cannot_keep=spectral.cannot_keep)

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`; samples is a multiple of `hop_samples`."""
        context = torch.cat([state["waiting"], input], dim=-1)
        late = context[..., : -self.latency_samples]
        after = {"waiting": context[..., -self.latency_samples :]}
        total = None
        for branch, heard in zip(BRANCHES, (late, input), strict=True):
            output, own = self.get_net(branch)(heard, controls, _own_state(branch, state))
            after |= _net_state(branch, own)
            total = output if total is None else total + output
        assert total is not None
        return total, after

    def get_net(self, branch: str) -> Net:
        """The net of "waveform" or "spectral"."""
        return self.waveform if branch == "waveform" else self.spectral

    @property
    def state_names(self) -> tuple[str, ...]:
        """See `Net.state_names`."""
        own = [f"{branch}_{name}" for branch in BRANCHES for name in self.get_net(branch).state_names]
        return (*own, "waiting")

    def initial_state(self, controls: Tensor) -> State:
        """See `Net.initial_state`."""
        state = super().rest_state(controls.shape[0])
        for branch in BRANCHES:
            state |= _net_state(branch, self.get_net(branch).initial_state(controls))
        return state

    def rest_state(self, rows: int) -> State:
        """See `Net.rest_state`."""
        state = super().rest_state(rows)
        for branch in BRANCHES:
            state |= _net_state(branch, self.get_net(branch).rest_state(rows))
        return state

    def store_rest(self, state: State) -> None:
        """See `Net.store_rest`."""
        super().store_rest(state)
        for branch in BRANCHES:
            self.get_net(branch).store_rest(_own_state(branch, state))

    def described(self) -> Architecture:
        """See `Net.described`."""
        raise UndescribableError(
            self,
            f"a branch with a short-time Fourier transform, {self.latency_samples} samples late: what is written from "
            "descriptions has no layer for it, and no lookahead",
        )

    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: both branches folded."""
        held = copy.deepcopy(self)
        held.waveform, held.spectral = self.waveform.folded(controls), self.spectral.folded(controls)
        held.num_controls = 0
        return held


def _own_state(branch: str, state: State) -> State:
    """A branch's part of the state; the knobs, which both follow alike, are there once."""
    own = {
        name.removeprefix(f"{branch}_"): value
        for name, value in state.items()
        if name.startswith(f"{branch}_")
    }
    return own | ({KNOBS: state[KNOBS]} if KNOBS in state else {})


def _net_state(branch: str, own: State) -> State:
    """A branch's state under the names it has in the net's."""
    return {name if name == KNOBS else f"{branch}_{name}": value for name, value in own.items()}


class TwoBranch(EffectModel):
    """Trains a `TwoBranchNet`."""

    net_class = TwoBranchNet

    def train_on(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """See `EffectModel.train_on`.

        Raises:
            ModelArgumentError: A context longer than a row of the batch, whose far end would never hear anything.
        """
        channels, kernel_frames = self.hparams["channels"], self.hparams["kernel_frames"]
        require_row(channels, kernel_frames, self.hparams["hop_samples"], batch.input.shape[-1])
        return super().train_on(batch, progress)
