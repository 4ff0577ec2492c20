"""SpectralUNet: a U-Net over frequency that changes the complex spectrogram of the signal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture
from tapezoo.data.batch import Batch
from tapezoo.layers.frequency_unet import FrequencyUNet
from tapezoo.layers.short_time_fourier import ShortTimeFourier
from tapezoo.models.arguments import INPUT_SCALES, require_number, require_one_of
from tapezoo.models.spectral_frames import require_context, require_frames, require_row
from tapezoo.net import Net, State, UndescribableError
from tapezoo.training.aim import Progress
from tapezoo.training.effect import EffectModel

Head = Literal["mask", "mapping"]
FRAMES_OF_SILENCE = (
    "every frame adds a spectrum of its own: in silence all frames have the same, a faint tone"
)
FAINTEST = 1e-12  # added to the power of a bin: silence has a gradient


class SpectralUNetNet(Net):
    """`Y[m] = (b + U(X)[m]) X[m - l]` or `b X[m - l] + U(X)[m]`, X and Y complex spectra of the input and the output.

    U is a `FrequencyUNet` of the bins' real and imaginary parts and magnitudes, b a trained complex gain for every bin,
    1 at first: an equaliser that leaves to U what is not linear. U's last two channels are a complex mask (Williamson,
    Wang, Wang, "Complex ratio masking for monaural speech separation", IEEE/ACM TASLP 24, 2016) or are added (a
    mapping). A mask cannot put energy into a bin that has none, such as a distant harmonic; a mapping can, but is
    not silent in silence.

    Frames have N samples, one every H (`ShortTimeFourier`). Frames of S samples are added for the output, so an error
    may be heard up to S - H samples before the sound it belongs to (pre-echo), like the noise of a codec.

    Receptive field: `N + S + (max(R, l + 1) - 2) H` samples with `R = 1 + (k - 1) (2^D - 1)` frames. Latency:
    `S - H + l H`, apart from the hop that a host has to gather. Parameters: those of `FrequencyUNet` with i = 3, o = 2,
    F = N / 2, and `N + 2`; 24660 at c = (16, 16, 24, 32), k = 3, N = 256, K = 0.

    Args:
        num_controls: Number of knobs, K, given to every level; the value at the end of a hop counts for all of it.
        channels: Of every level, c; D of them, each halving the bins.
        kernel_frames: Frames that a convolution hears, k, 2 or more; 2^l apart in level l.
        window_samples: Of a frame, N, a multiple of 2^(D + 1) and of H, 2 H to 2048.
        hop_samples: H, 1 or more; blocks are multiples of it.
        synthesis_samples: Of a frame of the output, S, a multiple of 2 H up to N; None: N. Shorter has less latency.
        lookahead_frames: Later frames that a frame's change depends on, l, 0 or more; H samples of latency each.
        head: "mask" or "mapping".
        input_scale: Factor on the weights of the spectrum at the start of training, 0.01 to 1000.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(
        self,
        num_controls: int,
        channels: Sequence[int] = (16, 16, 24, 32),
        kernel_frames: int = 3,
        window_samples: int = 256,
        hop_samples: int = 64,
        synthesis_samples: int | None = None,
        lookahead_frames: int = 0,
        head: Head = "mask",
        input_scale: float = 1.0,
    ) -> None:
        last = require_frames(channels, window_samples, hop_samples, synthesis_samples)
        receptive_field = require_context(
            channels, kernel_frames, window_samples, hop_samples, last, lookahead_frames
        )
        require_one_of("head", head, get_args(Head))
        require_number("input_scale", input_scale, *INPUT_SCALES)
        super().__init__(num_controls, receptive_field)
        self.fourier = ShortTimeFourier(window_samples, hop_samples, last)
        self.hop_samples, self.lookahead_frames, self.head = hop_samples, lookahead_frames, head
        self.latency_samples = self.fourier.latency_samples + lookahead_frames * hop_samples
        self.unet = FrequencyUNet(num_controls, 3, 2, channels, kernel_frames, window_samples // 2)
        self.gain = nn.Parameter(torch.zeros(2, 1, self.fourier.bins))  # b
        with torch.no_grad():
            self.gain[0] = 1.0
            self.unet.get_parameter("down.0.weight").mul_(input_scale)
            self.unet.get_parameter("up.0.weight").mul_(0.1)  # begins near the equaliser
        self.register_rest("past", self.fourier.past)
        self.register_rest("tail", self.fourier.tail)
        for level, shape in enumerate(self.unet.past_shapes):
            self.register_rest(f"past_{level}", torch.zeros(shape))
        if lookahead_frames:
            self.register_rest("waiting", torch.zeros(2, lookahead_frames, self.fourier.bins))
        if head == "mapping":
            vars(self).update(cannot_keep={"rest": FRAMES_OF_SILENCE})

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`; samples is a multiple of `hop_samples`."""
        trajectory, after = self.smoothed(controls, state, input.shape[-1])
        if trajectory.shape[-1] > 1:
            trajectory = trajectory[
                ..., self.hop_samples - 1 :: self.hop_samples
            ]  # as at the end of every hop
        X, after["past"] = self.fourier.analyse(input, state["past"])  # (batch, 2, frames, bins)
        magnitude = (X.square().sum(dim=1, keepdim=True) + FAINTEST).sqrt()
        features = torch.cat([X, magnitude], dim=1)[..., :-1]
        levels = range(len(self.unet.past_shapes))
        U, pasts = self.unet(features, trajectory, [state[f"past_{level}"] for level in levels])
        after |= {f"past_{level}": past for level, past in enumerate(pasts)}
        U = torch.cat([U, U[..., -1:]], dim=-1)  # the highest bin has its neighbour's
        if self.lookahead_frames:
            context = torch.cat([state["waiting"], X], dim=2)
            X, after["waiting"] = (
                context[:, :, : -self.lookahead_frames],
                context[:, :, -self.lookahead_frames :],
            )
        Y = _times(self.gain + U, X) if self.head == "mask" else _times(self.gain, X) + U
        output, after["tail"] = self.fourier.synthesise(Y, state["tail"])
        return output, after

    def described(self) -> Architecture:
        """See `Net.described`."""
        raise UndescribableError(
            self,
            f"a short-time Fourier transform, {self.latency_samples} samples late: what is written from descriptions "
            "has no layer for it, and no lookahead",
        )

    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: FiLM is folded into the convolutions before it."""
        net = self.without_knobs()
        net.unet.hold(controls)
        return net


def _times(a: Tensor, b: Tensor) -> Tensor:
    """The product of complex numbers whose real and imaginary parts lie on axis -3."""
    a_real, a_imaginary = a.unbind(-3)
    b_real, b_imaginary = b.unbind(-3)
    real = a_real * b_real - a_imaginary * b_imaginary
    return torch.stack([real, a_real * b_imaginary + a_imaginary * b_real], dim=-3)


class SpectralUNet(EffectModel):
    """Trains a `SpectralUNetNet`."""

    net_class = SpectralUNetNet

    def train_on(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """See `EffectModel.train_on`.

        Raises:
            ModelArgumentError: A context longer than a row of the batch, whose far end would never hear anything.
        """
        channels, kernel_frames = self.hparams["channels"], self.hparams["kernel_frames"]
        require_row(channels, kernel_frames, self.hparams["hop_samples"], batch.input.shape[-1])
        return super().train_on(batch, progress)
