"""Checks of what nets with spectra have in common: frames, hops, and how far a U-Net of them hears."""

from __future__ import annotations

from collections.abc import Sequence

from tapezoo.layers.frequency_unet import reach_frames
from tapezoo.layers.short_time_fourier import LONGEST_WINDOW_SAMPLES
from tapezoo.models.arguments import WIDEST, ModelArgumentError, require_reach, require_whole, require_wholes


def require_frames(
    channels: Sequence[int], window_samples: int, hop_samples: int, synthesis_samples: int | None
) -> int:
    """The length of the synthesis window, after the arguments of all frames have been checked.

    Raises:
        ModelArgumentError: One of them is out of its range.
    """
    require_wholes("channels", channels, 1, WIDEST)
    require_whole("window_samples", window_samples, 2, LONGEST_WINDOW_SAMPLES)
    least = 2 ** (len(channels) + 1)
    if window_samples % least:
        levels = (window_samples & -window_samples).bit_length() - 2
        raise ModelArgumentError(
            "window_samples",
            f"{window_samples} beside {len(channels)} channels, each of which halves the bins",
            f"a multiple of {least}" + (f", or at most {levels} channels" if levels > 0 else ""),
        )
    require_whole("hop_samples", hop_samples, 1, window_samples // 2)
    if window_samples % hop_samples:
        divisors = [str(hop) for hop in range(1, window_samples // 2 + 1) if window_samples % hop == 0]
        raise ModelArgumentError(
            "hop_samples",
            repr(hop_samples),
            f"a divisor of window_samples, {window_samples}: {', '.join(divisors)}",
        )
    last = window_samples if synthesis_samples is None else synthesis_samples
    name = "hop_samples" if synthesis_samples is None else "synthesis_samples"
    require_whole(name, last, 2 * hop_samples, window_samples)
    if last % (2 * hop_samples):
        raise ModelArgumentError(
            name,
            f"{hop_samples if synthesis_samples is None else last} beside {window_samples} window_samples",
            f"a synthesis window that is a multiple of two hops, {2 * hop_samples}, up to {window_samples}",
        )
    return last


def require_context(
    channels: Sequence[int],
    kernel_frames: int,
    window_samples: int,
    hop_samples: int,
    synthesis_samples: int,
    lookahead_frames: int,
) -> int:
    """The receptive field in samples, after the arguments that set it have been checked.

    Raises:
        ModelArgumentError: One of them is out of its range, or it would be too long.
    """
    require_whole("kernel_frames", kernel_frames, 2, WIDEST)
    require_whole("lookahead_frames", lookahead_frames, 0, WIDEST)
    frames = max(reach_frames(kernel_frames, len(channels)), lookahead_frames + 1)
    receptive_field = window_samples + synthesis_samples + (frames - 2) * hop_samples
    require_reach("kernel_frames", kernel_frames, receptive_field)
    return receptive_field


def require_row(channels: Sequence[int], kernel_frames: int, hop_samples: int, row_samples: int) -> None:
    """Raises ModelArgumentError if the U-Net hears more frames than a training row has: some would never be heard."""
    levels, possible = len(channels), row_samples // hop_samples
    frames = reach_frames(kernel_frames, levels)
    if frames > possible:
        raise ModelArgumentError(
            "kernel_frames",
            found=f"{kernel_frames} in {levels} levels, which hear {frames} frames of {hop_samples} samples",
            expected=f"at most {possible} in a training row of {row_samples} samples, burn-in and segment together: "
            "fewer frames or levels, a shorter hop, or a longer --data.segment_samples",
        )
