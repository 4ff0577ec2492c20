"""What a data set's splits must hold before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from tapezoo.data.batch import LEAST_DELAY_SAMPLES
from tapezoo.data.cache import Store
from tapezoo.data.errors import DataError
from tapezoo.data.findings import Finding
from tapezoo.data.segments import Region
from tapezoo.data.splits import Split
from tapezoo.data.streams import deviation

SILENT_RMS = 1e-4  # -80 dBFS
GRID_SAMPLES = 64  # spacing at which a delay is checked: it moves by hundredths of a sample in between


def check_not_empty(regions: Mapping[Split, Sequence[Region]]) -> None:
    """Raises DataError where there is nothing to train or to validate on."""
    for split, own in regions.items():
        if not own and split != "test":
            raise DataError(
                "the pairs",
                found=f"no recording in the split {split!r}",
                expected="audio to train and to validate on",
                fix=f"Mark a pair with 'split: {split}', or leave 'split' out to split by time.",
            )


def silent_split_findings(store: Store, regions: Mapping[Split, Sequence[Region]]) -> list[Finding]:
    """A warning where the test split is silent throughout.

    Raises:
        DataError: Training or validation are.
    """
    findings = []
    for split, own in regions.items():
        targets = (store.target(region.row, region.start, region.stop) for region in own)
        if not own or any(deviation(target)[1] >= SILENT_RMS for target in targets):
            continue
        if split != "test":
            raise DataError(
                f"the split {split!r}",
                found="a target that is completely silent",
                expected="sound to train and to validate on",
                fix="Assign files to splits in a pairs file, or use recordings without long silence at the end.",
            )
        text = "completely silent, so its ESR is meaningless; assign files to splits in a pairs file instead"
        findings.append(Finding("warning", "silent_split", split, text))
    return findings


def check_given_delay(
    store: Store, regions: Sequence[Region], burn_in_samples: int, segment_samples: int
) -> None:
    """Raises DataError where a model that is given its delay would need input from before its burn-in.

    Args:
        store: Of the prepared audio.
        regions: Of the training split.
        burn_in_samples: Unscored at the start of each row.
        segment_samples: Scored after it.
    """
    points = -(-(burn_in_samples + segment_samples) // GRID_SAMPLES) + 1
    for region in regions:
        if not region.row.gives_delay:
            continue
        delay = np.array(store.delay(region.row, region.start, region.stop)[::GRID_SAMPLES])
        spread = maximum_filter1d(delay, points) - minimum_filter1d(delay, points)
        needed = int(np.ceil(spread.max())) + 2 * LEAST_DELAY_SAMPLES + 2
        if needed > burn_in_samples:
            raise DataError(
                region.name,
                found=f"a delay that changes by {spread.max():.1f} samples within a row, and a burn-in of "
                f"{burn_in_samples}",
                expected=f"a burn-in of {needed} samples or more, which holds the output before the delay",
                fix=f"Pass --data.burn_in_samples {needed}, or --data.delay remove.",
            )
