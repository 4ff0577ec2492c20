"""`tapezoo sweep` on tiny models, through `main`, as a user types it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from lightning.pytorch import Trainer
from matplotlib.image import imread

from tapezoo.cli import main
from tapezoo.controls import Control
from tapezoo.measure.roles import Roles
from tapezoo.models.lstm import LSTM

RATE = 8000


def checkpoint(folder: Path, names: tuple[str, ...], switch: bool | None = False) -> Path:
    controls = [Control(name, switch=switch).to_dict() for name in names]
    model = LSTM(hidden_size=2, sample_rate=RATE, controls=controls)
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.strategy.connect(model)
    model.trainer = trainer
    path = folder / f"{len(names)}.ckpt"
    trainer.save_checkpoint(path)
    return path


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(autouse=True)
def _shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with less of each: 0.05 Hz lasts 20 s, and a picture half a second."""
    monkeypatch.setattr("tapezoo.measure.smoothness.SWEEP_RATES_HZ", (0.5, 5.0))
    monkeypatch.setattr("tapezoo.measure.blends.TRIPLETS", ((0.5, 0.25, 0.25), (0.0, 0.0, 0.0)))
    monkeypatch.setattr("tapezoo.sweep.lfo.SAWS_HZ", (262.5, 1050.0))


@pytest.mark.usefixtures("drawn")
def test_a_hybrid_of_three_effects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = checkpoint(tmp_path, ("compressor", "tape", "preamp"), switch=True), tmp_path / "sweep"
    line = ["sweep", str(path), "--out", str(out), "--seconds", "2"]
    assert main([*line, "--at", "0.1,0.9,0"]) == 0
    said = capsys.readouterr().out
    assert "smooth" in said
    assert "0.1 0.9 0" in said

    sweeps = table(out / "sweeps.csv")
    moving = [row for row in sweeps if row["what"] == "sweep"]
    assert {(row["from"], row["to"]) for row in moving} == {
        *(("1 0 0", "0 1 0"), ("0 1 0", "0 0 1"), ("0 0 1", "1 0 0"))
    }
    assert [row["rate_hz"] for row in moving] == ["0.5"] * 3 + ["5"] * 3
    assert {row["controls"] for row in sweeps} == {"compressor tape preamp"}
    assert {row["smooth"] for row in moving} == {"pass"}
    assert [row["sound"] for row in sweeps[len(moving) :]] == ["music", "saw_262.5hz", "saw_1050hz"]

    blends = table(out / "blends.csv")
    assert len(blends) == 2 * 3  # two triplets and one more, on two sounds
    assert {row["finite"] for row in blends} == {"True"}
    by_name = {(row["blend"], row["sound"]): row for row in blends}
    middle = by_name["0.5 0.25 0.25", "music"]
    assert middle["neighbours"] == "1 0 0; 0 1 0; 0 0 1"
    low, own, high = (float(middle[name]) for name in ("quietest_neighbour", "loudness", "loudest_neighbour"))
    assert (middle["loudness_between_neighbours"] == "pass") == (low - 0.5 <= own <= high + 0.5)
    assert by_name["0.1 0.9 0", "music"]["neighbours"] == "1 0 0; 0 1 0"
    assert by_name["0 0 0", "music"]["way_smooth"] == "-"

    sound, rate = soundfile.read(out / "blend_0.5-0.25-0.25_saw_262.5hz.wav")
    assert (rate, len(sound)) == (RATE, 2 * RATE)
    assert soundfile.info(out / "neighbour_1-0-0_music.wav").frames == 2 * RATE
    for sound in ("music", "saw_262.5hz", "saw_1050hz"):
        assert soundfile.info(out / f"modulation_{sound}.wav").frames == 2 * RATE
    pictures = sorted(file.name for file in out.glob("*.png"))
    assert pictures == sorted(
        [f"blends_{kind}.png" for kind in ("harmonics", "loops", "waveforms")]
        + [f"modulation_{sound}.png" for sound in ("music", "saw_262.5hz", "saw_1050hz")]
    )
    assert all(
        len(np.unique(imread(out / name)[::3, ::3, :3] @ (1.0, 300.0, 90_000.0))) > 20 for name in pictures
    )
    assert sorted(file.name for file in tmp_path.iterdir()) == ["3.ckpt", "sweep"]


def test_one_control_on_music_of_the_users_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = checkpoint(tmp_path, ("gain",)), tmp_path / "sweep"
    music = np.random.default_rng(0).uniform(-0.5, 0.5, (6000 * 4, 2))
    soundfile.write(tmp_path / "music.wav", music, 6000, subtype="FLOAT")
    line = ["sweep", str(path), "--out", str(out), "--audio", str(tmp_path / "music.wav"), "--seconds", "3"]
    assert main(line) == 0
    assert [row["blend"] for row in table(out / "blends.csv")][::2] == ["0.25", "0.5", "0.75"]
    assert {row["neighbours"] for row in table(out / "blends.csv")} == {"0; 1"}
    assert [row["rate_hz"] for row in table(out / "sweeps.csv")][-3:] == ["0.05"] * 3
    played, _ = soundfile.read(out / "input_music.wav")
    assert len(played) == 3 * RATE
    # the first channel, at the model's rate
    expected = soxr.resample(music[: 3 * 6000, 0], 6000, RATE)
    np.testing.assert_allclose(played[:-200], expected[:-200], atol=1e-3)


