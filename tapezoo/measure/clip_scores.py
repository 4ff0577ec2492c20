"""Errors clip by clip, each beside its linear floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tapezoo.data.module import Row
from tapezoo.esr import esr
from tapezoo.measure.floor import LinearFloor


@dataclass(frozen=True)
class ClipScore:
    """One clip.

    Args:
        name: As the data call it.
        esr: Error energy over target energy; NaN where the target is silent.
        linear_floor: The same of the linear filters.
    """

    name: str
    esr: float
    linear_floor: float


def score_clips(
    energies: Mapping[str, tuple[float, float]], rows: Sequence[Row], floor: LinearFloor, skip_samples: int
) -> tuple[list[ClipScore], ClipScore]:
    """A score per clip, and one of all of them together.

    Args:
        energies: Of error and target, by clip.
        rows: The clips.
        floor: Of the training split.
        skip_samples: Unscored at the start of each clip.
    """
    clips = [ClipScore(row.name, esr(*energies[row.name]), floor.esr([row], skip_samples)) for row in rows]
    error, energy = (sum(part) for part in zip(*energies.values(), strict=True))
    return clips, ClipScore("all", esr(error, energy), floor.esr(rows, skip_samples))
