"""The table of a comparison: Markdown for people, CSV for programs, the terminal, and its picture."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.table import Table

from tapezoo.callbacks.history import HISTORY, Epoch, read_history
from tapezoo.compare.folder import Outcome
from tapezoo.compare.row import esr_within
from tapezoo.measure.comparison import Learned, comparison

TABLE_MD, TABLE_CSV, PICTURE = "table.md", "table.csv", "comparison.png"
SHORT, LONG = "64", "2048"  # blocks of the real-time factors; nets with a hop have the next multiple
UNDISTURBED = 0.9  # CPU time over clock time of training steps; less, and something else used the processor


@dataclass(frozen=True)
class Caption:
    """What holds for all rows.

    Args:
        budget: In words.
        data: In words, with the hash.
        data_name: The same for a heading.
        linear_floor: ESR on validation of the linear filter that fits the training split.
        score_after_samples: Unscored at the start of every region: the longest burn-in of the rows.
        threads: Of every training.
        versions: Of tapezoo and torch.
    """

    budget: str
    data: str
    data_name: str
    linear_floor: float
    score_after_samples: int
    threads: int
    versions: str


@dataclass(frozen=True)
class Line:
    """One row and where it comes from."""

    name: str
    outcome: Outcome
    history: Sequence[Epoch]


def lines_of(out: Path, outcomes: Mapping[str, Outcome]) -> list[Line]:
    """The rows with their histories: best first, those without figures last."""
    lines = []
    for name, outcome in outcomes.items():
        path = out / name / HISTORY
        lines.append(Line(name, outcome, read_history(path) if path.is_file() else []))
    return sorted(lines, key=lambda line: line.outcome.figures.val_esr if line.outcome.figures else math.inf)


def equal_cost_s(lines: Sequence[Line]) -> float:
    """The CPU time that the cheapest finished row trained for."""
    return min((line.outcome.figures.train_cpu_s for line in lines if line.outcome.figures), default=0.0)


def disturbed(lines: Sequence[Line], threads: int) -> list[str]:
    """`row (39 %)` of every row whose training had less than `UNDISTURBED` of its threads."""
    found = []
    for line in lines:
        figures = line.outcome.figures
        share = _ratio(figures.train_cpu_s, figures.train_wall_s * threads) if figures else None
        if share is not None and share < UNDISTURBED:
            found.append(f"{line.name} ({100 * share:.0f} %)")
    return found


def cells(line: Line, cost_s: float) -> dict[str, float | int | str | None]:
    """The row's values by column."""
    figures = line.outcome.figures
    note = line.outcome.reason
    if note and line.outcome.log:
        note = f"{note.rstrip('.')}; see {line.outcome.log}"
    if figures is None:
        return {"recipe": line.name, "status": line.outcome.status, "note": note}
    factors = figures.real_time_factors or {}
    by_length = [factors[length] for length in sorted(factors, key=int)]
    return {
        "recipe": line.name,
        "model": figures.model,
        "parameters": figures.parameters,
        "val_esr": figures.val_esr,
        "test_esr": figures.test_esr,
        "val_mrstft": figures.val_mrstft,
        "esr_at_equal_cost": esr_within(line.history, cost_s),
        "audio_s_per_cpu_s": _ratio(figures.audio_s, figures.train_cpu_s),
        "audio_s_per_s": _ratio(figures.audio_s, figures.train_wall_s),
        f"real_time_factor_{SHORT}": by_length[0] if by_length else None,
        f"real_time_factor_{LONG}": by_length[-1] if by_length else None,
        "updates": figures.updates,
        "audio_s": figures.audio_s,
        "train_cpu_s": figures.train_cpu_s,
        "wall_s": figures.wall_s,
        "status": line.outcome.status,
        "note": f"no export: {figures.export_error}" if figures.export_error else "",
    }


Shown = tuple[str, str, str]  # heading, column, how it is written

SHOWN: tuple[Shown, ...] = (
    ("recipe", "recipe", "s"),
    ("model", "model", "s"),
    ("param-\neters", "parameters", ",d"),
    ("val_esr", "val_esr", ".5f"),
    ("test_esr", "test_esr", ".5f"),
    ("MR-STFT", "val_mrstft", ".3f"),
    ("ESR at\nequal\ncost", "esr_at_equal_cost", ".5f"),
    ("audio s\n/ CPU s", "audio_s_per_cpu_s", ".3g"),
    ("audio s / s", "audio_s_per_s", ".3g"),
    (f"x real\ntime,\n{SHORT}", f"real_time_factor_{SHORT}", ".3g"),
    (f"x real\ntime,\n{LONG}", f"real_time_factor_{LONG}", ".3g"),
    ("updates", "updates", ",d"),
    ("audio trained on (s)", "audio_s", ",.0f"),
)


