"""What a data set's splits must hold before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tapezoo.data.cache import Store
from tapezoo.data.errors import DataError
from tapezoo.data.findings import Finding
from tapezoo.data.segments import Region
from tapezoo.data.splits import Split
from tapezoo.data.streams import deviation

SILENT_RMS = 1e-4  # -80 dBFS


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
                found="a target that is silent throughout",
                expected="programme to train and to validate on",
                fix="Name splits by file in a pairs file, or use recordings that play to their end.",
            )
        text = "silent throughout, so its ESR means nothing; name splits by file in a pairs file instead"
        findings.append(Finding("warning", "silent_split", split, text))
    return findings
