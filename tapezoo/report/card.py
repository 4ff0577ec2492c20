"""MODEL_CARD.md: the manifest in readable form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tapezoo.bundle import Manifest
from tapezoo.bundle.grid.index import read_grid_index
from tapezoo.measure.steadiness import Steadiness
from tapezoo.report.floor import beside_floor_text
from tapezoo.report.page import Heading, Part, Picture, page_markdown
from tapezoo.report.steadiness import verdict_text
from tapezoo.report.tables import text_table

PICTURES = {  # drawn by `tapezoo.export.pictures`
    "pictures/waveforms.png": "The golden audio, dry and through the net",
    "pictures/spectrograms.png": "Spectrograms of the golden audio, dry and through the net",
    "pictures/transfer_curve.png": "Output over input for one period of a sine at several levels",
}
OF_TAPES = {  # by `tapezoo.export.tape_picture`
    "pictures/tape.png": "The golden audio through the nonlinearity alone, then with one part after another",
}


def model_card(manifest: Manifest, root: Path) -> str:
    """The card's text, in Markdown; see `card_parts`."""
    return page_markdown(card_parts(manifest, root))


def card_parts(manifest: Manifest, root: Path) -> list[Part]:
    """The card; everything in it comes from the manifest or the grid's index.

    Args:
        manifest: Of the bundle.
        root: Its folder, with every other file in it.
    """
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
        ("Rest state", _rest_text(manifest, root)),
    ]
    controls = [
        (c.name, f"{c.min:g}", f"{c.max:g}", f"{c.default:g}", c.unit or "-", c.curve)
        for c in manifest.controls
    ]
    metrics = [
        (name, "not finite" if value is None else f"{value:.6g}") for name, value in manifest.metrics.items()
    ]
    steadiness = Steadiness.of_metrics(manifest.metrics)
    speeds = [
        (target, f"{float(factor):.1f}", block)
        for target, cost in manifest.cost.items()
        for block, factor in cost["real_time_factor"].items()
    ]
    processor = next((str(cost["processor"]) for cost in manifest.cost.values()), "unknown")
    if manifest.max_block_samples is not None:
        facts.append(("Longest practical block", f"{manifest.max_block_samples} samples"))
    return [
        Heading(manifest.architecture, level=1),
        "Written from `manifest.json` by `tapezoo export`.",
        text_table(("", ""), facts),
        *(Picture(file, text) for file, text in {**PICTURES, **OF_TAPES}.items() if (root / file).is_file()),
        Heading("Controls"),
        text_table(("name", "min", "max", "default", "unit", "curve"), controls)
        if controls
        else "The model has no knobs.",
        *_tape(manifest),
        Heading("Quality"),
        _measured_where(manifest),
        text_table(("metric", "value"), metrics) if metrics else "No figures were given.",
        *_beside_floor(manifest),
        *([f"Steadiness: {verdict_text(steadiness)}"] if steadiness is not None else []),
        *_targets(manifest),
        Heading(f"Speed on one thread of {processor}"),
        text_table(("target", "times real time", "block, samples"), speeds),
        *_parity(manifest),
        *_degradation(manifest, root),
        *_grid(manifest, root),
        Heading("Provenance"),
        text_table(("", ""), _flatten(manifest.provenance)),
    ]


def _measured_where(manifest: Manifest) -> str:
    """On what, and at which sample rate if it is not the bundle's."""
    trained = manifest.provenance.get("trained_sample_rate")
    if trained is None:
        return "As training measured it on its validation split."
    return (
        f"As training measured it on its validation split, at {trained} Hz. The bundle plays the same weights at "
        f"{manifest.sample_rate} Hz, where the error was not measured."
    )


def _rest_text(manifest: Manifest, root: Path) -> str:
    """From where a player starts, and what it does at knob settings that no state is stored for."""
    if not (root / "rest_state.npz").is_file():  # a grid of nets alone
        return f"a player first plays {manifest.settle_samples} samples of silence"
    stored = "in `rest_state.npz`, so that a player starts without a click"
    if not manifest.controls:
        return stored
    return (
        f"{stored}; it is that of the controls' defaults: at other settings a player first plays "
        f"{manifest.settle_samples} samples of silence"
    )


def _tape(manifest: Manifest) -> list[Part]:
    """What stands behind the nonlinearity of a bundle that `tapezoo assemble` made."""
    made_of = manifest.provenance.get("tape")
    if made_of is None:
        return []
    loops = [
        f"the {part.replace('_', ' ')}, a loop of {float(made_of[part]['loop_seconds']):.1f} s"
        for part in ("modulation_noise", "transport", "noise")
        if part in made_of
    ]
    return [
        Heading("Tape"),
        f"Behind the nonlinearity: {'; '.join(loops)}. Nothing random is computed while it plays: after so long a "
        "loop begins anew, without a seam. A host that wants another take sets the "
        "states of `endless_states` to any number of samples, 0 or more, before the first block. Figures called "
        "nonlinearity_ are of the nonlinearity alone.",
    ]


