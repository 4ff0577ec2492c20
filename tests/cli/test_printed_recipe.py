"""`--print_config` prints the resulting recipe, trains nothing, and what it prints is a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapezoo.cli import main
from tapezoo.cli.training import resolved_recipe


def test_the_printed_recipe_is_the_resulting_one_and_is_read_again(
    small_recipe: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["fit", "--config", "recipe.yaml", "--trainer.max_epochs", "3", "--print_config"])
    assert not end.value.code
    Path("printed.yaml").write_text(capsys.readouterr().out)
    asked = resolved_recipe(Path("recipe.yaml"), ["--trainer.max_epochs", "3"])
    assert asked["trainer"]["max_epochs"] == 3
    assert resolved_recipe(Path("printed.yaml"), []) == asked
    assert not Path("runs").exists()


def test_what_else_is_said_does_not_stand_in_the_printed_recipe(
    small_recipe: None, capsys: pytest.CaptureFixture[str]
) -> None:
    text = Path("recipe.yaml").read_text()
    Path("lstm.yaml").write_text(text)  # a name that a shipped recipe has: fit says which one it takes
    with pytest.raises(SystemExit):
        main(["fit", "--config", "lstm", "--print_config"])
    printed = capsys.readouterr()
    assert "not the shipped recipe" in printed.err
    assert "not the shipped recipe" not in printed.out


def test_an_option_is_written_out(small_recipe: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", "recipe.yaml", "--trainer.max_epoch", "3"]) == 2
    assert "did you mean '--trainer.max_epochs'?" in " ".join(capsys.readouterr().err.split())
    assert main(["verify", "bundle", "--comp"]) == 2
    assert "--comp, which is no option of it; did you mean --compile?" in capsys.readouterr().err
