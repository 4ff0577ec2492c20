"""A measurement's page: what was found first, then sound, pictures and all figures."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, cast

from tapezoo.errors import TapezooError
from tapezoo.measure.machine.figures import Figure
from tapezoo.measure.pair_scores import SEEN
from tapezoo.report.floor import beside_floor_text
from tapezoo.report.html.document import PAGE, figure, paragraph, pictures, prose, table, write_document
from tapezoo.report.html.player import HOW, not_heard_text, player, read_signals
from tapezoo.report.measured import figures_table
from tapezoo.run_files import MEASUREMENT

PASSAGES = "passages.csv"
KINDS = {"command": str, "is_recording": bool, "sources": list, "figures": list, "labels": dict}
MOST_DECIMALS = 9
PICTURES = {  # in the order of the page, and what they show
    "response.png": "Gain and group delay over frequency, of a quiet sweep. Dashed: the second machine, here as below.",
    "harmonics.png": "Harmonics of a 1 kHz sine, relative to the fundamental, over its level.",
    "loops.png": "Output over input for one period of a low sine at several levels: saturation, and hysteresis as open "
    "loops.",
    "dynamics.png": "Gain of a tone that becomes loud and quiet again: attack and release of a compressor.",
    "noise.png": "Spectrum of what comes out when nothing goes in.",
}


def write_measure_page(folder: Path) -> Path:
    """Writes FOLDER/report.html from what `tapezoo measure --out FOLDER` left there, anew each time.

    Raises:
        TapezooError: There is no measurement, or one of another version of tapezoo.
        UnwritableOutputError: The page cannot be written, or the disk is full.
    """
    document = _read(folder)
    names = document["sources"]
    title = " against ".join(names)
    body = [
        f"<h1>{escape(title)}</h1>",
        *_verdict(document),
        *_remarks(document.get("remarks", [])),
        *_listening(folder, document),
        *pictures([part for name, text in PICTURES.items() for part in figure(folder / name, text)]),
        *_differences(document, title),
        "<h2>Figures</h2>",
        paragraph("docs/measure.md and docs/metrics.md say how each is defined. A dash: there is none."),
        *table(figures_table(names, _figures(document, document["figures"], document.get("missing", [])))),
        "<h2>How it was made</h2>",
        f"<pre>{escape(document['command'])}</pre>",
    ]
    return write_document(folder / PAGE, title, body)


def _read(folder: Path) -> dict[str, Any]:
    try:
        document = json.loads((folder / MEASUREMENT).read_text(encoding="utf-8"))
        fault = _fault(document)
    except (OSError, ValueError, RecursionError):
        fault = "no measurement that can be read"
    if fault is not None:
        raise _unreadable(folder / MEASUREMENT, fault)
    return cast(dict[str, Any], document)


def _unreadable(path: Path, found: str) -> TapezooError:
    return TapezooError(
        str(path),
        found=found,
        expected="what `tapezoo measure --out` writes",
        fix="Measure again with --out.",
    )


def _fault(document: Any) -> str | None:
    """Why no page can be made of it, which somebody may have edited; None: one can."""
    if not isinstance(document, dict):
        return "no measurement that can be read"
    for key, kind in KINDS.items():
        if not isinstance(document.get(key), kind):
            return f"no {key!r}, or one of another kind"
    names, columns, labels = document["sources"], document["figures"], document["labels"]
    if not names or not all(isinstance(name, str) for name in names):
        return "'sources' that are no names"
    if len(columns) != len(names):
        return f"figures of {len(columns)} sources, and {len(names)} names of sources"
    for label in labels.values():
        if not isinstance(label, dict) or set(label) != {"text", "unit", "decimals"}:
            return "'labels' that are not text, unit and decimals"
        if not isinstance(label["decimals"], int) or not 0 <= label["decimals"] <= MOST_DECIMALS:
            return f"{label['decimals']!r} decimals"
    if not _are_texts(document.get("remarks", [])):
        return "'remarks' that are no texts"
    missing = document.get("missing", [{}] * len(columns))
    if not isinstance(missing, list) or len(missing) != len(columns):
        return "'missing' of another number of sources"
    for why in (*missing, document.get("missing_deviations", {})):
        if not isinstance(why, dict) or not _are_texts(list(why.values())):
            return "'missing' that does not give texts by the names of figures"
    for own in (*columns, document.get("deviations", {})):
        if not isinstance(own, dict):
            return "figures without names"
        for key, value in own.items():
            if key not in labels:
                return f"the figure {key!r}, which 'labels' does not explain"
            if not isinstance(value, int | float | None):
                return f"{value!r} as the figure {key!r}, which is no number"
    return None


def _are_texts(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(text, str) for text in found)


def _figures(
    document: dict[str, Any], columns: list[dict[str, float | None]], missing: list[dict[str, str]]
) -> list[list[Figure]]:
    labels = document["labels"]
    return [
        [
            Figure(
                key, value=float("nan") if value is None else value, missing=why.get(key, ""), **labels[key]
            )
            for key, value in own.items()
        ]
        for own, why in zip(columns, missing or [{}] * len(columns), strict=True)
    ]


def _remarks(remarks: list[str]) -> Iterator[str]:
    """What a reader of the figures should know; measurements of older versions do not say."""
    if remarks:
        items = "".join(f"<li>{prose(text)}</li>" for text in remarks)
        yield f'<h2>Remarks</h2><ul class="advice">{items}</ul>'


def _differences(document: dict[str, Any], title: str) -> Iterator[str]:
    """Between two machines; measurements of older versions have none."""
    apart = document.get("deviations")
    if apart:
        yield "<h2>Differences</h2>"
        yield from table(
            figures_table([title], _figures(document, [apart], [document.get("missing_deviations", {})]))
        )


def _verdict(document: dict[str, Any]) -> Iterator[str]:
    """Of a model on a recording."""
    if not document["is_recording"] or len(document["sources"]) < 2:
        return
    esr, floor = document["figures"][1].get("esr"), document["figures"][0].get("linear_floor")
    if esr is None:
        return
    text = beside_floor_text(esr, float("nan") if floor is None else floor)
    reached = "" if floor is None else f", which reaches {floor:.5f}"
    yield f'<div class="verdict"><p>ESR <b>{esr:.5f}</b>, {escape(text + reached)}.</p></div>'
    yield paragraph(f"ESR: energy of the error over that of the target. {SEEN}")


def _listening(folder: Path, document: dict[str, Any]) -> Iterator[str]:
    path = folder / PASSAGES
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    if not {"files", "passage"} <= set(reader.fieldnames or ()):
        raise _unreadable(path, "no columns 'files' and 'passage'")
    first, *rest = document["sources"]
    labels = (
        {"input": "Dry", "target": "Wet", "output": rest[0] if rest else ""}
        if document["is_recording"]
        else {"input": "Input", "output": first, "target": rest[0] if rest else ""}
    )
    yield f"<h2>Listen</h2>{paragraph(HOW)}"
    for row in rows:
        found = read_signals(folder, row["files"])
        yield f"<h3>{escape(row['passage'])}</h3>"
        if found is None:
            yield paragraph(not_heard_text(folder, row["files"]))
            continue
        markup, quieter_db = player(*found, labels)
        if quieter_db:
            yield paragraph(f"Played {quieter_db:.1f} dB quieter to fit.")
        yield markup
