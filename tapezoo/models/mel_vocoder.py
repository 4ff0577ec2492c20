"""MelVocoder: a mel spectrogram in, a waveform made anew by a trained vocoder out."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture
from tapezoo.layers.conditioner import Conditioner
from tapezoo.layers.conditioning import FiLM
from tapezoo.layers.convolution import causal_convolution
from tapezoo.layers.mel_spectrogram import MIDDLE, SPREAD, LogMel
from tapezoo.layers.short_time_fourier import LONGEST_WINDOW_SAMPLES, ShortTimeFourier
from tapezoo.losses.mel_filters import MOST_BANDS, MelFilterError, check_mel_bands
from tapezoo.models.arguments import (
    DEEPEST,
    WIDEST,
    ModelArgumentError,
    require_number,
    require_reach,
    require_whole,
)
from tapezoo.models.modulation import hold_conditioner
from tapezoo.net import Net, State, UndescribableError
from tapezoo.training.effect import EffectModel

LOUDEST = 6.0  # nepers, 52 dB: as Vocos cuts its magnitudes, so that no weight can overflow the exponential


class FrameBlock(nn.Module):
    """`h + W gelu(modulation(kernel * h, controls))`, the convolution causal over frames."""

    def __init__(self, num_controls: int, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.look = nn.Conv1d(channels, channels, kernel_size)
        self.modulation: Conditioner = FiLM(num_controls, channels)
        self.narrow = nn.Conv1d(channels, channels, 1)

    def forward(self, h: Tensor, controls: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """(h, past) from h (batch, channels, frames) and past (batch, channels, kernel_size - 1)."""
        seen, past = causal_convolution(h, past, self.look.weight, self.look.bias)
        modulated, _ = self.modulation(seen, controls, {})
        return h + self.narrow(nn.functional.gelu(modulated)), past


class MelVocoderNet(Net):
    """`L = log mel of the input`; `L' = L + U1 f(L)`; `|Y| = exp(L' over bins + U2 g(L'))`; `arg Y = turn + U3 g(L')`.

    The output is the inverse STFT of Y. After Siuzdak, "Vocos: closing the gap between time-domain and Fourier-based
    neural vocoders for high-quality audio synthesis", ICLR 2024: a net over frames predicts magnitude and phase of
    every bin, and the inverse transform does all upsampling. f, P1 blocks with FiLM by the controls, makes of the dry
    mel spectrogram that of the machine; g, P2 blocks without controls, is the vocoder. All is causal, and small.

    Two departures let it make sound from the first step: magnitudes begin at the levels of the bands, and phases at
    those of steady sines in the middle of each bin, `turn = 2 pi k H m / N` in frame m, with trained offsets. Frames of
    equal phases would be a buzz at the rate of the hops.

    **Its waveform is not the target's**: a mel spectrogram has no phase, so the output has one of its own. It is
    trained and judged by spectra alone (`own_phase`, `tapezoo.training.Spectral`). Fine structure within a band is lost
    too.

    Latency: N - H, of the inverse transform. Receptive field: `2 N - H + H (P1 + P2)(T - 1)`. Parameters with
    M bands, d channels, T taps, B = N / 2 + 1 bins, K controls: `3 M d + 2 d + M + (P1 + P2)(T d^2 + d^2 + 2 d)
    + 2 B (d + 1)`, and `2 P1 d (K + 1)` where K > 0; 178,242 at the defaults, K = 0.

    Args:
        num_controls: Number of knobs, given to the blocks before the vocoder; the value at the end of a frame counts.
        bands: Mel bands, M, from 1 to what the window can fill: 112 at 44.1 kHz, 1024 samples and 20 kHz.
        channels: Of the nets over frames, d, 1 or more.
        machine_blocks: P1, 1 or more.
        vocoder_blocks: P2, 1 or more.
        kernel_size: Frames that each block sees, T, 2 or more.
        window_samples: N, an even number of samples, 2 H to 2048.
        hop_samples: H, a divisor of N.
        top_hz: Upper end of the highest band, Hz, at most half the sample rate.
        sample_rate: Hz; declared by the data.

    Raises:
        ModelArgumentError: An argument is out of its range, or bands that no bin of the window fills.
    """

    own_phase = "it makes its sound from a mel spectrogram, which has no phase"

    def __init__(
        self,
        num_controls: int,
        bands: int = 64,
        channels: int = 64,
        machine_blocks: int = 2,
        vocoder_blocks: int = 4,
        kernel_size: int = 3,
        window_samples: int = 1024,
        hop_samples: int = 256,
        top_hz: float = 20000.0,
        sample_rate: int = 44100,
    ) -> None:
        require_whole("bands", bands, 1, MOST_BANDS)
        require_whole("channels", channels, 1, WIDEST)
        require_whole("machine_blocks", machine_blocks, 1, DEEPEST)
        require_whole("vocoder_blocks", vocoder_blocks, 1, DEEPEST)
        require_whole("kernel_size", kernel_size, 2, WIDEST)
        require_whole("window_samples", window_samples, 2, LONGEST_WINDOW_SAMPLES)
        require_whole("hop_samples", hop_samples, 1, LONGEST_WINDOW_SAMPLES)
        require_number("top_hz", top_hz, 1.0, 1e6)
        if window_samples % 2:
            raise ModelArgumentError("window_samples", repr(window_samples), "an even number")
        if window_samples % hop_samples or window_samples < 2 * hop_samples:
            half = window_samples // 2
            raise ModelArgumentError(
                "hop_samples",
                repr(hop_samples),
                f"a divisor of window_samples, {window_samples}, up to {half}",
            )
        blocks = machine_blocks + vocoder_blocks
        receptive_field = 2 * window_samples + hop_samples * (blocks * (kernel_size - 1) - 1)
        require_reach("kernel_size", kernel_size, receptive_field)
        try:
            check_mel_bands(window_samples, bands, sample_rate, top_hz)
        except MelFilterError as error:
            raise ModelArgumentError(error.subject, error.found, error.expected) from error
        super().__init__(num_controls, receptive_field)
        self.transform = ShortTimeFourier(window_samples, hop_samples)
        self.mel = LogMel(window_samples, bands, sample_rate, top_hz)
        self.hop_samples, self.latency_samples = hop_samples, self.transform.latency_samples
        bins = self.transform.bins
        self.hear = nn.Conv1d(bands, channels, 1)
        self.machine = nn.ModuleList(
            FrameBlock(num_controls, channels, kernel_size) for _ in range(machine_blocks)
        )
        self.change = nn.Conv1d(channels, bands, 1)  # U1
        self.read = nn.Conv1d(bands, channels, 1)
        self.vocoder = nn.ModuleList(FrameBlock(0, channels, kernel_size) for _ in range(vocoder_blocks))
        self.magnitude = nn.Linear(channels, bins)  # U2
        self.phase = nn.Linear(channels, bins)  # U3
        with torch.no_grad():
            for layer in (self.change, self.magnitude):
                layer.weight.mul_(0.1)
                layer.get_parameter("bias").zero_()
            nn.init.uniform_(self.phase.bias, -math.pi, math.pi)  # equal phases would add up to clicks
        period = window_samples // hop_samples
        turned = torch.arange(period).unsqueeze(-1) * torch.arange(bins) * hop_samples % window_samples
        self.register_buffer(
            "turns", 2 * math.pi / window_samples * turned.float(), persistent=False
        )  # (period, bins)
        self.register_rest("heard", self.transform.past)
        self.register_rest("frames", torch.zeros(blocks, channels, kernel_size - 1))
        self.register_rest("tail", self.transform.tail)
        self.register_endless("turn", torch.tensor(0))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`; samples is a multiple of `hop_samples`."""
        trajectory, new_state = self.smoothed(controls, state, input.shape[-1])
        if trajectory.shape[-1] > 1:
            trajectory = trajectory[
                ..., self.hop_samples - 1 :: self.hop_samples
            ]  # as at the end of every frame
        spectra, heard = self.transform.analyse(input, state["heard"])
        levels, pasts = self.mel(spectra), []
        h = self.hear((levels - MIDDLE) / SPREAD)  # (batch, channels, frames)
        for index, block in enumerate(self.machine):
            h, past = block(h, trajectory, state["frames"][:, index])
            pasts.append(past)
        levels = levels + self.change(h)
        h = self.read((levels - MIDDLE) / SPREAD)
        for index, block in enumerate(self.vocoder, start=len(self.machine)):
            h, past = block(h, trajectory, state["frames"][:, index])
            pasts.append(past)
        h = h.transpose(1, 2)  # (batch, frames, channels)
        magnitude = torch.exp((self.mel.over_bins(levels) + self.magnitude(h)).clamp(max=LOUDEST))
        turns, turn = self._turns(state["turn"], h.shape[1])
        phase = self.phase(h) + turns
        spectra = torch.stack([magnitude * torch.cos(phase), magnitude * torch.sin(phase)], dim=1)
        output, tail = self.transform.synthesise(spectra, state["tail"])
        return output, {
            **new_state,
            "heard": heard,
            "frames": torch.stack(pasts, dim=1),
            "tail": tail,
            "turn": turn,
        }

    def _turns(self, turn: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """Phases of steady sines in the bins, (batch, frames, bins), from the frame `turn` (batch,) of a period on."""
        number = torch.arange(frames, device=turn.device)
        turns = self.get_buffer("turns")
        period = len(turns)
        return turns[(turn[:, None] + number) % period], (turn + frames) % period

    def described(self) -> Architecture:
        """See `Net.described`."""
        raise UndescribableError(
            self, "a Fourier transform, and a net over its frames, for which there are no layers"
        )

    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: every FiLM becomes a gain and an offset."""
        net = self.without_knobs()
        for block in net.modules():
            if isinstance(block, FrameBlock):
                block.modulation = hold_conditioner(block.modulation, controls)
        return net


class MelVocoder(EffectModel):
    """Trains a `MelVocoderNet`; by spectra, such as with the objective `Spectral`."""

    net_class = MelVocoderNet

    def build_net(self, **arguments: Any) -> Net:
        """See `EffectModel.build_net`; the mel bands depend on the sample rate."""
        return MelVocoderNet(self.net_controls, sample_rate=self.sample_rate, **arguments)
