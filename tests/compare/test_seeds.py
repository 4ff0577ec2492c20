"""Recipes with several seeds: their rows, and how far they are apart."""

import csv
import io

import pytest

from tapezoo.compare.errors import CompareError
from tapezoo.compare.plan import Budget, plan_rows
from tapezoo.compare.seeds import with_seeds
from tapezoo.measure.comparison import ComparisonRow, Figures, Outcome, measure_spreads
from tapezoo.report.comparison import Caption, comparison_markdown, spread_table
from tapezoo.report.tables import csv_text


def recipe(seed_everything, **data):
    return {
        "seed_everything": seed_everything,
        "model": {"class_path": "tapezoo.models.FIR"},
        "data": {"class_path": "tapezoo.data.VirtualDevices", "init_args": {"device": "tape", **data}},
        "trainer": {},
        "tracking": {"uri": None},
    }


def test_every_recipe_comes_with_its_own_seed_and_the_ones_after_it():
    recipes = {"a": recipe(7, seed=3, program_seed=5), "b": recipe(True), "c": recipe(None, seed=0)}
    rows, recipe_of = with_seeds(recipes, 2)
    assert [*rows] == ["a-seed7", "a-seed8", "b-seed0", "b-seed1", "c-seed0", "c-seed1"]
    assert recipe_of == {name: name[0] for name in rows}
    assert [row["seed_everything"] for row in rows.values()] == [7, 8, 0, 1, 0, 1]
    assert [row["data"]["init_args"].get("seed") for row in rows.values()] == [3, 4, None, None, 0, 1]
    assert rows["a-seed8"]["data"]["init_args"]["program_seed"] == 5  # the same data for all
    assert recipes["a"] == recipe(7, seed=3, program_seed=5)
    planned = plan_rows(rows, Budget(minutes=1))
    assert planned["a-seed8"]["data"]["init_args"] == {"device": "tape", "seed": 4, "program_seed": 5}
    assert planned["a-seed8"]["seed_everything"] == 8


def test_a_recipe_that_is_called_like_a_row_gets_a_name_of_its_own():
    rows, recipe_of = with_seeds({"a": recipe(0), "a-seed0": recipe(0)}, 1, taken=["a-seed0"])
    assert len(rows) == 2
    assert "a-seed0" not in rows
    assert [*recipe_of.values()] == ["a", "a-seed0"]


@pytest.mark.parametrize(
    ("seeds", "first", "words"), [(0, 0, "--seeds"), (101, 0, "100"), (2, 2**32 - 1, "smaller")]
)
def test_seeds_that_there_are_not_are_refused(seeds, first, words):
    with pytest.raises(CompareError, match=words):
        with_seeds({"a": recipe(first)}, seeds)


def row(name, of, val_esr, test_esr):
    figures = Figures("FIR", 1, val_esr, None, test_esr, 1, 1.0, 1.0, 1.0, 1.0, None, None, None)
    return ComparisonRow(name, Outcome("finished", figures=figures), [], of)


def test_the_spread_is_median_least_and_most_of_the_finished_rows():
    rows = [
        *(row(f"a{n}", "a", esr, None) for n, esr in enumerate((0.5, 0.2, 0.3))),
        *(row(f"b{n}", "b", esr, 2 * esr) for n, esr in enumerate((0.1, 0.4))),
        ComparisonRow("b2", Outcome("failed", "a loss of nan"), [], "b"),
    ]
    found = [
        (one.recipe, one.figure, one.seeds, one.median, one.least, one.most) for one in measure_spreads(rows)
    ]
    assert found == [
        ("b", "val_esr", 2, 0.25, 0.1, 0.4),
        ("b", "test_esr", 2, 0.5, 0.2, 0.8),
        ("a", "val_esr", 3, 0.3, 0.2, 0.5),
    ]
    [first, *_] = csv.DictReader(io.StringIO(csv_text(spread_table(rows), line_end="\n")))
    assert first == {
        "recipe": "b",
        "figure": "val_esr",
        "seeds": "2",
        "median": "0.25",
        "least": "0.1",
        "most": "0.4",
    }
    text = comparison_markdown(rows, Caption("3 minutes", "tape", "tape", 0.02, 100, 1, "tapezoo 1"))
    assert "0.25000" in text


def test_without_seeds_there_is_no_spread():
    assert measure_spreads([row("a", "", 0.1, 0.1)]) == []
