"""U-Net over the frequencies of a spectrogram, causal in time, whose past frames are passed in and returned."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from tapezoo.layers.affine import Affine, fold_into_previous
from tapezoo.layers.conditioning import FiLM

KERNEL_BINS = 4  # with a stride of 2: every bin is heard by two neighbours, the first and the last by one


class FrequencyUNet(nn.Module):
    """`h_l = silu(film_l(W_l * h_{l-1} + b_l))` on half the bins each time; back up, `silu(V_l * h'_l) + h_{l-1}`.

    Ronneberger, Fischer, Brox, "U-Net: convolutional networks for biomedical image segmentation", MICCAI 2015, over
    one axis: `W_l` halves the bins, `V_l` doubles them again. As in the spectral branch of Défossez, "Hybrid
    spectrogram and waveform source separation", 2021, frames are never thinned out, and what was left on the way down
    is added on the way up, not appended. `W_l` also reaches back in time, k frames that are 2^l apart. The lowest level
    has a trained offset per bin and channel, without which no bin would know its frequency.

    Parameters with c_0 ... c_{D-1} channels, i inputs, o outputs, F bins, K controls: `sum_l c_l (4 k c_{l-1} + 1)`,
    c_{-1} = i, and `sum_l c_{l-1} (4 c_l + 1)`, c_{-1} = o, and `c_0 F / 2`, and `2 (K + 1) sum_l c_l` where K > 0.

    Args:
        num_controls: K, 0 or more; they modulate every level on the way down.
        in_channels: i.
        out_channels: o.
        channels: c, one number for each level, D of them.
        kernel_frames: Taps in time, k, 2 or more.
        bins: F, a multiple of 2^D.
    """

    def __init__(
        self,
        num_controls: int,
        in_channels: int,
        out_channels: int,
        channels: Sequence[int],
        kernel_frames: int,
        bins: int,
    ) -> None:
        super().__init__()
        self.context_frames = reach_frames(kernel_frames, len(channels))
        self.past_shapes = []
        self.down, self.up, self.films = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level, (before, after) in enumerate(pairwise([in_channels, *channels])):
            back = (kernel_frames - 1) * 2**level
            self.past_shapes.append((before, back, bins // 2**level))
            kernel = (kernel_frames, KERNEL_BINS)
            self.down.append(nn.Conv2d(before, after, kernel, (1, 2), (0, 1), (2**level, 1)))
            self.films.append(FiLM(num_controls, after))
        for after, before in pairwise([out_channels, *channels]):
            self.up.append(nn.ConvTranspose2d(before, after, (1, KERNEL_BINS), (1, 2), (0, 1)))
        self.offset = nn.Parameter(0.1 * torch.randn(channels[0], 1, bins // 2))

    def forward(self, h: Tensor, controls: Tensor, pasts: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The outputs, and the `pasts` for the next block.

        Args:
            h: The block, one frame or more.
            controls: One setting for every row, or one for every row and frame.
            pasts: Of every level, the frames before the block, as in `past_shapes`.

        Shape:
            h: (batch, in_channels, frames, bins); controls: (batch, K, 1 or frames);
            outputs: (batch, out_channels, frames, bins).
        """
        heard, after = [], []
        for level, (convolve, film, past) in enumerate(zip(self.down, self.films, pasts, strict=True)):
            context = torch.cat([past, h], dim=2)
            u = convolve(context)
            if level == 0:
                u = u + self.offset
            h = silu(_modulated(film, u, controls))
            heard.append(h)
            after.append(context[:, :, -int(past.shape[2]) :])  # int: a constant in exported graphs
        for level in range(len(self.up) - 1, 0, -1):
            h = silu(self.up[level](h)) + heard[level - 1]
        return self.up[0](h), after

    @torch.no_grad()
    def hold(self, controls: Tensor) -> None:
        """Fixes the controls (K,) and folds them into the convolutions."""
        for level, (convolve, film) in enumerate(zip(self.down, self.films, strict=True)):
            assert isinstance(convolve, nn.Conv2d)
            assert isinstance(film, FiLM)
            constant = film.held(controls)
            if not isinstance(constant, Affine):
                continue
            if level == 0:
                gain = torch.diag(constant.matrix)
                self.offset = nn.Parameter(gain.reshape(-1, 1, 1) * self.offset)
            weight, bias = fold_into_previous(constant, convolve.weight, convolve.bias)
            convolve.weight, convolve.bias = nn.Parameter(weight), nn.Parameter(bias.clone())
            self.films[level] = FiLM(0, convolve.out_channels)


def reach_frames(kernel_frames: int, levels: int) -> int:
    """Frames that an output depends on: `1 + (k - 1) (2^D - 1)`."""
    return 1 + (kernel_frames - 1) * ((1 << levels) - 1)


def _modulated(film: nn.Module, u: Tensor, controls: Tensor) -> Tensor:
    """FiLM of (batch, channels, frames, bins) by controls that count for all bins of a frame."""
    rows, channels, _, bins = u.shape
    if controls.shape[-1] > 1:
        controls = controls.unsqueeze(-1).expand(-1, -1, -1, bins).flatten(2)
    modulated: Tensor = film(u.flatten(2), controls, {})[0]
    return modulated.reshape(rows, channels, -1, bins)
