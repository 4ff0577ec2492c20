"""`tapezoo bench` as a user calls it."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest
from export.nets import arguments, lstm

from tapezoo.bundle import verify_hashes
from tapezoo.cli import bench
from tapezoo.errors import OutputExistsError, TapezooError, UnwritableOutputError
from tapezoo.export import export_bundle
from tapezoo.export.targets.kernel import KernelTarget
from tapezoo.export.targets.onnx import OnnxTarget

QUICK = ("--seconds", "0.01")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "bundle"
    export_bundle(lstm(1), **arguments(lstm(1), path), targets=[OnnxTarget(), KernelTarget()])
    return path


def invoke(*line):
    parser = argparse.ArgumentParser()
    bench.add_parser(parser.add_subparsers())
    options = parser.parse_args(["bench", *map(str, line)])
    return options.verb(options)


def test_the_table_has_every_engine_and_length(bundle, capsys):
    assert invoke(bundle, *QUICK) == 0
    title, head, *rows, first, _, _, _, last, engines = capsys.readouterr().out.splitlines()
    assert "44100 Hz" in title
    assert head.split()[0] == "engine"
    assert "Stream plays with the engine kernel, `tapezoo render` with onnx" in engines
    assert (first.split(":")[0], last.split(":")[0]) == ("block", "grown kB"), "what the columns are"
    assert [row.split()[:2] for row in rows] == [
        [engine, str(length)] for engine in ("onnx", "kernel") for length in (32, 64, 128, 256, 512)
    ]


def test_the_blocks_that_were_asked_for_are_measured(bundle, capsys):
    assert invoke(bundle, *QUICK, "--engine", "onnx", "--block", 48, "--block", 16) == 0
    assert [row.split()[:2] for row in capsys.readouterr().out.splitlines()[2:4]] == [
        ["onnx", "48"],
        ["onnx", "16"],
    ]


def test_figures_go_to_a_file_and_never_into_the_bundle(bundle, tmp_path, capsys):
    out = tmp_path / "bench.json"
    assert invoke(bundle, *QUICK, "--engine", "onnx", "--out", out) == 0
    assert str(out) in capsys.readouterr().out
    document = json.loads(out.read_text())
    assert document["seal_sha256"] == verify_hashes(bundle)[1]
    assert {row["engine"] for row in document["rows"]} == {"onnx"}
    assert len(document["rows"]) == 5
    with pytest.raises(OutputExistsError):
        invoke(bundle, *QUICK, "--out", out)
    assert invoke(bundle, *QUICK, "--engine", "onnx", "--out", out, "--overwrite") == 0
    (tmp_path / "link").symlink_to(bundle)
    for inside in (bundle / "bench.json", tmp_path / "link" / "x.json", bundle / "golden" / ".." / "b.json"):
        with pytest.raises(TapezooError, match="sealed"):
            invoke(bundle, *QUICK, "--out", inside)
    verify_hashes(bundle)


@pytest.mark.parametrize(
    "line",
    [
        ("--seconds", "0"),
        ("--seconds", "nan"),
        ("--engine", "onyx"),
        ("--out", "none/x.json"),
        ("--block", "64", "--block", "0"),
    ],
    ids=str,
)
def test_what_cannot_be_measured_is_said_before_anything_is(bundle, line):
    with pytest.raises(TapezooError):
        invoke(bundle, *line)


def test_it_needs_no_torch(bundle):
    code = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "lightning", "onnx", "scipy", "rich", "numba"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block())
import argparse
from tapezoo.cli import bench
parser = argparse.ArgumentParser()
bench.add_parser(parser.add_subparsers())
options = parser.parse_args(["bench", *sys.argv[1:]])
sys.exit(options.verb(options))
"""
    line = [sys.executable, "-c", code, bundle, *QUICK, "--engine", "onnx"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2 + 5 + 5 + 1


def test_a_file_that_cannot_be_written_is_said_and_what_was_there_stays(bundle, tmp_path, monkeypatch):
    with pytest.raises(UnwritableOutputError, match="a folder"):
        invoke(bundle, *QUICK, "--out", tmp_path, "--overwrite")
    out = tmp_path / "figures.json"
    out.write_text("old")
    real = Path.write_text

    def full(path, text, **settings):
        real(path, text[:10], **settings)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UnwritableOutputError, match="No space left"):
        invoke(bundle, *QUICK, "--out", out, "--overwrite")
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]
    assert out.read_text() == "old"
