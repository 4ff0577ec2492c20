"""Verbs on the bundles that the package holds, by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tapezoo.bundle import shipped_bundles
from tapezoo.cli import main


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_render_plays_a_file_through_one(capsys: pytest.CaptureFixture[str]) -> None:
    dry = np.random.default_rng(0).uniform(-0.5, 0.5, (8000, 2))
    soundfile.write("in.wav", dry, 48000)
    assert main(["render", "hybrid", "in.wav", "out.wav", "--set", "tape=1"]) == 0
    assert "resampled to 44100 Hz" in capsys.readouterr().out
    wet = soundfile.read("out.wav")[0]
    assert wet.shape == dry.shape
    assert np.std(wet - soundfile.read("in.wav")[0]) > 0.01


def test_bench_and_verify_take_a_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["bench", "tape", "--engine", "onnx", "--seconds", "0.01", "--block", "64"]) == 0
    assert capsys.readouterr().out.startswith("tape: LSTM at 44100 Hz")
    assert main(["bench", "tape", "--out", str(shipped_bundles()["tape"] / "x.json")]) == 2
    assert "is inside the bundle" in capsys.readouterr().err
    openers = {
        name: spec for name, spec in _installed().items() if name == "onnx"
    }  # a kernel would be compiled
    monkeypatch.setattr("tapezoo.cli.installed.installed_openers", lambda: openers)
    assert main(["verify", "tape"]) == 0
    assert "tape: LSTM at 44100 Hz, every hash is right" in capsys.readouterr().out


def test_they_are_listed_with_their_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "bundles"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["bundle", "architecture", "Hz", "controls", "recipe"]
    assert lines[1] == ["hybrid", "LSTM", "44100", "compressor,", "tape,", "preamp", "hybrid/best-ctp"]
    assert lines[3] == ["tape", "LSTM", "44100", "none", "lstm"]


def test_the_demo_writes_what_it_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tapezoo.render.demo.SECONDS", 2.0)
    assert main(["demo"]) == 0
    names = ["demo.txt", "dry.wav", "hybrid.wav", "preamp.wav", "tape.wav"]
    assert sorted(path.name for path in Path("demo").iterdir()) == names
    said = capsys.readouterr().out
    assert all(f"demo/{name}" in said for name in names[1:])
    assert "recipe hybrid/best-ctp; compressor, tape, preamp one after another; level matched by" in said
    assert main(["demo"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["demo", "--overwrite"]) == 0
    Path("demo", "mine.txt").touch()
    assert main(["demo", "--overwrite"]) == 2  # somebody's work is in there


def _installed() -> dict[str, object]:
    from tapezoo.runtime import installed_openers

    return dict(installed_openers())
