"""What preparing a recording has to say: remarks, and the verdict that follows from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tapezoo.terminal import plain

Effect = Literal["note", "corrected", "limits", "refused"]
Verdict = Literal["good", "usable", "not usable"]


@dataclass(frozen=True)
class Remark:
    """One fact about a pair or about the whole data set.

    Args:
        effect: "note": a figure; "corrected": it was mended; "limits": what can be learnt is limited by it;
            "refused": the recording cannot be used as it is.
        kind: Stable short name, for programs: "delay", "polarity", "noise_floor", ...
        text: What was found, in figures.
        advice: What follows from it, or what to do; may be empty.
    """

    effect: Effect
    kind: str
    text: str
    advice: str = ""

    @property
    def full(self) -> str:
        """What was found, and what follows from it."""
        return f"{self.text}; {self.advice}" if self.advice else self.text

    def __str__(self) -> str:
        return plain(f"{self.effect}: {self.full}")


def verdict_of(remarks: Iterable[Remark]) -> Verdict:
    """The worst effect decides: one refusal makes a recording not usable, one limit makes it at best usable."""
    effects = {remark.effect for remark in remarks}
    if "refused" in effects:
        return "not usable"
    return "usable" if "limits" in effects else "good"


def because(remarks: Iterable[Remark]) -> list[str]:
    """The texts that decide the verdict; empty for a good one."""
    told = list(remarks)
    decisive: Effect = "refused" if verdict_of(told) == "not usable" else "limits"
    return [remark.text for remark in told if remark.effect == decisive]
