"""`tapezoo prepare`, through `main`, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy import signal

from tapezoo.cli import main

RATE = 16000


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The working directory holds a dry and its wet, 300 samples late."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(4)
    gate = signal.lfilter([0.01], [1, -0.99], (np.arange(3 * RATE) // 3000 % 3 > 0).astype(float))
    dry = 0.2 * rng.standard_normal(3 * RATE) * gate
    wet = np.tanh(2 * np.pad(dry, (300, 0)))[: len(dry)] + 1e-4 * rng.standard_normal(len(dry))
    soundfile.write("dry.wav", dry, RATE, subtype="FLOAT")
    soundfile.write("wet.wav", wet, RATE, subtype="FLOAT")
    return ["dry.wav", "wet.wav"]


@pytest.mark.usefixtures("drawn")
def test_a_data_set_appears_whole_with_its_verdict_and_the_next_step(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", *files, "--out", "set"]) == 0
    said = capsys.readouterr().out
    assert "wet lags dry by 300 samples" in said
    assert "verdict: usable, because" in said
    assert "tapezoo fit --config lstm --data PairedAudio --data.pairs set/pairs.yaml" in said
    assert sorted(path.name for path in Path("set").iterdir()) == [
        *("levels.png", "pairs.yaml", "report.html", "report.json", "take_dry.flac", "take_wet.flac"),
    ]
    page = Path("set/report.html").read_text()
    assert "<h1>1 recording at 16000 Hz: usable</h1>" in page
    for label in ("Dry", "Wet", "Linear filter", "Difference"):
        assert f'aria-pressed="false">{label}</button>' in page
    assert "wet lags dry by 300 samples" in page
    Path("set/report.html").unlink()
    assert main(["report", "set"]) == 0
    assert Path("set/report.html").read_text() == page
    assert json.loads(Path("set/report.json").read_text())["verdict"] == "usable"


def test_a_check_says_the_same_and_writes_nothing(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path().iterdir())
    assert main(["prepare", "--check", *files]) == 0
    said = capsys.readouterr().out
    assert "verdict: usable" in said
    assert "nothing was written" in said
    assert sorted(Path().iterdir()) == before


def test_not_usable_is_exit_code_2_and_leaves_no_folder(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write("silent.wav", np.zeros(3 * RATE), RATE)
    line = ["prepare", *files, "dry.wav", "silent.wav", "missing.wav", "dry.wav"]
    assert main([*line, "--check"]) == 2
    assert main([*line, "--out", "set"]) == 2
    said = capsys.readouterr().out
    assert "silent.wav is silent" in said
    assert "missing.wav: found no file" in said
    assert said.count("verdict: not usable, because") == 2
    assert not Path("set").exists()


def test_what_is_there_is_replaced_only_when_asked_and_only_if_it_is_a_data_set(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", *files, "--out", "set"]) == 0
    assert main(["prepare", *files, "--out", "set"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["prepare", *files, "--out", "set", "--overwrite"]) == 0
    Path("work").mkdir()
    Path("work/song.txt").write_text("mine")
    assert main(["prepare", *files, "--out", "work", "--overwrite"]) == 2
    assert Path("work/song.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--check", "one.wav"], "1 files"),
        (["--check"], "0 files"),
        (["a.wav", "b.wav"], "--out"),
        (["--check", "a.wav", "b.wav", "--pairs", "p.yaml"], "together with --pairs"),
        (["--check", "a.wav", "b.wav", *["--pilot", "c.wav", "d.wav"] * 2], "2 times for 1 pairs"),
        (["--check", "a.wav", "b.wav", "--sample-rate", "10"], "4000 to 768000"),
    ],
)
def test_a_line_that_makes_no_sense_is_said(
    line: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", *line]) == 2
    assert said in capsys.readouterr().err


def test_a_delay_that_the_user_names_is_not_ignored(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("pairs.yaml").write_text("- {dry: dry.wav, wet: wet.wav, delay: delay.csv}")
    assert main(["prepare", "--check", "--pairs", "pairs.yaml"]) == 2
    assert "prepare measures it" in capsys.readouterr().err
