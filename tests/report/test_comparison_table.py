"""The table of a comparison: its order, its figures, and what failed."""

import csv
import io
from dataclasses import replace

from tapezoo.measure.comparison import ComparisonRow, Figures, Outcome, Validation
from tapezoo.report.comparison import (
    Caption,
    caption_text,
    comparison_csv,
    comparison_markdown,
    comparison_table,
)
from tapezoo.report.tables import screen_table
from tapezoo.screen import Screen


def learning(*validations):
    return [Validation(*one) for one in validations]


def figures(esr, cpu_s):
    factors = {"128": 20.0, "2048": 50.0}  # a net with a hop of 128
    return Figures("FIR", 1257, esr, 0.4, None, 7, 100.0, cpu_s, cpu_s, cpu_s, factors, "a chip", None)


def test_the_table_ranks_the_rows_and_says_what_failed():
    rows = [
        ComparisonRow(
            "quick", Outcome("finished", figures=figures(0.2, 2.0)), learning((1.0, 0.4), (2.0, 0.2))
        ),
        ComparisonRow(
            "slow", Outcome("finished", figures=figures(0.1, 9.0)), learning((1.5, 0.3), (9.0, 0.1))
        ),
        ComparisonRow("bad", Outcome("failed", "a loss of nan.", log="out/bad/train.log"), []),
    ]
    caption = Caption("3 minutes", "tape, data set 12ab", "tape", 0.0189, 100, 1, "tapezoo 1")
    text = comparison_markdown(rows, caption)
    cells = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:1] == "|"
    ]
    by_name = {row[0]: dict(zip(cells[0], row, strict=True)) for row in cells[2:]}
    assert by_name["slow"]["ESR at equal cost"] == "0.30000"
    assert by_name["quick"]["ESR at equal cost"] == by_name["quick"]["val_esr"] == "0.20000"
    assert by_name["quick"]["parameters"] == "1,257"
    assert by_name["quick"]["x real time, 64"] == "20"
    assert by_name["quick"]["x real time, 2048"] == "50"
    assert by_name["quick"]["audio s / CPU s"] == "50"
    assert (by_name["bad"]["model"], by_name["bad"]["val_esr"]) == ("failed", "-")
    assert "val_esr 0.01890" in text
    assert "bad (failed): a loss of nan; see out/bad/train.log" in text
    diverged = ComparisonRow("lost", Outcome("finished", figures=figures(7.87e15, 2.0)), [])
    assert " 7.87e+15 " in comparison_markdown([diverged], caption)
    assert comparison_csv(rows).splitlines()[1].startswith("quick,FIR,1257,0.2,")


def test_rows_that_a_busy_machine_held_up_are_named():
    quiet = ComparisonRow("quiet", Outcome("finished", figures=figures(0.2, 9.5)), [])
    held_up = ComparisonRow(
        "held-up", Outcome("finished", figures=replace(figures(0.2, 2.0), train_wall_s=5.0)), []
    )
    caption = Caption("3 minutes", "tape, data set 12ab", "tape", 0.0189, 100, 1, "tapezoo 1")
    assert "this share of the thread(s): held-up (40 %);" in caption_text(caption, [quiet, held_up])
    assert "busy" not in caption_text(caption, [quiet])


def test_a_row_without_figures_shows_its_status_wherever_the_table_stands():
    caption = Caption("3 minutes", "tape, data set 12ab", "tape", 0.0189, 100, 1, "tapezoo 1")
    rows = [ComparisonRow("only", Outcome("interrupted", log="out/only/train.log"), [])]
    assert list(csv.reader(io.StringIO(comparison_csv(rows)))) == [
        ["recipe", "status", "note"],
        ["only", "interrupted", ""],
    ]
    console = Screen(width=100)
    with console.capture() as shown:
        console.print(screen_table(comparison_table(rows, caption)))
    assert "interrupted" in shown.get()


def test_each_metric_that_a_recipe_asked_for_has_a_column():
    caption = Caption("3 minutes", "tape, data set 12ab", "tape", 0.0189, 100, 1, "tapezoo 1")
    asked = replace(figures(0.2, 2.0), metrics={"snr": 6.99, "lsd": 12.5})
    rows = [
        ComparisonRow("asked", Outcome("finished", figures=asked), []),
        ComparisonRow("not", Outcome("finished", figures=figures(0.1, 2.0)), []),
    ]
    found = {row["recipe"]: row for row in csv.DictReader(io.StringIO(comparison_csv(rows)))}
    assert (found["asked"]["val_snr"], found["asked"]["val_lsd"], found["not"]["val_snr"]) == (
        "6.99",
        "12.5",
        "",
    )
    assert "val_snr" in comparison_markdown(rows, caption)
    assert "val_snr" not in comparison_csv(rows[1:])
