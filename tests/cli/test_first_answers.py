"""What a newcomer mistypes is answered with what was meant, before anything heavy is imported."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tapezoo.cli import lean, main, render
from tapezoo.cli.early_answers import SECTIONS
from tapezoo.cli.errors import RecipeError
from tapezoo.cli.nearest_options import with_nearest_option
from tapezoo.cli.recipes import _first_sentence
from tapezoo.cli.short_forms import check_complete, expand
from tapezoo.data.errors import DataError
from tapezoo.errors import UsageError

PAIR = ["--data.dry", "dry.wav", "--data.wet", "wet.wav"]
TAPE = "model: {class_path: tapezoo.models.FIR}\ndata: {class_path: tapezoo.data.VirtualDevices}\n"
RECORDED = (
    "model: {class_path: tapezoo.models.FIR}\n"
    "data: {class_path: tapezoo.data.PairedAudio, init_args: {dry: dry.wav, wet: wet.wav}}\n"
)


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


@pytest.mark.parametrize(
    ("rate", "channels", "said"), [(48000, 1, "48000 Hz against 44100 Hz"), (44100, 2, "stereo against mono")]
)
def test_recordings_that_do_not_fit_together_are_named_while_the_line_is_read(
    recipe: str, rate: int, channels: int, said: str
) -> None:
    soundfile.write("dry.wav", np.zeros(1000), 44100)
    soundfile.write("wet.wav", np.zeros((1000, channels)), rate)
    with pytest.raises(DataError, match=f"wet.wav: found {said}"):
        expand(["fit", "--config", recipe, "--data", "PairedAudio", *PAIR])


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "Problem with given class_path 'tapezoo.models.LSTM': Option 'hiden_size' is not accepted",
            "tapezoo.models.LSTM has no option 'hiden_size'; did you mean 'hidden_size'? (its options: hidden_size,",
        ),
        (
            "Problem with given class_path 'tapezoo.models.LSTM': Parser key \"objective\": Problem with given "
            "class_path 'tapezoo.training.Supervised': Option 'los' is not accepted",
            "tapezoo.training.Supervised has no option 'los'; did you mean 'loss'?",
        ),
        (
            "Problem with given class_path 'tapezoo.models.LSTM': Parser key \"optimizer\": Type Callable expects a "
            "function or a callable class: Option 'lrr' is not accepted. Got value: "
            "Namespace(class_path='tapezoo.training.SOAP', init_args=Namespace(lrr='0.1'))",
            "tapezoo.training.SOAP has no option 'lrr'; did you mean 'lr'? (its options: lr, betas,",
        ),
        (
            "unrecognized arguments: --trainer.max_epohs 8",
            "the command line has no option '--trainer.max_epohs'; did you mean '--trainer.max_epochs'?",
        ),
        (
            "unrecognized arguments: --modell.hidden_size 8",
            "the command line has no option '--modell.hidden_size'; did you mean '--model.hidden_size'?",
        ),
        ("something else", "something else"),
    ],
)
def test_a_mistyped_option_is_answered_with_the_nearest_of_what_it_belongs_to(
    message: str, said: str
) -> None:
    import tapezoo.models
    import tapezoo.training  # noqa: F401  (as a recipe that names them does)

    assert with_nearest_option(message, ["trainer.max_epochs", "trainer.max_steps", "model"]).startswith(said)


def test_jsonargparse_still_says_what_the_answer_is_made_of(
    recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", recipe, "--model.tap", "8"]) == 2
    assert "FIR has no option 'tap'; did you mean " in " ".join(capsys.readouterr().err.split())
    assert main(["fit", "--config", recipe, "--trainer.max_epohs", "8"]) == 2
    assert "did you mean '--trainer.max_epochs'?" in " ".join(capsys.readouterr().err.split())


def test_a_recipe_without_its_option_is_recognised() -> None:
    with pytest.raises(UsageError, match=r"'lstm', which is no option; did you mean --config lstm\?"):
        expand(["fit", "lstm", "--data.dry", "dry.wav"])
    with pytest.raises(UsageError, match=r"did you mean --ckpt_path run/best\.ckpt\?"):
        expand(["test", "run/best.ckpt"])


def test_overwrite_needs_no_value_in_any_verb(recipe: str) -> None:
    line = ["fit", "--config", recipe, "--overwrite"]
    assert expand(line) == [*line, "true"]
    assert expand([*line, "--run_dir", "x"])[3:] == ["--overwrite", "true", "--run_dir", "x"]
    assert expand([*line, "false"])[3:] == ["--overwrite", "false"]


def test_recordings_for_a_recipe_of_a_virtual_machine_need_other_data(recipe: str) -> None:
    with pytest.raises(UsageError, match=r"--data\.dry for a recipe .*; add --data PairedAudio"):
        expand(["fit", "--config", recipe, "--data.dry", "dry.wav"])
    expand(
        ["fit", "--config", recipe, "--data", "PairedAudio", "--data.dry", "dry.wav"]
    )  # others name what is missing


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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "tapezoo fit: found no recipe and no --model; expected --config with a recipe"),
        (["--model", "LSTM"], "found no recipe and no --data"),
        (
            ["--config", "r.yaml", "--data", "PairedAudio", "--data.dry", "dry.wav"],
            "PairedAudio: found --data.dry; expected --data.dry with --data.wet",
        ),
        (["--config", "r.yaml", "--data", "PairedAudio"], "PairedAudio: found none of the three"),
        (["--cofig", "r.yaml"], "found --cofig, which is no option of it; did you mean --config?"),
        (["--config", "r.yaml", "--max_epochs", "3"], "did you mean --trainer.max_epochs?"),
        (["--config", "r.yaml", "--modell.taps=3"], "did you mean --model.taps?"),
        (["--config", "r.yaml", "--taps", "3"], "an option of the model is --model.taps"),
        (
            ["--config", "r.yaml", "--trainer.max_time", "4min"],
            "found the time '4min'; expected DD:HH:MM:SS, days to seconds; 00:00:04:00",
        ),
        (["--config", "slow.yaml"], "trainer.max_time in the recipe: found the time 'soon'"),
        (
            ["--config", "pair.yaml"],
            "wet.wav: found 4000 samples (0.09 s) in its train part; expected at least",
        ),
    ],
)
def test_a_line_without_model_data_or_recordings_is_answered_before_anything_is_imported(
    recipe: str,
    options: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lean, "import_lightning", lambda: pytest.fail("imported"))
    Path("pair.yaml").write_text(RECORDED)
    Path("slow.yaml").write_text(f"{TAPE}trainer: {{max_time: soon}}\n")
    if "pair.yaml" in options:
        soundfile.write("dry.wav", np.zeros(5100), 44100)
        soundfile.write("wet.wav", np.zeros(5000), 44100)
    assert main(["fit", *options]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_what_the_recipe_names_makes_a_pair_whole(recipe: str) -> None:
    Path("pair.yaml").write_text(RECORDED)
    check_complete(expand(["fit", "--config", "pair.yaml", "--data.wet", "other.wav"]))
    check_complete(["fit", "--config", recipe])
    check_complete(["fit", "--model.help", "LSTM"])
    check_complete(["fit", "--config", recipe, "--model.metrics+", "LSD", "--trainer.max_time", "0:04:00"])


def test_every_option_of_the_training_verbs_passes_the_first_look() -> None:
    from lightning.pytorch import Trainer
    from lightning.pytorch.cli import LightningCLI

    from tapezoo.cli.training_cli import OWN_TYPES

    of_methods = [
        name
        for verb, skipped in LightningCLI.subcommands().items()
        for name in inspect.signature(getattr(Trainer, verb)).parameters
        if name not in skipped | {"self"}
    ]
    assert set(of_methods) | set(OWN_TYPES) <= set(SECTIONS)
    assert {"config", "trainer", "model", "data", "tracking", "optimizer", "lr_scheduler"} <= set(SECTIONS)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            ["demo", "--out"],
            "tapezoo demo: found --out, which is no option of it; it takes folder, --overwrite",
        ),
        (["bench", "--blok", "3", "x"], "--blok, which is no option of it; did you mean --block?"),
        (
            ["verify", "--x"],
            "tapezoo verify: found --x, which is no option of it; it takes bundle, --compile",
        ),
        (["grid", "merge", "--owt", "x"], "tapezoo grid merge: found --owt, which is no option of it"),
        (["verify", "a", "b"], "tapezoo verify: found 'b', which is too much; it takes bundle"),
        (["report"], "tapezoo report: found no FOLDER (of a training, such as runs/LSTM-"),
        (["--verson"], "did you mean --version?"),
    ],
)
def test_every_verb_speaks_for_itself(line: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line) == 2
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--targets", "onyx"], "Did you mean onnx?"),
        (["--targets", "cpp"], "Pass --targets onnx,cpp."),
        ([], "bundle: found a file or folder that exists"),
        (["--overwrite"], "bundle: found something that is not a bundle"),
    ],
)
def test_an_export_that_cannot_be_is_refused_before_anything_is_imported(
    recipe: str,
    options: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lean, "import_lightning", lambda: pytest.fail("imported"))
    Path("bundle").mkdir()
    Path("bundle/mine.txt").touch()
    assert main(["export", recipe, "--out", "bundle", *options]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_knob_that_a_bundle_does_not_have_is_refused_before_it_is_opened(
    recipe: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "_open_bundle", lambda root: pytest.fail("opened"))
    assert main(["render", "preamp", "dry.wav", "out.wav", "--set", "knob=1"]) == 2
    assert "control 'knob': found no such control; expected " in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ([], "no --out; name the folder"),
        (["dry.wav"], "1 files; pairs of DRY and WET"),
        (["dry.wav", "gone.wav", "--out", "set"], "no file gone.wav"),
    ],
)
def test_prepare_refuses_a_line_before_anything_is_imported_and_speaks_of_no_recipe(
    recipe: str,
    line: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tapezoo.recordings.session", None)
    assert main(["prepare", *(line or ["dry.wav", "dry.wav"]), *(["--check"] if len(line) == 1 else [])]) == 2
    answer = capsys.readouterr().err
    assert said in answer
    assert "recipe" not in answer


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--data", "PairAudio"], "no class for data with the name 'PairAudio'; did you mean 'PairedAudio'?"),
        (["--model.optimizer", "Adm"], "no class for optimizer with the name 'Adm'; did you mean 'Adam'?"),
    ],
)
def test_a_mistyped_class_is_answered_with_the_nearest(
    recipe: str, option: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", recipe, *option]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
