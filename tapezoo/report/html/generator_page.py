"""The page of a generator's training: what it makes, beside what was recorded and what the simple model makes."""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterator
from html import escape
from pathlib import Path

from tapezoo.report.html.document import PAGE, figure, paragraph, pictures, table, write_document
from tapezoo.report.tables import Column, Table
from tapezoo.run_files import CONFIG, CheckpointError

FOLDER = "report"
DISTANCES = "distances.csv"
TAKE, NOISE = "take", "noise"
TEXT_COLUMNS = ("figure", "alike")
COMPARED = (
    "What the generator makes (made), and what simpler models of the same recordings make: a spectrum with lines, and "
    "of wow and flutter the classical one, a line that wavers and a capstan's harmonics. All of it against recordings "
    "that none has learned from. `docs/tape.md` says what the figures are."
)
CAPTIONS = {
    TAKE: "Delay over time, recorded and made; level of the speed in bands, and its spread over windows.",
    NOISE: "Level in third octaves, recorded and made, and its spread over windows.",
}


def is_generator_run(folder: Path) -> bool:
    """Whether `fit` has left the report of a generator there."""
    return (folder / FOLDER / DISTANCES).is_file()


def write_generator_page(run_dir: Path) -> Path:
    """Writes RUN/report/report.html from what the training left beside it, anew each time.

    Args:
        run_dir: Of the training.

    Raises:
        CheckpointError: Its table of distances cannot be read.
        UnwritableOutputError: The page cannot be written, or the disk is full.
    """
    folder = run_dir / FOLDER
    title = f"{run_dir.resolve().name}: a generator"
    body = [
        f"<h1>{escape(title)}</h1>",
        "<h2>How alike they are</h2>",
        paragraph(COMPARED),
        *table(_read_distances(folder / DISTANCES)),
        *_sound(folder / f"{NOISE}.wav"),
        *pictures(
            [part for name, caption in CAPTIONS.items() for part in figure(folder / f"{name}.png", caption)]
        ),
        *_recipe(run_dir / CONFIG),
    ]
    return write_document(folder / PAGE, title, body)


def _read_distances(path: Path) -> Table:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            heads, *rows = list(csv.reader(file))
    except (OSError, ValueError) as error:  # no line at all, or no text
        raise CheckpointError(
            str(path),
            found=f"no table of distances ({error})",
            expected="what `tapezoo fit` writes when the training of a generator has ended",
            fix="Train it again, or continue the training with --ckpt_path.",
        ) from error
    columns = [Column(name, name.replace("_", " "), is_number=name not in TEXT_COLUMNS) for name in heads]
    return Table(columns, [[_shown(cell) for cell in row] for row in rows], empty="-")


def _shown(cell: str) -> str | None:
    try:
        return f"{float(cell):.4g}"
    except ValueError:
        return cell or None


def _sound(path: Path) -> Iterator[str]:
    if path.is_file():
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        yield "<h2>What it makes</h2>"
        yield f'<audio controls src="data:audio/wav;base64,{data}"></audio>'


def _recipe(path: Path) -> Iterator[str]:
    if path.is_file():
        text = escape(path.read_text(encoding="utf-8"))
        yield f"<details><summary>The whole recipe</summary><pre>{text}</pre></details>"
