"""MODEL_CARD.md: the manifest for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tapezoo.bundle import Manifest


def model_card(manifest: Manifest) -> str:
    """The card's text, in Markdown; everything in it stands in the manifest."""
    memory = manifest.receptive_field
    facts = [
        ("Architecture", manifest.architecture),
        ("Sample rate", f"{manifest.sample_rate} Hz"),
        ("Latency", f"{manifest.latency_samples} samples"),
        ("Memory", "unbounded (recurrent)" if memory is None else f"{memory} samples"),
        (
            "Block length",
            "any" if manifest.hop_samples == 1 else f"multiples of {manifest.hop_samples} samples",
        ),
        (
            "At rest after",
            f"{manifest.settle_samples} samples of silence at other controls than the defaults",
        ),
    ]
    controls = [
        (c.name, f"{c.min:g}", f"{c.max:g}", f"{c.default:g}", c.unit or "-", c.curve)
        for c in manifest.controls
    ]
    metrics = [
        (name, "not finite" if value is None else f"{value:.6g}") for name, value in manifest.metrics.items()
    ]
    speeds = [
        (target, f"{float(factor):.1f}", block)
        for target, cost in manifest.cost.items()
        for block, factor in cost["real_time_factor"].items()
    ]
    processor = next((str(cost["processor"]) for cost in manifest.cost.values()), "unknown")
    parity = [
        (row["target"], row["case"], f"{row['max_abs_error']:.2g}", f"{row['tolerance']:.2g}")
        for row in manifest.parity
    ]
    parts = [
        f"# {manifest.architecture}",
        "Written from `manifest.json` by `tapezoo export`.",
        _table(("", ""), facts),
        "## Controls",
        _table(("name", "min", "max", "default", "unit", "curve"), controls) if controls else "None.",
        "## Quality",
        "As training measured it on its validation split.",
        _table(("metric", "value"), metrics) if metrics else "No figures were given.",
        "## Files",
        _table(("target", "file"), manifest.targets.items()),
        "Signature of every target: `(input, controls, state...) -> (output, next state...)`, with `input` "
        "(batch, 1, samples), full scale +-1, and `controls` (batch, number of controls) in 0..1. The first "
        "state is in `rest_state.npz`.",
        f"## Speed on one thread of {processor}",
        _table(("target", "times real time", "block, samples"), speeds),
        "## Parity",
        "Largest difference from the net on real audio, in sample values; `net` is the net itself in blocks "
        "against its own output in one piece.",
        _table(("target", "case", "largest error", "allowed"), parity),
        "## Provenance",
        _table(("", ""), _flat(manifest.provenance)),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for name, value in tree.items():
        rows += (
            _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(prefix + name, str(value))]
        )
    return rows