def test_what_a_checkpoint_does_not_say_is_assumed_aloud_or_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[int, ...]] = []

    def note(folder: Path, net: object, rate: int, roles: Roles, *arguments: object) -> list[object]:
        (folder / "sweeps.csv").write_text("new")
        seen.append(roles.switches)
        return []

    monkeypatch.setattr("tapezoo.sweep.run.sweep_into", note)
    said = []
    for switch, options in (
        (False, []),
        (True, []),
        (None, []),
        (None, ["--switches", "a, c"]),
        (True, ["--switches", ""]),
    ):
        path = checkpoint(tmp_path, ("a", "b", "c"), switch)
        assert main(["sweep", str(path), "--out", str(tmp_path / "out"), "--overwrite", *options]) == 0
        said.append("does not say" in capsys.readouterr().out)
    assert seen == [(), (0, 1, 2), (), (0, 2), ()]
    assert said == [False, False, True, False, False]
    assert main(["sweep", str(path), "--out", str(tmp_path / "out"), "--switches", "d"]) == 2
    assert "none of a, b, c" in capsys.readouterr().err


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verb without its work."""

    def write(folder: Path, *arguments: object) -> list[object]:
        (folder / "sweeps.csv").write_text("new")
        return []

    monkeypatch.setattr("tapezoo.sweep.run.sweep_into", write)


@pytest.mark.usefixtures("quick")
def test_what_is_there_stays_unless_it_is_ours_and_we_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = checkpoint(tmp_path, ("gain",)), tmp_path / "sweep"
    line = ["sweep", str(path), "--out", str(out), "--seconds", "2"]
    assert main(line) == 0
    (out / "sweeps.csv").write_text("old")
    capsys.readouterr()
    assert main(line) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (out / "sweeps.csv").read_text() == "old"
    assert main([*line, "--overwrite"]) == 0
    assert (out / "sweeps.csv").read_text() == "new"
    (out / "sweeps.csv").rename(out / "precious.csv")
    capsys.readouterr()
    assert main([*line, "--overwrite"]) == 2
    assert "not a folder of a sweep" in capsys.readouterr().err
    assert [file.name for file in out.iterdir()] == ["precious.csv"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["1.ckpt", "sweep"]


@pytest.mark.parametrize(("fault", "code"), [(KeyboardInterrupt, 130), (RuntimeError, 1), (OSError, 2)])
def test_a_failure_leaves_what_was_there_and_nothing_else(
    fault: type[BaseException],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, out = checkpoint(tmp_path, ("gain",)), tmp_path / "sweep"
    out.mkdir()
    (out / "sweeps.csv").write_text("precious")

    def half(folder: Path, *arguments: object) -> None:
        (folder / "sweeps.csv").write_text("half")
        raise fault("no more")

    monkeypatch.setattr("tapezoo.sweep.run.sweep_into", half)
    assert main(["sweep", str(path), "--out", str(out), "--seconds", "2", "--overwrite"]) == code
    assert (out / "sweeps.csv").read_text() == "precious"
    assert main(["sweep", str(path), "--out", str(tmp_path / "new"), "--seconds", "2"]) == code
    assert sorted(file.name for file in tmp_path.iterdir()) == ["1.ckpt", "sweep"]


@pytest.mark.parametrize(
    ("names", "options", "words"),
    [
        ((), [], "a model without controls"),
        (("a", "b"), ["--at", "0.1"], "2 positions in 0..1 with commas between, in the order a, b"),
        (("a", "b"), ["--at", "0.1,1.1"], "2 positions"),
        (("a", "b"), ["--at", "0.1,nan"], "2 positions"),
        (("a", "b"), ["--at", "half,0.1"], "2 positions"),
        (("a",), ["--seconds", "1"], "2 to 600"),
        (("a",), ["--seconds", "nan"], "2 to 600"),
        (("a",), ["--audio", "nowhere.wav"], "nowhere.wav"),
        (("a",), ["--audio", "short.wav"], "2 s or more"),
        (("a",), ["--audio", "broken.wav"], "NaN"),
        (("a",), ["--out", "nowhere/at/all"], "cannot be written"),
    ],
)
def test_faults_are_said_before_any_work(
    names: tuple[str, ...],
    options: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = checkpoint(tmp_path, names)
    soundfile.write("short.wav", np.random.default_rng(0).uniform(-0.5, 0.5, RATE), RATE)
    broken = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE)
    broken[7] = np.nan
    soundfile.write("broken.wav", broken, RATE, subtype="FLOAT")
    before = sorted(file.name for file in tmp_path.iterdir())
    assert main(["sweep", str(path), "--out", "sweep", *options]) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert sorted(file.name for file in tmp_path.iterdir()) == before
