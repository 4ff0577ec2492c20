"""`tapezoo push`, `promote` and `pull` as a user types them, on a store in a file."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tracking.stores import files, make_bundles, new_store, resealed

from tapezoo.cli import promote, pull, push
from tapezoo.tracking.errors import NotPromotedError


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundles(tmp_path_factory)["knobs"]


@pytest.fixture
def uri(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store that the environment names, as on a machine that is set up."""
    uri = new_store(tmp_path / "store", tmp_path_factory)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


def invoke(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a verb prints."""
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers()
    for verb in (push, pull, promote):
        verb.add_parser(verbs)
    options = parser.parse_args([str(argument) for argument in arguments])
    capsys.readouterr()
    assert options.verb(options) == 0
    return capsys.readouterr().out


def test_push_promote_pull(
    bundle: Path, uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = invoke(capsys, "push", bundle, "--name", "tape", "--alias", "candidate")
    assert "tape/1" in said
    assert "tape@candidate" in said
    assert "tapezoo pull models:/tape/1" in said
    assert "which was already registered" in invoke(capsys, "push", bundle, "--name", "tape")
    said = invoke(capsys, "promote", "tape@candidate", "champion", "--if-better", "val_esr")
    assert said.startswith("tape@champion is tape/1: there was no champion")
    out = tmp_path / "out"
    said = invoke(capsys, "pull", "models:/tape@champion", "--out", out)
    assert "tape/1" in said
    assert said.count(" ok") == 2, "ONNX and TorchScript are replayed where torch is installed"
    assert files(out) == files(bundle)
    assert "ok" in invoke(capsys, "pull", "tape/1", "--out", out, "--overwrite", "--uri", uri)


def test_promote_says_why_not(
    bundle: Path, uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke(capsys, "push", bundle, "--name", "tape", "--alias", "champion")
    worse = resealed(bundle, tmp_path / "worse", metrics={"val_esr": 0.5})
    invoke(capsys, "push", worse, "--name", "tape", "--alias", "candidate", "--experiment", "other")
    with pytest.raises(NotPromotedError, match=r"0\.5.*less than the 0\.01"):
        invoke(capsys, "promote", "tape@candidate", "champion", "--if-better", "val_esr")
    assert "tape/2, previously tape/1" in invoke(capsys, "promote", "tape@candidate", "champion")
    assert MlflowClient(uri).get_experiment_by_name("other") is not None


def test_the_verbs_import_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from tapezoo.cli import pull, push, promote\n"
        "heavy = {'torch', 'mlflow', 'onnxruntime', 'numpy', 'rich'}\n"
        "assert not heavy & set(sys.modules), 'at import'\n"
        "for name in ('torch', 'lightning', 'onnx'): sys.modules[name] = None\n"  # as if not installed
        "import tapezoo.tracking.pull\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_pulling_needs_no_torch(
    bundle: Path, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that only serves has mlflow, numpy and onnxruntime; here whatever holds torch cannot be imported."""
    from tapezoo.tracking.pull import pull_bundle
    from tapezoo.tracking.push import push_bundle

    push_bundle(bundle, "tape", uri=uri)
    ours = {name: vars(found) for name, found in sys.modules.items() if name.startswith("tapezoo.") and found}
    for name in ("torch", "lightning", "onnx", *(name for name, held in ours.items() if "torch" in held)):
        monkeypatch.setitem(sys.modules, name, None)
    pull_bundle("models:/tape/1", tmp_path / "out")
    assert files(tmp_path / "out") == files(bundle)


@pytest.mark.parametrize("verb", ["push", "pull", "promote"])
def test_every_verb_of_the_registry_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        invoke(capsys, verb, "--help")
    assert end.value.code == 0
    assert "--uri" in capsys.readouterr().out


@pytest.mark.slow  # an interpreter for each of three verbs
def test_a_machine_without_torch_and_rich_pulls_what_it_was_told_to(
    bundle: Path,
    uri: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invoke(capsys, "push", bundle, "--name", "tape", "--alias", "champion")
    (tmp_path / "site").mkdir()  # of every process: bundles are verified in one of their own
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'lightning', 'rich', 'onnx', 'numba']))"
    )
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(entry for entry in sys.path if entry))
    said = ""
    for arguments in (
        ["pull", "models:/tape@champion", "--out", str(tmp_path / "out")],
        ["promote", "tape@champion", "stable"],
        ["push", str(tmp_path / "out"), "--name", "tape"],
    ):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tapezoo", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        said += done.stdout
    assert "not replayed" in said
    assert "tape@stable is tape/1" in said
    assert "tape/1, which was already registered" in said
