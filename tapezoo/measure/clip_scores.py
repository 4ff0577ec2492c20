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
        esr_delay_kept: As `esr`, with only a constant delay taken off; None: there is no other.
    """

    name: str
    esr: float
    linear_floor: float
    esr_delay_kept: float | None = None


def score_clips(
    energies: Mapping[str, tuple[float, float]],
    rows: Sequence[Row],
    floor: LinearFloor,
    skip_samples: int,
    energies_delay_kept: Mapping[str, tuple[float, float]] | None = None,
) -> tuple[list[ClipScore], ClipScore]:
    """A score per clip, and one of all of them together.

    Args:
        energies: Of error and target, by clip.
        rows: The clips.
        floor: Of the training split.
        skip_samples: Unscored at the start of each clip.
        energies_delay_kept: As `energies`, with only a constant delay taken off; none: the delay stands still.
    """
    kept = energies_delay_kept or {}
    clips = [
        ClipScore(
            row.name,
            esr(*energies[row.name]),
            floor.esr([row], skip_samples),
            esr(*kept[row.name]) if kept else None,
        )
        for row in rows
    ]
    together = ClipScore(
        "all", _esr_of_all(energies), floor.esr(rows, skip_samples), _esr_of_all(kept) if kept else None
    )
    return clips, together


def _esr_of_all(energies: Mapping[str, tuple[float, float]]) -> float:
    error, energy = (sum(part) for part in zip(*energies.values(), strict=True))
    return esr(error, energy)
