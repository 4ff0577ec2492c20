"""Every recipe that is shipped runs, for a few steps."""

from pathlib import Path

import pytest
import yaml

from tapezoo.cli import main

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = sorted(FOLDER.rglob("*.yaml"))
SETTINGS_TO_RENDER = [FOLDER / "controls" / "tape.yaml"]  # 25 of them: half a minute


def trained(recipe: Path):
    marks = [pytest.mark.slow] if recipe in SETTINGS_TO_RENDER else []
    return pytest.param(recipe, marks=marks, id=recipe.stem)


@pytest.mark.parametrize("recipe", [trained(recipe) for recipe in RECIPES])
def test_a_recipe_trains(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    short = [
        "--trainer.max_epochs",
        "1",
        "--data.batches_per_epoch",
        "1",
        "--data.seconds",
        "20",
        "--data.segment_samples",
        "2048",
        "--data.burn_in_samples",
        "256",
        "--threads",
        "1",
    ]
    if "tapezoo.callbacks.Register" not in recipe.read_text():  # which needs a store
        short += ["--trainer.logger", "false"]
    assert main(["fit", "--config", str(recipe), *short, "--run_dir", "run"]) == 0
    assert (tmp_path / "run" / "best.ckpt").is_file()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_says_what_it_reached(recipe):
    header = [line for line in recipe.read_text().splitlines() if line.startswith("#")]
    for word in ("device:", "paper:", "reached:"):
        assert any(word in line for line in header), f"{recipe.name} has no {word} line in its header"
    assert yaml.safe_load(recipe.read_text())["model"]["class_path"].startswith("tapezoo.models.")
