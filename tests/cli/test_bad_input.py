"""What a clumsy or hostile user meets: one paragraph, exit code 2, and everything as it was before."""

from __future__ import annotations

import copy
import functools
import pickle
import shutil
import socket
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from test_verbs import RATE, RECIPE, SMALL, Result, invoke, machine, programme
from tracking.stores import make_bundles

from tapezoo.controls import Control
from tapezoo.models.lstm import LSTM

DRIVE = Control("drive", min=0.0, max=10.0, default=5.0, unit="dB")
ARGUMENTS: dict[str, Any] = {"sample_rate": RATE, "controls": [DRIVE.to_dict()], "hidden_size": 4}
PAIR = ("--data", "PairedAudio", "--data.dry", "dry.wav", "--data.wet", "wet.wav")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound files and checkpoints with one fault each; copied into every test's working directory."""
    folder = tmp_path_factory.mktemp("shelf")
    dry = programme(3).astype(np.float32)
    wet = machine(dry)

    def write(name: str, samples: Any, rate: int = RATE) -> None:
        soundfile.write(folder / name, samples, rate, subtype="FLOAT")

    write("dry.wav", dry)
    write("wet.wav", wet)
    write("otherrate.wav", wet, 11025)
    write("longer.wav", np.tile(wet, 2))
    write("stereo.wav", np.stack([wet, wet], axis=1))
    write("nan.wav", np.where(np.arange(len(wet)) == 20100, np.nan, wet))
    write("silent.wav", 0 * wet)
    write("shortdry.wav", dry[:500])
    write("shortwet.wav", wet[:500])
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("no audio at all " * 40)
    (folder / "header.wav").write_bytes((folder / "wet.wav").read_bytes()[:20])

    content = checkpoint_content()
    torch.save(content, folder / "good.ckpt")
    whole = (folder / "good.ckpt").read_bytes()
    (folder / "truncated.ckpt").write_bytes(whole[: len(whole) // 2])
    with zipfile.ZipFile(folder / "good.ckpt") as archive:  # between its members no checksum sees a change
        pickled = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        middle = whole.index(archive.read(pickled)) + archive.getinfo(pickled).file_size // 2
    (folder / "changed.ckpt").write_bytes(
        whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :]
    )
    (folder / "empty.ckpt").touch()
    (folder / "text.ckpt").write_text("hello world " * 40)
    (folder / "pickle.ckpt").write_bytes(pickle.dumps({"a": 1}))
    torch.save({"state_dict": {}}, folder / "foreign.ckpt")
    torch.save([1, 2], folder / "list.ckpt")
    torch.save(torch.nn.Linear(2, 2), folder / "module.ckpt")
    torch.save({"tapezoo": 5, "state_dict": {}}, folder / "hollow.ckpt")
    torch.save({**content, "state_dict": None}, folder / "weightless.ckpt")
    torch.save(checkpoint_content(architecture="Nope"), folder / "unknown.ckpt")
    torch.save(checkpoint_content(architecture="FIR"), folder / "mislabelled.ckpt")
    torch.save(checkpoint_content(hidden_size=8), folder / "othersize.ckpt")
    return folder


def checkpoint_content(architecture: str = "LSTM", **arguments: Any) -> dict[str, Any]:
    """As `EffectModel.on_save_checkpoint` writes it, of an untrained LSTM-4; `arguments` contradict it."""
    arguments = copy.deepcopy({**ARGUMENTS, **arguments})
    own = {"architecture": architecture, "arguments": arguments, "metrics": {}, "provenance": {}}
    return {"state_dict": copy.deepcopy(untrained_weights()), "tapezoo": own}


@functools.cache
def untrained_weights() -> dict[str, torch.Tensor]:
    """Of an LSTM-4: making one takes longer than refusing its checkpoint."""
    torch.manual_seed(0)
    return LSTM(**ARGUMENTS).state_dict()


@pytest.fixture
def here(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a copy of the shelf; tracked runs would appear in it as mlruns.db."""
    folder = tmp_path / "here"
    shutil.copytree(shelf, folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "cache"))
    return folder


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def refused(capsys: pytest.CaptureFixture[str], here: Path, words: tuple[str, ...], *line: object) -> Result:
    """Runs the command line and checks the rule for bad input."""
    before = snapshot(here)
    result = invoke(capsys, *line)
    assert result.code == 2, result
    assert "Traceback" not in result.out + result.err
    paragraph = result.err.strip()
    assert paragraph.startswith("tapezoo: ")
    assert "\n" not in paragraph
    assert "\x1b" not in paragraph
    for inside in ("jsonargparse", "Union", "class '", "Namespace("):  # of no use to a user
        assert inside not in paragraph
    for word in words:
        assert word in paragraph
    assert len(paragraph) < 600
    after = snapshot(here)
    assert sorted(after) == sorted(before)  # no half-made run, no part file, no database
    assert after == before
    return result


def fit(*options: str) -> tuple[str, ...]:
    return ("fit", "--config", RECIPE, *SMALL, *options)


# --- recordings ---


@pytest.mark.parametrize(
    ("dry", "wet", "words"),
    [
        ("dry.wav", "nope.wav", ("nope.wav", "no file")),
        ("nope.wav", "wet.wav", ("nope.wav", "no file")),
        ("dry.wav", ".", ("a folder", "audio file")),
        ("dry.wav", "empty.wav", ("empty.wav", "0 bytes")),
        ("dry.wav", "text.wav", ("text.wav", "decoded", "WAV")),
        ("dry.wav", "header.wav", ("header.wav", "decoded")),
        ("dry.wav", "otherrate.wav", ("otherrate.wav", "11025 Hz", "8000 Hz", "dry.wav", "Resample")),
        ("dry.wav", "longer.wav", ("longer.wav", "6.00 s", "3.00 s")),
        ("dry.wav", "stereo.wav", ("stereo.wav", "stereo", "mono", "dry.wav")),
        ("stereo.wav", "wet.wav", ("wet.wav", "stereo", "mono")),
        ("shortdry.wav", "shortwet.wav", ("short", "400 samples", "1088", "--data.segment_samples 256")),
        ("dry.wav", "nan.wav", ("nan.wav", "NaN", "2.513 s")),
        ("dry.wav", "silent.wav", ("silent.wav", "silence", "audio with sound")),
        ("dry.wav", "dry.wav", ("dry.wav", "same signal", "device")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_recordings_that_cannot_be_trained_on(
    dry: str, wet: str, words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = ("--data", "PairedAudio", "--data.dry", dry, "--data.wet", wet)
    refused(capsys, here, words, *fit(*pair))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("missing_column.csv", "dry,drive\ndry.wav,1\n", ("'wet'", "pair 1")),
        ("missing_cell.csv", "dry,wet,drive\ndry.wav,wet.wav\n", ("line 2", "cells")),
        ("missing_wet.yaml", "pairs:\n- dry: dry.wav\n", ("'wet'", "pair 1")),
        ("unknown_key.yaml", "pairs:\n- {dry: dry.wav, wet: wet.wav, slpit: val}\n", ("slpit", "split")),
        ("no_yaml.yaml", "pairs: [ {dry: \n", ("YAML",)),
        ("missing_file.yaml", "pairs:\n- {dry: dry.wav, wet: nope.wav}\n", ("nope.wav", "no file")),
        (
            "no_validation.yaml",
            "pairs:\n- {dry: dry.wav, wet: wet.wav, split: train}\n",
            ("'val'", "split: val"),
        ),
        (
            "out_of_range.yaml",
            "controls: {drive: {min: 0, max: 1}}\n"
            "pairs:\n- {dry: dry.wav, wet: wet.wav, controls: {drive: 3}}\n",
            ("drive", "3", "0.0 to 1.0"),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else "",
)
def test_pairs_files_that_cannot_be_used(
    name: str, text: str, words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / name).write_text(text)
    if name not in ("missing_file.yaml", "out_of_range.yaml"):
        words = (name, *words) if name != "no_validation.yaml" else words
    refused(capsys, here, words, *fit("--data", "PairedAudio", "--data.pairs", name))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--data.pairs", "nope.yaml"), ("nope.yaml", "pairs file")),
        (("--data.pairs", "nope.yaml", "--data.dry", "dry.wav"), ("--data.pairs", "--data.dry")),
        (("--data.dry", "dry.wav"), ("--data.wet",)),
        ((), ("--data.dry", "--data.pairs")),
    ],
)
def test_recordings_named_by_halves(
    options: tuple[str, ...], words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, here, words, *fit("--data", "PairedAudio", *options))


# --- arguments of the training verbs ---


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "LSMT"), ("LSMT", "Did you mean LSTM?", "FIR, GCN")),
        (("--model", "os.system"), ("os.system",)),
        (("--data", "NoData"), ("NoData",)),
        (("--nosuch", "3"), ("--nosuch",)),
        (("--model.hiden_size", "3"), ("hiden_size", "LSTM")),
        (("--data.nosuch", "3"), ("nosuch", "PairedAudio")),
        (("--model.hidden_size", "big"), ("hidden_size", "big")),
        (("--model.hidden_size", "0"), ("hidden_size",)),
        (("--model.sample_rate", "48000"), ("sample_rate", "48000", "8000")),
        (("--model.objective.tbptt_samples", "0"), ("tbptt_samples", "0")),
        (("--model.objective.loss", "tapezoo.losses.Nope"), ("Nope",)),
        (
            ("--model.objective.loss", "tapezoo.losses.MRSTFT"),
            ("tbptt_samples", "512", "2048", "MRSTFT"),
        ),
        (("--data.batch_size", "0"), ("--data.batch_size", "0", "1 to 16384")),
        (("--data.batch_size", "1000000000"), ("--data.batch_size", "1000000000", "1 to 16384")),
        (("--data.cache_dir", "dry.wav/cache"), ("dry.wav/cache", "cannot be written")),
        (("--trainer.accelerator", "nosuch"), ("nosuch", "cpu")),
        (("--trainer.max_epochs", "many"), ("max_epochs", "many")),
        (("--seed_everything", "x"), ("seed_everything", "x")),
        (("--run_dir", "dry.wav/run"), ("dry.wav/run", "cannot be written")),
        (("--run_dir", "dry.wav"), ("dry.wav",)),
        (("--tracking.uri", "http://127.0.0.1:9"), ("http://127.0.0.1:9", "no answer", "--tracking.uri")),
        (("--tracking.uri", "ftp://host"), ("ftp://host", "sqlite:///FILE")),
        (("--tracking.uri", "sqlite:///dry.wav"), ("dry.wav", "cannot be written")),
        (("--tracking.uri", "sqlite:///nofolder/runs.db"), ("nofolder/runs.db", "cannot be written")),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("--") else "",
)
def test_arguments_that_cannot_be(
    options: tuple[str, ...], words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, here, words, *fit(*PAIR, *options))


@pytest.mark.skipif(torch.cuda.is_available(), reason="the fault is a missing GPU")
def test_an_accelerator_that_is_not_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, here, ("gpu",), *fit(*PAIR, "--trainer.accelerator", "gpu"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--data.device", "amp"), ("'amp'", "tape")),
        (("--data.settings", "{drive: 99}"), ("drive", "99", "0.0 to 1.0")),
        (("--data.settings", "{nosuch: 1}"), ("nosuch", "drive, saturation, bias")),
        (("--data.seconds", "2"), ("--data.seconds", "2", "10 to 3600")),
        (("--data.seconds", "1e12"), ("--data.seconds", "1e+12", "353 PB", "10 to 3600")),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("--") else "",
)
def test_virtual_devices_that_cannot_be(
    options: tuple[str, ...], words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, here, words, *fit(*options))


def test_a_tracking_server_that_is_down_is_said_within_seconds(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named by the environment; this one takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        started_s = time.monotonic()
        refused(capsys, here, (address, "no answer", "MLFLOW_TRACKING_URI"), *fit(*PAIR))
        assert time.monotonic() - started_s < 10


def test_an_existing_run_is_not_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "run").mkdir()
    shutil.copy(here / "good.ckpt", here / "run" / "best.ckpt")
    options = ("--run_dir", "run", "--trainer.logger", "false")
    refused(capsys, here, ("run", "--overwrite"), *fit(*PAIR, *options))


def test_an_empty_run_folder_made_by_the_user_is_taken(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "run").mkdir()
    result = invoke(capsys, *fit(*PAIR, "--run_dir", "run", "--trainer.logger", "false"))
    assert result.code == 0, result.err
    assert (here / "run" / "best.ckpt").is_file()


# --- recipes ---


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("unclosed.yaml", "model: [unclosed\n  x: {", ("unclosed.yaml", "line")),
        ("empty.yaml", "", ("empty.yaml",)),
        ("scalar.yaml", "5", ("scalar.yaml",)),
        ("unknown_key.yaml", "modle: LSTM\n", ("modle",)),
        ("no_data.yaml", "model:\n  class_path: tapezoo.models.LSTM\n", ("data",)),
        ("forbidden.yaml", "model:\n  class_path: os.system\n", ("os.system",)),
        (
            "misspelt.yaml",
            "model:\n  class_path: tapezoo.models.LSTM\n  init_args: {hiden_size: 4}\n",
            ("hiden_size", "LSTM"),
        ),
        (
            "contradiction.yaml",
            "model:\n  class_path: tapezoo.models.LSTM\n  init_args: {sample_rate: 48000}\n"
            "data:\n  class_path: tapezoo.data.PairedAudio\n  init_args: {dry: dry.wav, wet: wet.wav}\n",
            ("sample_rate", "48000", "8000"),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else "",
)
def test_recipes_that_cannot_be_used(
    name: str, text: str, words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / name).write_text(text)
    refused(capsys, here, words, "fit", "--config", name)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("fit", "--config", "nope.yaml"), ("nope.yaml",)),
        (("fit", "--config", "wet.wav"), ("wet.wav",)),
        (("fit", "--config", "."), ("--config",)),
        (("fit",), ("--config",)),
        (("fit", "--config", RECIPE, "--model"), ("--model",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) and value[0] == "fit" else "",
)
def test_recipes_that_are_none(
    line: tuple[str, ...], words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, here, words, *line)


# --- checkpoints ---

WRONG_CHECKPOINTS = {
    "nope.ckpt": ("no such file",),
    "dry.wav": ("a sound file in the place of a model", "best.ckpt"),
    "empty.ckpt": ("not a PyTorch checkpoint",),
    "text.ckpt": ("not a PyTorch checkpoint",),
    "pickle.ckpt": (),
    "truncated.ckpt": ("not a PyTorch checkpoint",),
    "changed.ckpt": (),
    "module.ckpt": ("checkpoint",),
    "foreign.ckpt": ("another program", "tapezoo fit"),
    "list.ckpt": ("another program",),
    "hollow.ckpt": ("checkpoint",),
    "weightless.ckpt": ("weights",),
    "mislabelled.ckpt": (),
    "othersize.ckpt": ("do not fit", "same architecture and size"),
}


@pytest.mark.parametrize("name", WRONG_CHECKPOINTS)
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_wrong_checkpoints_to_render_with(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, here, (name, *WRONG_CHECKPOINTS[name]), "render", name, "wet.wav", "out.wav")


def test_a_checkpoint_of_a_model_that_is_not_installed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("'Nope'", "FIR, GCN", "install")
    refused(capsys, here, words, "render", "unknown.ckpt", "wet.wav", "out.wav")


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--ckpt_path", "nope.ckpt"),
        ("--ckpt_path", "text.ckpt"),
        ("--ckpt_path", "truncated.ckpt"),
        ("--warm_start", "nope.ckpt"),
        ("--warm_start", "foreign.ckpt"),
    ],
)
def test_wrong_checkpoints_to_train_from(
    option: str, name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, here, (name, *WRONG_CHECKPOINTS[name]), *fit(*PAIR, option, name))


def test_another_architecture_to_train_from(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ("--model", "FIR", "--warm_start", "good.ckpt")
    refused(capsys, here, ("good.ckpt", "LSTM", "FIR"), "fit", "--config", RECIPE, *PAIR, *SMALL[:-4], *line)


@pytest.mark.parametrize(
    ("verb", "name"),
    [
        ("validate", "nope.ckpt"),
        ("test", "text.ckpt"),
        ("test", "othersize.ckpt"),
        ("predict", "truncated.ckpt"),
    ],
)
def test_wrong_checkpoints_to_score(
    verb: str, name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = (verb, "--config", RECIPE, *PAIR, *SMALL[:-2], "--model.hidden_size", "5", "--ckpt_path", name)
    # the data have no controls: that is said before the size
    words = ("drive 0 to 10 dB", "--warm_start") if name == "othersize.ckpt" else WRONG_CHECKPOINTS[name]
    refused(capsys, here, (name, *words), *line)


@pytest.mark.parametrize("verb", ["validate", "test", "predict"])
def test_no_checkpoint_to_score(verb: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, here, ("--ckpt_path", "best.ckpt"), verb, "--config", RECIPE, *PAIR, *SMALL[:-2])


@pytest.mark.parametrize(
    ("name", "words"), [("nope.ckpt", ("nope.ckpt",)), ("good.ckpt", ("config.yaml", "--config"))]
)
def test_a_checkpoint_without_its_recipe(
    name: str, words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, here, words, "test", "--ckpt_path", name)


# --- render ---


@pytest.mark.parametrize(
    ("source", "target", "options", "words"),
    [
        ("nope.wav", "out.wav", (), ("nope.wav", "no file")),
        (".", "out.wav", (), ("a folder",)),
        ("empty.wav", "out.wav", (), ("empty.wav", "empty")),
        ("text.wav", "out.wav", (), ("text.wav", "decoded", "WAV")),
        ("nan.wav", "out.wav", (), ("nan.wav", "NaN", "20100")),
        ("wet.wav", "out.mp3", (), ("out.mp3", ".wav", ".flac")),
        ("wet.wav", "out", (), ("out", ".wav")),
        ("wet.wav", "wet.wav", ("--overwrite",), ("wet.wav", "the input itself")),
        ("wet.wav", "dry.wav", (), ("dry.wav", "a file or folder that exists", "--overwrite")),
        ("wet.wav", "nofolder/out.wav", (), ("nofolder/out.wav", "cannot be written")),
        ("wet.wav", "dry.wav/out.wav", (), ("dry.wav/out.wav", "cannot be written")),
        ("wet.wav", "out.wav", ("--set", "nosuch=1"), ("'nosuch'", "drive")),
        ("wet.wav", "out.wav", ("--set", "drive=11"), ("'drive'", "11", "0.0 to 10.0 dB")),
        ("wet.wav", "out.wav", ("--set", "drive=nan"), ("'drive'", "nan", "0.0 to 10.0 dB")),
        ("wet.wav", "out.wav", ("--set", "drive"), ("--set", "'drive'", "NAME=NUMBER")),
        ("wet.wav", "out.wav", ("--mix", "2"), ("mix", "2", "0 (dry) to 1 (wet)")),
        ("wet.wav", "out.wav", ("--mix", "x"), ("--mix", "'x'")),
        ("wet.wav", "out.wav", ("--input-gain-db", "nan"), ("input-gain-db", "nan")),
        ("wet.wav", "out.wav", ("--input-gain-db", "1e9"), ("input-gain-db", "1000000000")),
        ("wet.wav", "out.wav", ("--output-gain-db", "nan"), ("output-gain-db", "nan")),
        ("wet.wav", "out.wav", ("--output-gain-db", "inf"), ("output-gain-db", "inf")),
        ("wet.wav", "out.wav", ("--output-gain-db", "1e9"), ("output-gain-db",)),
        ("wet.wav", "out.wav", ("--nosuch",), ("--nosuch",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_renderings_that_cannot_be(
    source: str,
    target: str,
    options: tuple[str, ...],
    words: tuple[str, ...],
    here: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused(capsys, here, words, "render", "good.ckpt", source, target, *options)


# --- export and verify ---


@pytest.mark.parametrize(
    ("checkpoint", "options", "words"),
    [
        ("nope.ckpt", ("--out", "bundle"), ("nope.ckpt", "no such file")),
        ("text.ckpt", ("--out", "bundle"), ("text.ckpt", "not a PyTorch checkpoint")),
        ("foreign.ckpt", ("--out", "bundle"), ("foreign.ckpt", "another program")),
        ("good.ckpt", (), ("--out",)),
        ("good.ckpt", ("--out", "dry.wav"), ("dry.wav", "a file or folder that exists")),
        ("good.ckpt", ("--out", "dry.wav", "--overwrite"), ("dry.wav", "not a bundle")),
        ("good.ckpt", ("--out", "dry.wav/bundle"), ("dry.wav/bundle", "cannot be written")),
        ("good.ckpt", ("--out", "nofolder/bundle"), ("nofolder/bundle", "cannot be written")),
        ("good.ckpt", ("--out", "bundle", "--audio", "nope.wav"), ("nope.wav", "no file")),
        ("good.ckpt", ("--out", "bundle", "--audio", "nan.wav"), ("nan.wav", "NaN")),
        ("good.ckpt", ("--out", "bundle", "--audio", "silent.wav"), ("silent.wav", "silence")),
        ("good.ckpt", ("--out", "bundle", "--audio", "shortwet.wav"), ("shortwet.wav", "500")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_exports_that_cannot_be(
    checkpoint: str,
    options: tuple[str, ...],
    words: tuple[str, ...],
    here: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused(capsys, here, words, "export", checkpoint, *options)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundles(tmp_path_factory)["plain"]


def test_an_existing_bundle_is_not_overwritten(
    bundle: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(bundle, here / "bundle")
    refused(
        capsys,
        here,
        ("bundle", "a file or folder that exists", "--overwrite"),
        "export",
        "good.ckpt",
        "--out",
        "bundle",
    )


@pytest.mark.parametrize(
    "file",
    [
        *("model.onnx", "model.ts", "rest_state.npz", "manifest.json", "SHA256SUMS"),
        *("golden/input.npz", "MODEL_CARD.md"),
    ],
)
def test_a_bundle_with_one_changed_byte(
    file: str, bundle: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(bundle, here / "bundle")
    data = bytearray((here / "bundle" / file).read_bytes())
    data[len(data) // 2] ^= 1
    (here / "bundle" / file).write_bytes(data)
    refused(capsys, here, (f"bundle/{file}",), "verify", "bundle")


def test_a_bundle_with_a_file_too_few_or_too_many(
    bundle: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(bundle, here / "bundle")
    (here / "bundle" / "model.ts").rename(here / "model.ts")
    refused(capsys, here, ("bundle/model.ts", "no such file"), "verify", "bundle")
    (here / "model.ts").rename(here / "bundle" / "model.ts")
    (here / "bundle" / "extra.txt").touch()
    refused(capsys, here, ("bundle/extra.txt", "does not list"), "verify", "bundle")


@pytest.mark.parametrize(
    ("name", "words"),
    [("nope", ("nope", "no folder")), ("dry.wav", ("dry.wav",)), (".", ("manifest.json", "export"))],
)
def test_what_is_no_bundle(
    name: str, words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, here, words, "verify", name)


# --- the command line itself ---


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("nosuch",), ("nosuch", "render")),
        (("check", "LSMT"), ("LSMT", "Did you mean LSTM?")),
        (("check",), ("name",)),
        (("models", "x"), ("x",)),
        (("render", "good.ckpt"), ("source", "target")),
    ],
    ids=lambda value: " ".join(value),
)
def test_lines_that_are_no_commands(
    line: tuple[str, ...], words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, here, words, *line)


@pytest.mark.parametrize(
    "line",
    [
        ("render", "good.ckpt", "nope.wav", "out.wav"),
        fit("--data", "PairedAudio", "--data.dry", "dry.wav", "--data.wet", "nope.wav"),
        ("render", "text.ckpt", "wet.wav", "out.wav"),
        fit(*PAIR, "--model", "LSMT"),
    ],
    ids=["render", "fit data", "wrong checkpoint", "fit model"],
)
def test_debug_shows_where_it_happened_and_ends_the_same(
    line: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = invoke(capsys, *line)
    debug = invoke(capsys, *line, "--debug")
    assert (plain.code, debug.code) == (2, 2)
    assert "Traceback (most recent call last)" in debug.err
    assert "Traceback" not in plain.err
    assert debug.err.endswith(plain.err)  # the paragraph comes last, where it is seen


def test_a_net_that_breaks_off_in_the_middle_leaves_no_part_of_a_rendering(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The weights are finite, what they make of sound is not."""
    content = checkpoint_content()
    weights = content["state_dict"]
    weights["net.linear_path"] = torch.full_like(weights["net.linear_path"], 3e38)
    torch.save(content, here / "unstable.ckpt")
    loud = replace_peak(here / "wet.wav", 2.0)
    soundfile.write(here / "loud.wav", loud, RATE, subtype="FLOAT")
    words = ("NaN or infinity", "--input-gain-db")
    refused(capsys, here, words, "render", "unstable.ckpt", "loud.wav", "out.wav")


def replace_peak(path: Path, peak: float) -> np.ndarray:
    samples, _ = soundfile.read(path)
    samples[-1000] = peak
    return samples


def test_the_machinery_of_these_tests_sees_what_it_should(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A check of `refused`: a good line does not pass it, nor does one that leaves something."""
    with pytest.raises(AssertionError):
        refused(capsys, here, (), "render", "good.ckpt", "wet.wav", "out.wav")
    assert soundfile.info(here / "out.wav").frames == 3 * RATE
