"""Checkpoints, recipes and bundles from strangers: refused in one paragraph, and nothing in them was run."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from jsonargparse import set_parsing_settings
from test_bad_input import checkpoint_content
from test_verbs import RATE, RECIPE, SMALL, invoke, machine, programme

from tapezoo.cli.short_forms import split_allowed
from tapezoo.errors import UsageError

PAIR = ("--data", "PairedAudio", "--data.dry", "dry.wav", "--data.wet", "wet.wav")
FIT = ("fit", "--config", RECIPE, *SMALL, *PAIR, "--trainer.logger", "false")
TEST = ("--config", RECIPE, *SMALL, *PAIR, "--ckpt_path")


@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    yield
    set_parsing_settings(import_path_denylist=["mymodule"])  # allowing holds for the process


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a recording, and a good checkpoint."""
    dry = programme(3).astype(np.float32)
    soundfile.write(tmp_path / "dry.wav", dry, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "wet.wav", machine(dry), RATE, subtype="FLOAT")
    torch.save(checkpoint_content(), tmp_path / "good.ckpt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


# --- checkpoints ---


class Toucher:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.path),))


def write_hostile(path: Path, touched: Path) -> None:
    """A checkpoint of ours with one value that is a call."""
    torch.save({**checkpoint_content(), "callbacks": Toucher(touched)}, path)


