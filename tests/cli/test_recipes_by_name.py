"""Recipes that are asked for by name, listed and copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapezoo.cli import main
from tapezoo.cli.errors import RecipeError
from tapezoo.cli.shipped_recipes import find_recipe, shipped_recipes
from tapezoo.cli.short_forms import expand

FOLDER = Path(__file__).parents[2] / "recipes"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no folder of recipes."""
    monkeypatch.chdir(tmp_path)


def test_every_recipe_is_listed_with_its_model_data_and_first_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["recipes"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["recipe", "model", "data", "purpose"]
    listed = {line.split()[0]: line for line in lines}
    files = sorted(FOLDER.rglob("*.yaml"))
    assert list(listed) == [file.relative_to(FOLDER).with_suffix("").as_posix() for file in files]
    for file, line in zip(files, lines, strict=True):
        first = file.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").partition(". ")[0]
        assert first.rstrip(".") in line
    assert "LSTM  " in listed["hybrid/best-ct"]
    assert "VirtualDevices: compressor, tape  " in listed["hybrid/best-ct"]
    assert "HysteresisCells  " in listed["stn/grid"]


@pytest.mark.parametrize("asked", ["stn/grid", "stn/grid.yaml", "recipes/stn/grid.yaml"])
def test_a_shipped_recipe_is_found_by_name_and_it_is_said(asked: str) -> None:
    told: list[str] = []
    assert find_recipe(asked, told.append) == FOLDER / "stn" / "grid.yaml"
    assert told == [f"recipe {asked}: shipped with tapezoo, {FOLDER / 'stn' / 'grid.yaml'}"]


@pytest.mark.parametrize("file", ["lstm", "lstm.yaml"])
def test_a_file_in_the_working_directory_comes_first_and_it_is_said(file: str) -> None:
    Path(file).write_text("model: {}")
    told: list[str] = []
    assert find_recipe("lstm", told.append) == Path(file)
    assert told == [f"recipe lstm: the file {file}, not the shipped recipe with that name"]


def test_nothing_is_said_of_a_path_that_can_be_only_one_file() -> None:
    told: list[str] = []
    Path("mine.yaml").touch()
    assert find_recipe("mine.yaml", told.append) == Path("mine.yaml")
    shipped = FOLDER / "lstm.yaml"
    assert find_recipe(str(shipped), told.append) == shipped
    assert told == []


@pytest.mark.parametrize(
    ("asked", "near"), [("lsmt", "lstm"), ("STN/girds.yaml", "stn/grid"), ("best-ct", "hybrid/best-ct,")]
)
def test_an_unknown_name_is_answered_with_the_nearest(asked: str, near: str) -> None:
    with pytest.raises(RecipeError, match=near) as caught:
        find_recipe(asked)
    assert caught.value.subject == asked


@pytest.mark.parametrize("option", [("--config", "lstm"), ("--config=lstm",), ("-c", "lstm"), ("-c=lstm",)])
def test_fit_takes_a_name(option: tuple[str, ...]) -> None:
    told: list[str] = []
    line = expand(["fit", "--run_dir", "run", *option], told.append)
    assert line == ["fit", option[0].partition("=")[0], str(FOLDER / "lstm.yaml"), "--run_dir", "run"]
    assert len(told) == 1


def test_compare_takes_names_beside_paths(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "lstm", str(FOLDER / "lstm.yaml"), "--minutes", "1"]) == 2
    captured = capsys.readouterr()
    assert f"recipe lstm: shipped with tapezoo, {FOLDER / 'lstm.yaml'}" in captured.out
    assert "found the same recipe twice" in captured.err


def test_grid_fit_takes_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grid", "fit", "lstm", "--out", "grid"]) == 2
    captured = capsys.readouterr()
    assert "recipe lstm: shipped with tapezoo" in captured.out
    assert "STNGrid" in captured.err  # which this recipe is not


def test_a_recipe_is_copied_and_the_copy_is_used_from_then_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "copy", "stn/grid"]) == 0
    assert capsys.readouterr().out == "train with it: tapezoo fit --config grid.yaml\n"
    assert Path("grid.yaml").read_bytes() == shipped_recipes()["stn/grid"].read_bytes()
    assert main(["recipes", "copy", "lstm.yaml", "--to", "mine.yaml"]) == 0
    assert find_recipe("mine") == Path("mine.yaml")


@pytest.mark.parametrize("to", [(), ("--to", "."), ("--to", "lstm.yaml")])
def test_a_copy_overwrites_nothing(to: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    Path("lstm.yaml").write_text("somebody's work")
    assert main(["recipes", "copy", "lstm", *to]) == 2
    assert "lstm.yaml: found a file that exists" in capsys.readouterr().err
    assert Path("lstm.yaml").read_text() == "somebody's work"


def test_a_copy_that_cannot_be_made_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "copy", "lsmt"]) == 2
    assert "such as lstm" in capsys.readouterr().err
    assert main(["recipes", "copy", "lstm", "--to", "nowhere/lstm.yaml"]) == 2
    assert "nowhere/lstm.yaml: found a location that cannot be written" in capsys.readouterr().err