def _beside_floor(manifest: Manifest) -> list[Part]:
    """The error beside that of the best linear filter, if the training measured it."""
    floor, own = manifest.provenance.get("linear_floor"), manifest.metrics.get("val_esr")
    if floor is None or own is None:
        return []
    text = beside_floor_text(own, float(floor))
    return [f"The best linear filter reaches a val_esr of {float(floor):.6g} there: {text}."]


def _targets(manifest: Manifest) -> list[Part]:
    """The files that hold the net; none in a bundle that is a grid alone."""
    if not manifest.targets:
        return []
    return [
        Heading("Files"),
        text_table(("target", "file"), manifest.targets.items()),
        "Signature of every target: `(input, controls, state...) -> (output, next state...)`, with `input` "
        "(batch, 1, samples), full scale +-1, and `controls` (batch, number of controls) in 0..1. The first "
        "state is in `rest_state.npz`.",
    ]


def _parity(manifest: Manifest) -> list[Part]:
    """How far every target is from the net; for points of a grid the index has it."""
    if not manifest.parity:
        return []
    rows = [
        (row["target"], row["case"], f"{row['max_abs_error']:.2g}", f"{row['tolerance']:.2g}")
        for row in manifest.parity
    ]
    return [
        Heading("Parity"),
        "Largest difference from the net on real audio, in sample values; `net` is the net itself in blocks "
        "against its own output in one piece.",
        *(
            ["`grid_cpp` is the grid as C++, against the player of grids."]
            if any(row["target"] == "grid_cpp" for row in manifest.parity)
            else []
        ),
        *_reach(manifest),
        text_table(("target", "case", "largest error", "allowed"), rows),
    ]


def _reach(manifest: Manifest) -> list[Part]:
    if manifest.reach == 1:
        return []
    return [
        f"Compared up to {manifest.reach:.1%} of the way from the controls' defaults to the ends of their ranges: "
        "farther out the net itself amplifies rounding errors, and may sound different on every processor."
    ]


def _degradation(manifest: Manifest, root: Path) -> list[Part]:
    """The table of lossy targets, where there are any; size and speed beside those of the `onnx` target."""
    if not manifest.degradation:
        return []
    plain = root / manifest.targets.get("onnx", "")
    rows = []
    for row in manifest.degradation:
        size, own = int(row["size_bytes"]), manifest.cost.get(row["target"])
        ratios = ["-", "-"]
        if plain.is_file():
            ratios[0] = f"{size / plain.stat().st_size:.2f}"
        if own and "onnx" in manifest.cost:
            blocks = manifest.cost["onnx"]["real_time_factor"].items()
            ratios[1] = ", ".join(
                f"{own['real_time_factor'][block] / factor:.2f} at {block}" for block, factor in blocks
            )
        errors = (f"{row['esr']:.2g}", f"{row['max_esr']:.2g}", f"{row['max_abs_error']:.2g}")
        rows.append((row["target"], *errors, str(size), *ratios))
    head = ("target", "ESR", "allowed", "largest error", "bytes", "size : onnx", "speed : onnx")
    return [
        Heading("Losses"),
        "Targets that are smaller or faster but less accurate: the energy of their error over the net's, all "
        "golden cases together.",
        text_table(head, rows),
    ]


def _grid(manifest: Manifest, root: Path) -> list[Part]:
    """What the grid holds, where there is one."""
    if manifest.grid is None:
        return []
    grid = read_grid_index(root, manifest)
    units = {control.name: control.unit for control in manifest.controls}
    axes = [
        (axis.control, units[axis.control] or "-", " ".join(f"{value:g}" for value in axis.values))
        for axis in grid.axes
    ]
    facts = [
        ("Points", f"{len(grid.points)}, {grid.kind}"),
        ("Between points", f"{grid.rule} are interpolated"),
        ("One point's tensors", f"{grid.size_bytes} bytes"),
        ("Largest parity error of a point", f"{max(point.max_abs_error for point in grid.points):.2g}"),
        *((f"Held: {name}", f"{value:g} {units[name]}".strip()) for name, value in grid.held.items()),
        *(
            (f"Error: {name}", f"{value:.2g}" if isinstance(value, float) else str(value))
            for name, value in grid.error.items()
            if name != "cells" and value is not None
        ),
    ]
    return [Heading("Grid"), text_table(("", ""), facts), text_table(("axis", "unit", "points"), axes)]


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for name, value in tree.items():
        rows += (
            _flatten(value, f"{prefix}{name}.")
            if isinstance(value, Mapping)
            else [(prefix + name, str(value))]
        )
    return rows
