"""What a newcomer mistypes is answered with what was meant, before anything heavy is imported."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tapezoo.cli import main
from tapezoo.cli.errors import RecipeError
from tapezoo.cli.recipes import _first_sentence
from tapezoo.cli.short_forms import expand
from tapezoo.errors import UsageError

TAPE = "model: {class_path: tapezoo.models.FIR}\ndata: {class_path: tapezoo.data.VirtualDevices}\n"


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text(TAPE)
    Path("dry.wav").touch()
    return "r.yaml"


def test_a_mistyped_verb_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rendr", "a", "b", "c"]) == 2
    said = capsys.readouterr().err
    assert "'rendr'; did you mean 'render'?" in said
    assert "recipe" not in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--data.dry", "gone.wav", "--data.wet", "dry.wav"],
            "gone.wav: found no file; expected a sound file for --data.dry",
        ),
        (
            ["--data.dry", "dry.wav", "--data.wet", "gone.wav"],
            "gone.wav: found no file; expected a sound file for --data.wet",
        ),
        (["--data.pairs", "gone.yaml"], "gone.yaml: found no file; expected a pairs file for --data.pairs"),
    ],
)
def test_a_missing_recording_is_named_while_the_line_is_read(
    recipe: str, options: list[str], said: str
) -> None:
    with pytest.raises(RecipeError, match=re.escape(said)):
        expand(["fit", "--config", recipe, "--data", "PairedAudio", *options])


def test_recordings_for_a_recipe_of_a_virtual_machine_need_other_data(recipe: str) -> None:
    with pytest.raises(UsageError, match=r"--data\.dry for a recipe .*; add --data PairedAudio"):
        expand(["fit", "--config", recipe, "--data.dry", "dry.wav"])
    expand(["fit", "--config", recipe, "--data", "PairedAudio", "--data.dry", "dry.wav"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("# LSTM-32: the place to start.\n# device: tape\n", "LSTM-32: the place to start"),
        ("# One that ends\n# on the second line. And more.\n", "One that ends on the second line"),
        ("# A filter of 0.5 s (e.g. of a room)\n# paper: none\n", "A filter of 0.5 s (e.g. of a room)"),
    ],
)
def test_a_recipe_is_listed_with_its_whole_first_sentence(text: str, sentence: str) -> None:
    assert _first_sentence(text) == sentence
