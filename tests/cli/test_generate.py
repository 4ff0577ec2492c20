"""`tapezoo generate`: another take of a machine's wow and flutter, as a file that `render` reads."""

import json

import numpy as np
import pytest
import soundfile
import torch
from tiny_generator import save_generator

from tapezoo.cli import main
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.align.trajectory_csv import read_trajectory, write_trajectory

RATE_HZ = 48000


def trajectory(seed):
    random = np.random.default_rng(seed)
    time_s = np.arange(1200) / 100
    speed = 5e-4 * np.sin(2 * np.pi * (3 * time_s + random.random())) + 1e-4 * random.standard_normal(1200)
    return DelayTrajectory(time_s, RATE_HZ * (0.1 - np.cumsum(speed) / 100), np.ones(1200), RATE_HZ)


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "dataset"
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps({"sample_rate_hz": RATE_HZ}))
    for seed in range(3):
        write_trajectory(folder / f"take{seed}_delay.csv", trajectory(seed))
    return folder


def test_a_take_of_a_data_set_is_read_at_any_rate_and_shown(dataset, tmp_path, capsys):
    out = tmp_path / "new" / "take.csv"
    assert main(["generate", str(dataset), "--out", str(out), "--seconds", "20", "--seed", "5"]) == 0
    said = capsys.readouterr().out
    assert "from 36 s in 3 stretches; steady lines: 3.00 Hz (+-0.05 %)" in said
    assert "wow and flutter, AES6 weighted" in said
    assert out.with_suffix(".png").is_file()
    take = read_trajectory(out, 44100)
    assert len(take.times_s) == 2000
    assert take.delay_samples.mean() == pytest.approx(0, abs=1e-3)  # whenever the recordings began
    speed = -np.diff(take.delay_samples / 44100) * 100
    assert speed.std() == pytest.approx(np.hypot(5e-4 / np.sqrt(2), 1e-4), rel=0.05)


def test_delays_in_samples_of_an_unknown_rate_are_asked_for_it(dataset, tmp_path, capsys):
    file = dataset / "take0_delay.csv"
    assert main(["generate", str(file), "--out", str(tmp_path / "take.csv")]) == 2
    assert "found delays in samples without their rate" in capsys.readouterr().err
    line = [
        "generate",
        str(file),
        "--sample-rate",
        "48000",
        "--out",
        str(tmp_path / "take.csv"),
        "--seconds",
        "2",
    ]
    assert main(line) == 0
    speed = np.diff(read_trajectory(tmp_path / "take.csv", 1000).delay_samples) / 10
    assert speed.std() == pytest.approx(np.hypot(5e-4 / np.sqrt(2), 1e-4), rel=0.2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--seconds", "0"], "--seconds 0, which lies outside 1 to 3600"),
        (["--sample-rate", "0"], "--sample-rate 0, which lies outside 8000 to 384000"),
        (["--wow", "-1"], "--wow -1, which lies outside 0 to 10"),
        (["--out", "take.mp3"], "take.mp3, which ends neither in .csv nor in .wav"),
        (["--out", "take.wav", "--wow", "2"], "--wow, --flutter or --sample-rate with --out NOISE.wav"),
    ],
)
def test_what_cannot_be_made_is_refused_at_once(change, said, dataset, capsys):
    assert main(["generate", str(dataset), "--out", "take.csv", *change]) == 2
    assert said in capsys.readouterr().err


def test_sources_that_hold_no_delay_are_named_and_nothing_is_replaced(dataset, tmp_path, capsys):
    out = tmp_path / "take.csv"
    assert main(["generate", str(tmp_path / "nothing.csv"), "--out", str(out)]) == 2
    assert "nothing.csv: found nothing there" in capsys.readouterr().err
    for path in dataset.glob("*.csv"):
        path.unlink()
    assert main(["generate", str(dataset), "--out", str(out)]) == 2
    assert "found no measured delay" in capsys.readouterr().err
    out.write_text("mine")
    assert main(["generate", str(dataset), "--out", str(out)]) == 2
    assert "take.csv: found a file or folder that exists" in capsys.readouterr().err
    assert out.read_text() == "mine"


def test_a_source_is_never_replaced_and_a_place_that_cannot_be_written_is_named_before_the_work(
    dataset, tmp_path, capsys
):
    source = tmp_path / "mine.CSV"
    source.write_text("time_s,delay_ms\n0,1\n")
    assert main(["generate", str(source), "--out", str(source), "--overwrite"]) == 2
    assert "mine.CSV: found the input itself" in capsys.readouterr().err
    assert main(["generate", str(dataset), "--out", str(source / "take.csv")]) == 2
    assert "found a location that cannot be written" in capsys.readouterr().err


def test_what_the_other_kind_of_file_is_made_of_is_answered_with_it_and_too_few_points_with_their_number(
    tmp_path, capsys
):
    soundfile.write(tmp_path / "blank.wav", np.zeros(100), 8000)
    (tmp_path / "delay.csv").write_text("time_s,delay_ms\n" + "".join(f"{at},{at % 2}\n" for at in range(9)))
    for source, out, said in (
        ("blank.wav", "out.csv", "found a sound file; expected a CSV file of a delay over time"),
        ("delay.csv", "out.wav", "found a CSV file; expected a sound file of the machine playing nothing"),
        ("delay.csv", "out.csv", "found a point every 1 s; expected 40 points per second at least"),
    ):
        assert main(["generate", str(tmp_path / source), "--out", str(tmp_path / out)]) == 2
        assert said in capsys.readouterr().err


def test_more_of_a_blank_tape_is_written_and_shown(tmp_path, capsys):
    blank = 1e-3 * np.random.default_rng(0).standard_normal(3 * 16000)
    soundfile.write(tmp_path / "blank.wav", blank, 16000, "FLOAT")
    out = tmp_path / "noise.wav"
    assert main(["generate", str(tmp_path / "blank.wav"), "--out", str(out), "--seconds", "2"]) == 0
    said = capsys.readouterr().out
    assert "from 3.0 s in 1 part, 16000 Hz; hum: none" in said
    assert "--noise" in said
    made, rate = soundfile.read(out)
    assert (len(made), rate) == (32000, 16000)
    assert made.std() == pytest.approx(1e-3, rel=0.03)
    assert out.with_suffix(".png").is_file()


def test_a_generator_from_before_lines_were_measured_makes_what_it_made(tmp_path):
    save_generator(tmp_path / "best.ckpt")
    content = torch.load(tmp_path / "best.ckpt", weights_only=True)
    kept = {name: value for name, value in content["state_dict"].items() if "line_" not in name}
    assert len(kept) == len(content["state_dict"]) - 4  # of what is trained, and of the mean
    torch.save({**content, "state_dict": kept}, tmp_path / "old.ckpt")
    for name in ("best", "old"):
        line = ["generate", tmp_path / f"{name}.ckpt", "--out", tmp_path / f"{name}.csv", "--seconds", "2"]
        assert main([str(part) for part in line]) == 0
    assert (tmp_path / "old.csv").read_bytes() == (tmp_path / "best.csv").read_bytes()
