"""What the checks found without refusing the data: the lines a user reads before training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from tapezoo.terminal import plain

Severity = Literal["note", "corrected", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing found in the audio.

    Args:
        severity: "corrected": it was mended; "warning": it was kept, the user should know; "note": a figure.
        kind: Stable short name, for tests and tables: "header", "delay", "tail", "polarity", "dc", "clipping",
            "over_full_scale", "drift", "jump", "onset", "delay_file", "unaligned", "offset", "repeated",
            "noise_floor", "decay", "silence",
            "silent_split".
        subject: The file or row it is about.
        text: What was found and what follows from it, as one sentence.
        share: Of the samples that it is about, 0..1, where they were counted: the largest one of a kind is told first.
    """

    severity: Severity
    kind: str
    subject: str
    text: str
    share: float = 0.0

    def __str__(self) -> str:
        return plain(f"{self.severity}: {self.subject}: {self.text}")  # a name cannot begin a line of its own

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as the cache index stores them."""
        return asdict(self)
