"""A run's page: verdict, excerpts, pictures and tables."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from tapezoo.errors import TapezooError
from tapezoo.report import clips, metrics, steadiness
from tapezoo.report.floor import beside_floor_text
from tapezoo.report.html.document import PAGE, figure, paragraph, pictures, prose, table, write_document
from tapezoo.report.html.player import HOW, not_heard_text, player, read_signals
from tapezoo.report.summary import Summary, read_summary
from tapezoo.report.tables import Column, Table

EXCERPTS = "excerpts.csv"
METRICS_TEXT = (
    "Over the whole split; docs/metrics.md says what each is good for. An empty cell: not measured."
)
PICTURES = {  # of the report, in the order of the page, and what they show
    "learning_curve.png": "Learning curve: error on the validation split over the updates, beside the linear filter.",
    "frequency_response.png": "Gain over frequency in bands that are mostly linear: machine, model, model on noise.",
    "error_spectrum.png": "Error over frequency, beside the target. Dashed: the target in the quietest tenth of the "
    "split; where it has pauses, that is the machine's noise, and an error below it is not heard in them.",
    "delay.png": "How much later the output is than the target: a line that moves is a wandering delay that the model "
    "does not follow, one beside zero a delay that alignment left.",
    "harmonics.png": "Harmonics of a sine over its level, relative to the fundamental: how the distortion grows. Lines "
    "with dots are the model; dashed ones, where there are any, the virtual machine that it was trained on.",
    "transfer_curve.png": "Output against input for sines of several levels: saturation, and hysteresis as open loops.",
    "test_settings.png": "Error on the test split over the settings of the controls.",
}
TABLES = {  # of the report, their headings and what they say
    "metrics.csv": ("Metrics on validation", METRICS_TEXT, metrics.COLUMNS),
    "test_metrics.csv": ("Metrics on the test split", METRICS_TEXT, metrics.COLUMNS),
    "test_clips.csv": ("Test split, clip by clip", clips.TITLE, (*clips.COLUMNS, clips.DELAY_KEPT)),
    "steadiness.csv": (
        "Steadiness",
        "How large disturbances get, relative to the output: the net is steady if every figure is below its limit.",
        steadiness.COLUMNS,
    ),
}
SPLITS = {
    "validation": "on the passages by which the best epoch was chosen",
    "test": "on passages used for nothing else",
}


def write_run_page(run_dir: Path) -> Path:
    """Writes RUN/report/report.html from what lies beside it, anew each time.

    Args:
        run_dir: The folder of a run that has ended.

    Raises:
        TapezooError: There is no summary of a training.
        UnwritableOutputError: The page cannot be written, or the disk is full.
    """
    folder = run_dir / "report"
    summary = read_summary(folder)
    body = [
        *_verdict(summary),
        *_listening(folder),
        *_pictures(folder),
        *_tables(folder),
        *_origin(run_dir, summary),
    ]
    return write_document(folder / PAGE, summary.title, body)


def _verdict(summary: Summary) -> Iterator[str]:
    yield f"<h1>{escape(summary.title)}</h1>"
    yield f'<p class="soft">{escape(summary.architecture)} trained on {escape(summary.recordings)}</p>'
    yield '<div class="verdict">'
    for split, (esr, floor) in summary.figures.items():
        if esr is None:
            continue
        text = beside_floor_text(esr, float("nan") if floor is None else floor)
        text += f", which reaches {floor:.5f}" if floor is not None else ""
        where = SPLITS.get(split, "")
        yield f"<p>{split.capitalize()}: ESR <b>{esr:.5f}</b>, {escape(text)}. <span class=soft>{where}</span></p>"
    if summary.steadiness:
        yield f"<p>{escape(summary.steadiness[:1].upper() + summary.steadiness[1:])}.</p>"
    yield "</div>"
    yield f'<p class="soft">Ended after {escape(summary.ended)}. ESR: energy of the error over that of the target.</p>'
    for heading, texts in (("What would help", summary.advice), ("The recordings", summary.warnings)):
        if texts:
            items = "".join(f"<li>{prose(text)}</li>" for text in texts)
            yield f'<h2>{heading}</h2><ul class="advice">{items}</ul>'


def _listening(folder: Path) -> Iterator[str]:
    rows = _rows(folder / EXCERPTS)
    if not rows:
        return
    if missing := [name for name in ("files", "recording", "kind") if rows[0].get(name) is None]:
        raise _edited(folder, f"no column {missing[0]!r}")
    yield "<h2>Listen</h2>"
    yield paragraph(f"{HOW} Target is the machine, output the model, difference what is left between them.")
    times = Counter(row["recording"] for row in rows)
    for row in rows:
        found = read_signals(folder, row["files"])
        yield f"<h3>{escape(row['kind'].capitalize())} passage of {escape(row['recording'])}</h3>"
        if found is None:
            yield paragraph(not_heard_text(folder, row["files"]))
            continue
        markup, quieter_db = player(*found, labels={})
        quieter = f", played {quieter_db:.1f} dB quieter to fit" if quieter_db else ""
        alone = "; there is no room for a second one" if times[row["recording"]] == 1 else ""
        error = _number(folder, row, "validation_esr")
        scored = "" if math.isnan(error) else f"; ESR {error:.5f} in its validation part"
        yield paragraph(
            f"{_number(folder, row, 'start_s'):.1f} to {_number(folder, row, 'end_s'):.1f} s of the recording"
            f"{scored}{alone}{quieter}"
        )
        yield markup
        for kind, text in (
            ("waveforms", "Waveforms: target, output and error, and a closer look."),
            ("spectrograms", "Spectrograms of input, target, output and error, in dB."),
        ):
            yield from figure(folder / f"{row['files']}_{kind}.png", text)


def _number(folder: Path, row: dict[str, str], name: str) -> float:
    try:
        return float(row[name])
    except (KeyError, TypeError, ValueError):
        raise _edited(folder, f"{row.get(name)!r} in the column {name!r}, which is no number") from None


def _edited(folder: Path, found: str) -> TapezooError:
    return TapezooError(
        str(folder / EXCERPTS),
        found=found,
        expected="what `tapezoo fit` writes when a training has ended",
        fix="Undo the change, or delete the file; the page is made without it.",
    )


def _pictures(folder: Path) -> Iterator[str]:
    blocks = {path.name: "A block of the model alone." for path in sorted(folder.glob("block_*.png"))}
    shown = {**PICTURES, **blocks}
    yield from pictures([part for name, text in shown.items() for part in figure(folder / name, text)])


def _tables(folder: Path) -> Iterator[str]:
    for name, (heading, text, columns) in TABLES.items():
        rows = _rows(folder / name)
        if not rows:
            continue
        known = {column.name: column for column in columns}
        cells = [[_cell(text) for text in row.values()] for row in rows]
        heads = [
            _head(name, known.get(name), all(isinstance(cell, float) for cell in column))
            for name, column in zip(rows[0], zip(*cells, strict=True), strict=True)
        ]
        yield f"<h2>{escape(heading)}</h2>{paragraph(text)}"
        yield from table(Table(heads, cells))


def _head(name: str, column: Column | None, holds_numbers: bool) -> Column:
    """What people read above a column of a file; those of controls are not known beforehand."""
    heading = column.heading if column is not None else None
    return Column(
        name, heading or name, ".4g", is_number=holds_numbers if column is None else column.is_number
    )


def _cell(text: str | None) -> str | float:
    try:
        return float(text or "")
    except ValueError:
        return text or ""


def _origin(run_dir: Path, summary: Summary) -> Iterator[str]:
    yield "<h2>How it was made</h2>"
    if summary.command:
        yield f"<pre>{escape(summary.command)}</pre>"
    recipe = run_dir / "config.yaml"
    if recipe.is_file():
        text = escape(recipe.read_text(encoding="utf-8"))
        yield f"<details><summary>The whole recipe</summary><pre>{text}</pre></details>"


def _rows(path: Path) -> Sequence[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
