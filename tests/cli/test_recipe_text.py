"""What a recipe, or a value on the line, may say; no message tells the content of a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_lines import SMALL_RECIPE, parse_fit

from tapezoo.cli.errors import RecipeError
from tapezoo.errors import TapezooError, UsageError

SECRET = "hunter2-is-the-word"


@pytest.fixture(autouse=True)
def here(small_recipe: None, tmp_path: Path) -> Path:
    (tmp_path / "token").write_text(SECRET)
    (tmp_path / "lines").write_text(f"{SECRET}:x:0\n{SECRET}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("hidden_size: 4", "hidden_size: 010", "010 (line 2, column"),
        ("hidden_size: 4", "hidden_size: 9:00", "for 540"),
        ("accelerator: cpu", "deterministic: on", "for True"),
        ("hidden_size: 4", "hidden_size: 4, hidden_size: 8", "the key hidden_size twice"),
        ("trainer:", "model: {class_path: tapezoo.models.GRU}\ntrainer:", "the key model twice"),
    ],
)
def test_a_recipe_that_yaml_would_guess_at_is_refused(old: str, new: str, found: str, here: Path) -> None:
    (here / "recipe.yaml").write_text(SMALL_RECIPE.replace(old, new))
    with pytest.raises(RecipeError) as caught:
        parse_fit()
    assert caught.value.subject == "recipe.yaml"
    assert found in caught.value.found


def test_a_recipe_inside_a_recipe_is_read_as_strictly(here: Path) -> None:
    lines = SMALL_RECIPE.splitlines()
    (here / "outer.yaml").write_text("\n".join(["model: model.yaml", *lines[2:]]))
    (here / "model.yaml").write_text("class_path: tapezoo.models.LSTM\ninit_args: {hidden_size: 10}\n")
    assert parse_fit(recipe="outer.yaml").model.init_args.hidden_size == 10
    (here / "model.yaml").write_text("class_path: tapezoo.models.LSTM\ninit_args: {hidden_size: 010}\n")
    for options in ((), ("--model", "model.yaml")):
        with pytest.raises(RecipeError, match=r"model\.yaml.*010.*for 8.*in quotes or as a decimal"):
            parse_fit(*options, recipe="outer.yaml" if not options else "recipe.yaml")


@pytest.mark.parametrize(
    "options",
    [
        ("--data.seconds", "9:00"),
        ("--data.seconds", "1_0"),
        ("--model.hidden_size", "0x10"),
        ("--trainer.deterministic", "on"),
        ("--data.settings", "{drive: 9:00}"),
        ("--data.settings={drive: 1, drive: 2}",),
    ],
)
def test_a_value_on_the_line_is_no_guess_either(options: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        parse_fit(*options)


def test_names_on_the_line_may_look_like_numbers() -> None:
    config = parse_fit("--run_dir", "9:00", "--trainer.max_time", "12:00:00:00", "--data.seconds", "1e2")
    assert (config.run_dir, config.trainer.max_time, config.data.init_args.seconds) == (
        "9:00",
        "12:00:00:00",
        100.0,
    )


@pytest.mark.parametrize("name", ["token", "lines"])
@pytest.mark.parametrize("place", ["config", "model", "trainer", "data", "seed_everything", "tracking"])
def test_no_file_that_a_recipe_names_is_told(place: str, name: str, here: Path) -> None:
    kept = [line for line in SMALL_RECIPE.splitlines() if not line.startswith(f"{place}:")]
    (here / "recipe.yaml").write_text("\n".join([f"{place}: {name}", *kept]))
    with pytest.raises(TapezooError) as caught:
        parse_fit()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["token", "lines"])
@pytest.mark.parametrize(
    "option",
    [
        "--model.optimizer",
        "--model.objective.loss",
        "--data.settings",
        "--trainer",
        "--trainer.callbacks",
        "--config",
    ],
)
def test_no_file_that_the_line_names_is_told(option: str, name: str) -> None:
    with pytest.raises(TapezooError) as caught:
        parse_fit(option, name)
    assert SECRET not in str(caught.value)


def test_an_alias_bomb_is_no_recipe(here: Path) -> None:
    bomb = "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    (here / "recipe.yaml").write_text(f"a0: &a0 [x]\n{bomb}{SMALL_RECIPE}")
    with pytest.raises(RecipeError, match="aliases that stand for more than"):
        parse_fit()