@pytest.mark.parametrize(
    "line",
    [
        (*FIT, "--run_dir", "run", "--ckpt_path", "bad.ckpt"),
        (*FIT, "--run_dir", "run", "--warm_start", "bad.ckpt"),
        ("validate", *TEST, "bad.ckpt"),
        ("test", *TEST, "bad.ckpt"),
        ("predict", *TEST, "bad.ckpt"),
        ("test", *TEST, "good.ckpt", "--ensemble", "[bad.ckpt]"),
        ("validate", "--ckpt_path", "bad.ckpt"),
        ("render", "bad.ckpt", "dry.wav", "out.wav"),
        ("sweep", "bad.ckpt", "--out", "sweep"),
        ("export", "bad.ckpt", "--out", "bundle"),
    ],
    ids=lambda line: " ".join(part for part in line if part in (line[0], *(n for n in line if "bad" in n))),
)
def test_a_checkpoint_that_would_run_code_is_refused_unrun(
    line: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_hostile(here / "bad.ckpt", here / "touched")
    result = invoke(capsys, *line)
    assert result.code == 2, result
    assert "bad.ckpt" in result.err
    assert "a pickle that names posix.mkdir, which reading it would have run" in result.err
    assert "Traceback" not in result.err
    assert not (here / "touched").exists()
    assert not (here / "run").exists()


def test_the_hostile_checkpoint_is_hostile(here: Path) -> None:
    """As plain pickles run it: so that the test above tests something."""
    write_hostile(here / "bad.ckpt", here / "touched")
    torch.load(here / "bad.ckpt", weights_only=False)
    assert (here / "touched").exists()


def test_a_plain_pickle_is_refused_unrun(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bad.ckpt").write_bytes(pickle.dumps(Toucher(here / "touched"), protocol=2))
    result = invoke(capsys, "render", "bad.ckpt", "dry.wav", "out.wav")
    assert result.code == 2
    assert not (here / "touched").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    "line",
    [
        ("export", "bad.ckpt", "--out", "bundle"),
        ("render", "bad.ckpt", "dry.wav", "out.wav"),
        (*FIT, "--run_dir", "run", "--warm_start", "bad.ckpt"),
    ],
    ids=lambda line: line[0],
)
def test_weights_that_are_no_numbers_are_refused(
    line: tuple[str, ...], value: float, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = checkpoint_content()
    name = next(iter(content["state_dict"]))
    content["state_dict"][name].view(-1)[0] = value
    torch.save(content, here / "bad.ckpt")
    before = sorted(here.iterdir())
    result = invoke(capsys, *line)
    assert result.code == 2, result
    assert f"bad.ckpt: found NaN or infinite values in {name}" in result.err
    assert sorted(here.iterdir()) == before


# --- recipes ---


def recipe_with(here: Path, optimizer: str) -> str:
    """The LSTM recipe with another optimizer."""
    content = yaml.safe_load(Path(RECIPE).read_text(encoding="utf-8"))
    content["model"]["init_args"]["optimizer"] = {"class_path": optimizer}
    (here / "recipe.yaml").write_text(yaml.safe_dump(content))
    return "recipe.yaml"


def write_module(here: Path) -> None:
    (here / "mymodule.py").write_text(
        "import pathlib, torch\n"
        f"pathlib.Path({str(here / 'imported')!r}).touch()\n"
        "class Slow(torch.optim.SGD):\n"
        "    def __init__(self, params, lr: float = 1e-9):\n"
        "        super().__init__(params, lr=lr)\n"
    )


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("os.system", "os.system"),
        ("subprocess.Popen", "subprocess.Popen"),
        ("builtins.eval", "builtins.eval"),
        ("tapezoo.jobs.process.subprocess.Popen", "subprocess.Popen"),
        ("torch.hub.load", "torch.hub.load"),
        ("mymodule.Slow", "mymodule.Slow"),
    ],
)
def test_recipes_name_known_packages_alone(
    path: str, shown: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_module(here)
    line = ("fit", "--config", recipe_with(here, path), *SMALL, *PAIR, "--run_dir", "run")
    for options in ((), ("--allow-import", "mymodules")) if path == "mymodule.Slow" else ((),):
        result = invoke(capsys, *line, *options)
        assert result.code == 2, result
        assert f"{shown}, code from a package that a recipe is not allowed to use" in result.err
        assert f"add --allow-import {shown.partition('.')[0]} to the line" in result.err
    assert not (here / "imported").exists()
    assert not (here / "run").exists()


def test_a_package_that_is_allowed_is_taken_and_no_other(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_module(here)
    line = ("fit", "--config", recipe_with(here, "mymodule.Slow"), *SMALL, *PAIR, "--trainer.logger", "false")
    result = invoke(capsys, *line, "--run_dir", "run", "--allow-import", "mymodule")
    assert result.code == 0, result
    assert (here / "imported").exists()
    assert "mymodule.Slow" in (here / "run" / "config.yaml").read_text()
    result = invoke(capsys, *line, "--allow-import=mymodule", "--model.optimizer", "os.system")
    assert result.code == 2
    assert "os.system, code from a package" in result.err


def test_a_recipe_cannot_allow_itself(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_module(here)
    name = recipe_with(here, "mymodule.Slow")
    for key in ("allow_import", "allow-import"):
        content = yaml.safe_load((here / name).read_text())
        (here / "own.yaml").write_text(yaml.safe_dump({key: ["mymodule"], **content}))
        result = invoke(capsys, "fit", "--config", "own.yaml", *SMALL, *PAIR)
        assert result.code == 2, result
    assert not (here / "imported").exists()


def test_yaml_that_makes_objects_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path(RECIPE).read_text(encoding="utf-8")
    (here / "own.yaml").write_text(f"{text}\nrun_dir: !!python/object/apply:pathlib.Path.touch [touched]\n")
    result = invoke(capsys, "fit", "--config", "own.yaml", *SMALL, *PAIR)
    assert result.code == 2, result
    assert not (here / "touched").exists()


def test_the_option_is_taken_off_the_line() -> None:
    line = ["fit", "--allow-import", "a.b", "--model", "LSTM", "--allow-import=c"]
    assert split_allowed(line) == (["fit", "--model", "LSTM"], ["a.b", "c"])


@pytest.mark.parametrize("package", ["*", "", "a/b", "a.", "jsonargparse", "jsonargparse.typing", "../a"])
def test_packages_that_are_none_are_refused(package: str) -> None:
    with pytest.raises(UsageError, match="not the name of a package"):
        split_allowed(["fit", f"--allow-import={package}"])


# --- bundles ---


def test_verify_refuses_in_one_paragraph(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bundle").mkdir()
    (here / "bundle" / "manifest.json").write_text('{"schema_version": 9}')
    (here / "bundle" / "\x1b[2Jx").touch()
    for path in ("bundle", "dry.wav", "nowhere", "a\0b"):
        result = invoke(capsys, "verify", path)
        assert result.code == 2, result
        assert result.err.count("\n") == 1
        assert result.err.strip().isprintable()
