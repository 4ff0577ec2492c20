"""What came out of a training, as the description of its run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tapezoo.report.floor import beside_floor_text


def verdict_markdown(
    figures: Mapping[str, tuple[float, float]], ended: str, recordings: str, advice: Sequence[str]
) -> str:
    """A few lines of Markdown.

    Args:
        figures: Error energy over target energy, and the same of the best linear filter, by split.
        ended: Why the training ended.
        recordings: What it was trained on.
        advice: What holds the model back.
    """
    lines = [
        f"- {split}: ESR **{esr:.5f}**, {beside_floor_text(esr, floor)}"
        for split, (esr, floor) in figures.items()
        if not math.isnan(esr)
    ]
    lines += [f"- trained on {recordings}", f"- ended after {ended}"]
    lines += [f"- advice: {text}" for text in advice]
    lines.append("- listen and look: `report/report.html` among the artifacts")
    return "\n".join(lines)