IN_TERMINAL = (
    "recipe",
    "parameters",
    "val_esr",
    "val_mrstft",
    "esr_at_equal_cost",
    "audio_s_per_cpu_s",
    f"real_time_factor_{SHORT}",
    f"real_time_factor_{LONG}",
)


def caption_text(caption: Caption, lines: Sequence[Line]) -> str:
    """What holds for all rows, as one paragraph."""
    cost_s = equal_cost_s(lines)
    figures = [line.outcome.figures for line in lines if line.outcome.figures]
    busy = disturbed(lines, caption.threads)
    warning = (
        f" Trained on a busy machine, with this share of the thread(s): {', '.join(busy)}; a budget by the clock "
        "is unfair to these rows."
        if busy
        else ""
    )
    processors = " or ".join(sorted({row.processor for row in figures if row.processor})) or "-"
    return (
        f"Budget of every row: {caption.budget}, {caption.threads} thread(s). Data: {caption.data}. "
        f"Every region is scored after {caption.score_after_samples} samples, the longest burn-in. "
        f"Linear floor (the 257-tap filter of least squares on the training split): val_esr "
        f"{caption.linear_floor:.5f}. "
        f"ESR at equal cost: the best val_esr within {cost_s:.3g} s of CPU time in training steps, which is all "
        "the cheapest row took; where a row's schedule spans more, its learning rate is still high there. "
        "Speeds of training leave validation out; x real time: the exported ONNX on one thread, in blocks of "
        f"{SHORT} and {LONG}. {caption.versions}; {processors}.{warning}"
    )


def markdown(lines: Sequence[Line], caption: Caption) -> str:
    """The table with its caption and, below, what failed."""
    cost_s = equal_cost_s(lines)
    values = [cells(line, cost_s) for line in lines]
    text = [
        "| " + " | ".join(heading.replace("-\n", "").replace("\n", " ") for heading, _, _ in SHOWN) + " |"
    ]
    text.append("|" + "|".join("---" if style == "s" else "---:" for _, _, style in SHOWN) + "|")
    text += ["| " + " | ".join(_written(row)) + " |" for row in values]
    text += ["", caption_text(caption, lines)]
    text += [f"\n{row['recipe']} ({row['status']}): {row['note']}" for row in values if row["note"]]
    return "\n".join(text) + "\n"


def csv_text(lines: Sequence[Line]) -> str:
    """Every column in full precision; an empty cell: not measured."""
    cost_s = equal_cost_s(lines)
    values = [cells(line, cost_s) for line in lines]
    file = io.StringIO()
    columns = max((list(row) for row in values), key=len)
    writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(values)
    return file.getvalue()


def terminal(lines: Sequence[Line], caption: Caption) -> Table:
    """For the console; the other columns are in the files."""
    cost_s = equal_cost_s(lines)
    table = Table(caption=caption_text(caption, lines), caption_justify="left", box=SIMPLE_HEAD)
    shown = [part for part in SHOWN if part[1] in IN_TERMINAL]
    for heading, column, style in shown:
        justify: Literal["left", "right"] = "left" if style == "s" else "right"
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=column != "recipe")
    for line in lines:
        written = _written(cells(line, cost_s), shown)
        if line.outcome.figures is None:
            written[1] = line.outcome.status
        table.add_row(*written)
    return table


def picture(lines: Sequence[Line], caption: Caption) -> Figure:
    """Learning curves, and quality against the cost of playing."""
    rows = {}
    cost_s = equal_cost_s(lines)
    for line in lines:
        validated = [(row.train_cpu_s, row.val_esr) for row in line.history if row.val_esr is not None]
        if line.outcome.figures is None:
            continue
        factor = cells(line, 0.0)[f"real_time_factor_{SHORT}"]
        rows[line.name] = Learned(
            [cpu_s for cpu_s, _ in validated],
            [esr for _, esr in validated],
            line.outcome.figures.val_esr,
            None if factor is None else float(factor),
        )
    title = f"{caption.data_name}: {caption.budget} each"
    return comparison(rows, caption.linear_floor, cost_s, title, SHORT)


def _written(row: Mapping[str, float | int | str | None], shown: Sequence[Shown] = SHOWN) -> list[str]:
    written = []
    for _, column, style in shown:
        value = row.get(column)
        if value is None:
            written.append(str(row["status"]) if column == "model" and "model" not in row else "-")
        else:
            written.append(_figure(value, style))
    return written


def _figure(value: float | int | str, style: str) -> str:
    """A training that diverged has an error of any length; the column has not."""
    far = style in (".5f", ".3f") and isinstance(value, float) and value >= 1000
    return format(value, ".2e" if far else style)


def _ratio(audio_s: float, time_s: float) -> float | None:
    return audio_s / time_s if time_s > 0 else None
