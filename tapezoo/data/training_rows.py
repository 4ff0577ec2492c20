"""Where training rows may start, how much silence is among them, and how loud each setting is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.cache import Store
from tapezoo.data.findings import Finding
from tapezoo.data.segments import Region, regions_by_setting, setting_numbers
from tapezoo.data.silence import Pieces, pieces_of, silent_stretches
from tapezoo.data.split_checks import SILENT_RMS
from tapezoo.data.streams import energy


def training_pieces(
    store: Store, regions: Sequence[Region], row_samples: int, silent_share: float, sample_rate: int
) -> list[Pieces]:
    """Where rows may start, for each setting.

    Args:
        store: Of the prepared audio.
        regions: Of the training split.
        row_samples: Burn-in and segment.
        silent_share: Largest share of rows that are silent in dry and wet, 0 to 1.
        sample_rate: In Hz.
    """
    silent = [
        silent_stretches(
            store.input(region.row, region.start, region.stop),
            store.target(region.row, region.start, region.stop),
            sample_rate,
        )
        for region in regions
    ]
    return [
        pieces_of(
            [regions[member].length for member in members],
            [silent[member] for member in members],
            row_samples,
            silent_share,
        )
        for members in regions_by_setting(regions)
    ]


def silence_findings(pieces: Sequence[Pieces]) -> list[Finding]:
    """What the user is told of the silence that training leaves out."""
    before, after = np.mean([(piece.silent_before, piece.silent_after) for piece in pieces], axis=0)
    if before == after:
        return []
    text = (
        f"{before:.0%} of the rows would be silent in dry and wet; they are left out up to a share of "
        f"{after:.0%} of the rows (--data.silent_share)"
    )
    return [Finding("corrected", "silence", "training", text)]


def balance_scales(store: Store, regions: Sequence[Region]) -> NDArray[np.float32]:
    """(regions,): one over the RMS of the training target of each region's setting."""
    settings = np.asarray(setting_numbers(regions))
    energies, samples = np.zeros(len(regions)), np.zeros(len(regions))
    for setting, region in zip(settings, regions, strict=True):
        energies[setting] += energy(store.target(region.row, region.start, region.stop))
        samples[setting] += region.length
    rms = np.sqrt(energies / np.maximum(samples, 1))
    # a setting that is silent throughout has nothing to be divided by
    scales: NDArray[np.float32] = (1 / np.maximum(rms, SILENT_RMS))[settings].astype(np.float32)
    return scales
