"""Which recordings train and which validate and test: by file where there are several short ones, else by time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tapezoo.data.settings import Setting
from tapezoo.data.splits import Split

LEAST_FILES = 5  # by file: three to train on, and one each
LONG_S = 20.0  # a recording that is longer is cut by time: all its material is then in each split
SHARE = 0.1  # of the files, each for validation and for test


@dataclass(frozen=True)
class Candidate:
    """What is known of a pair when it gets its split.

    Args:
        source: What was played, such as a hash; pairs of one source stay together.
        setting: Of the controls.
        seconds: Length.
        level_db: RMS of the loudest moments of dry, dBFS.
        centroid_hz: Centre of dry's spectrum.
        given: The split that the user named.
        held_out: Its setting is kept from training.
    """

    source: str
    setting: Setting
    seconds: float
    level_db: float
    centroid_hz: float
    given: Split | None = None
    held_out: bool = False


def share_out(candidates: Sequence[Candidate]) -> list[Split | None]:
    """A split for each pair; None: the pair is split by time.

    What the user named stays. Five and more short recordings of different material are split by file: those that
    are most like all the others validate and test, so that neither is a special case.
    """
    given = [candidate.given for candidate in candidates]
    if any(given) or any(candidate.held_out for candidate in candidates):
        return given
    sources = list(dict.fromkeys(candidate.source for candidate in candidates))
    if len(sources) < LEAST_FILES or np.median([candidate.seconds for candidate in candidates]) > LONG_S:
        return given
    firsts = [next(own for own in candidates if own.source == source) for source in sources]
    levels = np.array([candidate.level_db for candidate in firsts])
    octaves = np.log2([max(candidate.centroid_hz, 1.0) for candidate in firsts])
    # 6 dB of level count as much as an octave of centroid
    apart = np.hypot((levels - np.median(levels)) / 6, octaves - np.median(octaves))
    order = [sources[number] for number in np.argsort(apart, kind="stable")]
    count = max(1, round(SHARE * len(sources)))
    test, val = set(order[:count]), set(order[count : 2 * count])
    chosen: list[Split | None] = [
        "test" if own.source in test else "val" if own.source in val else "train" for own in candidates
    ]
    for setting in {candidate.setting for candidate in candidates}:
        held = {split for split, own in zip(chosen, candidates, strict=True) if own.setting == setting}
        if len(held) < 3:  # the setting would lack a split
            return given
    return chosen
