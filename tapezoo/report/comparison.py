"""The table of a comparison and what holds for all of its rows, in Markdown, in CSV and on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from tapezoo.measure.comparison import (
    ComparisonRow,
    divide,
    equal_cost_s,
    esr_within,
    find_disturbed,
    measure_spreads,
)
from tapezoo.report.page import page_markdown
from tapezoo.report.tables import Cell, Column, Table, csv_text, order_cells

SHORT, LONG = "64", "2048"  # blocks of the real-time factors; nets with a hop have the next multiple

COLUMNS = (
    Column("recipe", "recipe"),
    Column("model", "model"),
    Column("parameters", "param-\neters", shown=",d", is_number=True),
    Column("val_esr", "val_esr", shown=".5f", is_number=True),
    Column("test_esr", "test_esr", shown=".5f", is_number=True),
    Column("val_mrstft", "MR-STFT", shown=".3f", is_number=True),
    Column("esr_at_equal_cost", "ESR at\nequal\ncost", shown=".5f", is_number=True),
    Column("audio_s_per_cpu_s", "audio s\n/ CPU s", shown=".3g", is_number=True),
    Column("audio_s_per_s", "audio s / s", shown=".3g", is_number=True),
    Column(f"real_time_factor_{SHORT}", f"x real\ntime,\n{SHORT}", shown=".3g", is_number=True),
    Column(f"real_time_factor_{LONG}", f"x real\ntime,\n{LONG}", shown=".3g", is_number=True),
    Column("updates", "updates", shown=",d", is_number=True),
    Column("audio_s", "audio trained on (s)", shown=",.0f", is_number=True),
    *(Column(name) for name in ("train_cpu_s", "wall_s", "status", "note")),
)
SPREAD_COLUMNS = (
    Column("recipe", "recipe"),
    Column("figure", "figure"),
    Column("seeds", "seeds", shown=",d", is_number=True),
    *(Column(name, name, shown=".5f", is_number=True) for name in ("median", "least", "most")),
)
ALWAYS = ("recipe", "status", "note")  # of rows without figures
ON_SCREEN = (
    *("recipe", "parameters", "val_esr", "val_mrstft", "esr_at_equal_cost", "audio_s_per_cpu_s"),
    *(f"real_time_factor_{SHORT}", f"real_time_factor_{LONG}"),
)


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


def comparison_csv(rows: Sequence[ComparisonRow]) -> str:
    """Every column in full precision; an empty cell: not measured."""
    has_figures = any(row.outcome.figures for row in rows)
    columns = [column for column in _columns(rows) if has_figures or column.name in ALWAYS]
    return csv_text(Table(columns, _cells(rows, columns)), line_end="\n")


def comparison_markdown(rows: Sequence[ComparisonRow], caption: Caption) -> str:
    """The table with its caption and, below, what failed."""
    columns = [column for column in _columns(rows) if column.heading is not None]
    table = Table(columns, _cells(rows, columns, instead_of="model"), empty="-")
    notes = [f"{row.name} ({row.outcome.status}): {note}" for row in rows if (note := _note(row))]
    spreads = [spread_table(rows)] if measure_spreads(rows) else []
    return page_markdown([table, *spreads, caption_text(caption, rows), *notes])


def comparison_table(rows: Sequence[ComparisonRow], caption: Caption) -> Table:
    """For the terminal; the other columns are in the files."""
    columns = [column for column in COLUMNS if column.name in ON_SCREEN]
    cells = _cells(rows, columns, instead_of="parameters")
    return Table(columns, cells, caption=caption_text(caption, rows), empty="-")


def spread_table(rows: Sequence[ComparisonRow]) -> Table:
    """How far the seeds of each recipe are apart."""
    cells = [astuple(spread) for spread in measure_spreads(rows)]
    return Table(SPREAD_COLUMNS, cells, title="Spread over the seeds", empty="-")


def caption_text(caption: Caption, rows: Sequence[ComparisonRow]) -> str:
    """What holds for all rows, as one paragraph."""
    figures = [row.outcome.figures for row in rows if row.outcome.figures]
    shares = find_disturbed(rows, caption.threads)
    busy = ", ".join(f"{name} ({100 * share:.0f} %)" for name, share in shares.items())
    warning = (
        f" Trained on a busy machine, with this share of the thread(s): {busy}; a budget of elapsed time "
        "is unfair to these rows."
        if busy
        else ""
    )
    processors = " or ".join(sorted({row.processor for row in figures if row.processor})) or "-"
    return (
        f"Budget of every row: {caption.budget}, {caption.threads} thread(s). Data: {caption.data}. Every "
        f"region is scored after {caption.score_after_samples} samples, the longest burn-in. Linear floor (the "
        f"257-tap filter of least squares on the training split): val_esr {caption.linear_floor:.5f}. ESR at "
        f"equal cost: the best val_esr within {equal_cost_s(rows):.3g} s of CPU time in training steps, which "
        "is the total of the cheapest row; a row with a longer schedule still has a high learning rate at that "
        "point. Training speeds do not include validation; x real time: the exported ONNX on one thread, in "
        f"blocks of {SHORT} and {LONG}. {caption.versions}; {processors}.{warning}"
    )


def _columns(rows: Sequence[ComparisonRow]) -> list[Column]:
    """Those of every comparison, and one for each metric that a recipe asked for."""
    asked_for = [name for row in rows if row.outcome.figures for name in row.outcome.figures.metrics]
    extra = [
        Column(f"val_{name}", f"val_{name}", shown=".4g", is_number=True) for name in dict.fromkeys(asked_for)
    ]
    after = [column.name for column in COLUMNS].index("val_mrstft") + 1
    return [*COLUMNS[:after], *extra, *COLUMNS[after:]]


def _cells(
    rows: Sequence[ComparisonRow], columns: Sequence[Column], instead_of: str = ""
) -> list[list[Cell]]:
    """The rows' cells; without figures, the status stands `instead_of` one of them."""
    cost_s = equal_cost_s(rows)
    found = []
    for row in rows:
        cells = _by_name(row, cost_s)
        if row.outcome.figures is None and instead_of:
            cells[instead_of] = row.outcome.status
        found.append(order_cells(columns, cells))
    return found


def _by_name(row: ComparisonRow, cost_s: float) -> dict[str, Cell]:
    figures = row.outcome.figures
    cells: dict[str, Cell] = {"recipe": row.name, "status": row.outcome.status, "note": _note(row)}
    if figures is None:
        return cells
    short, long = figures.shortest_and_longest_block()
    return {
        **cells,
        "model": figures.model,
        "parameters": figures.parameters,
        "val_esr": figures.val_esr,
        "test_esr": figures.test_esr,
        "val_mrstft": figures.val_mrstft,
        "esr_at_equal_cost": esr_within(row.learning, cost_s),
        "audio_s_per_cpu_s": divide(figures.audio_s, figures.train_cpu_s),
        "audio_s_per_s": divide(figures.audio_s, figures.train_wall_s),
        f"real_time_factor_{SHORT}": short,
        f"real_time_factor_{LONG}": long,
        "updates": figures.updates,
        "audio_s": figures.audio_s,
        "train_cpu_s": figures.train_cpu_s,
        "wall_s": figures.wall_s,
        **{f"val_{name}": value for name, value in figures.metrics.items()},
    }


def _note(row: ComparisonRow) -> str:
    if (figures := row.outcome.figures) is not None:
        return f"no export: {figures.export_error}" if figures.export_error else ""
    reason, log = row.outcome.reason, row.outcome.log
    return f"{reason.rstrip('.')}; see {log}" if reason and log else reason
