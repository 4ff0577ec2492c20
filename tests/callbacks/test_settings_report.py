"""What a test leaves behind about settings: a model whose output is known, on a machine that is known."""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from lightning.pytorch import Trainer
from measure.made_up import Gain
from scipy.stats import spearmanr

from tapezoo.callbacks.settings import SettingsReport
from tapezoo.data import PairedAudio
from tapezoo.data.settings import HoldOut
from tapezoo.screen import Screen

RATE = 8000
SIZES: dict[str, Any] = {"segment_samples": 512, "burn_in_samples": 64, "align": "off"}
VALUES = (0, 25, 50, 75, 100)


def gain_of(position: float, other: float = 0.0) -> float:
    """The machine: the model below is right where the square is, at both ends."""
    return float(0.2 * (1 + position**2 + other))


def recorded(folder: Path, controls: int, **arguments: Any) -> PairedAudio:
    """One dry at every setting of one or two controls: `gain` in percent and `mix`."""
    dry = np.random.default_rng(0).uniform(-0.5, 0.5, 4 * RATE)
    soundfile.write(folder / "dry.wav", dry, RATE, subtype="FLOAT")
    names = ["gain", "mix"][:controls]
    lines = [",".join(["dry", "wet", *names])]
    for setting in itertools.product(VALUES, *[(0, 1)] * (controls - 1)):
        name = "-".join(map(str, setting)) + ".wav"
        wet = gain_of(setting[0] / 100, *setting[1:]) * dry
        wet[-1] += 1e-6 * len(
            lines
        )  # two settings of this machine sound alike: a recording of its own for each
        soundfile.write(folder / name, wet, RATE, subtype="FLOAT")
        lines.append(",".join(["dry.wav", name, *map(str, setting)]))
    (folder / "pairs.csv").write_text("\n".join(lines))
    return PairedAudio(pairs=str(folder / "pairs.csv"), cache_dir=str(folder / "cache"), **SIZES, **arguments)


def shown_by(data: PairedAudio, model: Gain, folder: Path, *members: Gain) -> str:
    """What is shown."""
    text = io.StringIO()
    report = SettingsReport(folder, Screen(file=text, width=200), members)
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        callbacks=[report],
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.test(model, datamodule=data, verbose=False)
    return text.getvalue()


def straight(data: PairedAudio, slopes: list[float], power: float = 1.0) -> Gain:
    """Output = input * 0.2 * (1 + slopes . controls ** power): its slopes are those of the machine."""
    model = Gain(slopes, power, sample_rate=RATE, burn_in_samples=64, controls=data.controls)
    model.net.register_forward_hook(lambda net, inputs, result: (0.2 * result[0], result[1]))
    return model


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("drawn")
def test_every_setting_has_its_errors_and_kinds_have_totals(tmp_path: Path) -> None:
    data = recorded(tmp_path, 1, hold_out=HoldOut("interpolation", 2, seed=1))
    text = shown_by(data, straight(data, [1.0]), tmp_path / "report")
    rows = {row["setting"]: row for row in read(tmp_path / "report" / "test_settings.csv")}
    held_out = {100 * float(at) for (at,) in data.held_out}  # type: ignore[arg-type]
    assert len(held_out) == 2
    tests = {row.setting: row for row in data.split_arrays("test")}
    errors: dict[str, list[tuple[float, float]]] = {}
    for value in VALUES:
        row = rows[f"gain={value}"]
        kind = "interpolation" if value in held_out else "trained"
        assert (row["kind"], row["gain"]) == (kind, str(value))
        at = value / 100
        own = tests[at,]
        heard = own.target[64:].astype(np.float64)
        error = np.square(0.2 * (1 + at) * own.input[64:] - heard).sum()
        energy = np.square(heard).sum()
        errors.setdefault(kind, []).append((error, energy))
        assert float(row["esr"]) == pytest.approx(error / energy, rel=1e-3, abs=1e-9)
        assert float(row["esr"]) == pytest.approx(((at - at**2) / (1 + at**2)) ** 2, rel=1e-3, abs=1e-9)
        assert float(row["mse"]) == pytest.approx(error / len(heard), rel=1e-3, abs=1e-9)
        assert float(row["seconds"]) == pytest.approx(len(heard) / RATE, abs=1e-3)
        # the level is wrong by a factor, so every magnitude is
        if at in (0.25, 0.5, 0.75):
            assert float(row["mrstft"]) > 0.01
    totals = {
        row["kind"]: row for row in read(tmp_path / "report" / "test_settings.csv") if row["setting"] == "all"
    }
    assert totals.keys() == {"trained", "interpolation"}
    for kind, pairs in errors.items():
        total = sum(error for error, _ in pairs) / sum(energy for _, energy in pairs)
        assert float(totals[kind]["esr"]) == pytest.approx(total, rel=1e-3)
        assert totals[kind]["gain"] == ""
    # (g - g^2) / (1 + g^2) is largest at sqrt(2) - 1
    assert "worst setting: gain=50 (" in text
    assert (tmp_path / "report" / "test_settings.png").stat().st_size > 5000


def test_an_ensemble_finds_what_is_worst(tmp_path: Path) -> None:
    """The members agree at the ends and differ between them, as the machine differs from the tested one."""
    data = recorded(tmp_path, 2, hold_out=HoldOut("interpolation", 4))
    model = straight(data, [1.0, 1.0])
    member = straight(data, [1.0, 1.0], power=4.0)
    text = shown_by(data, model, tmp_path, member)
    rows = read(tmp_path / "capture_next.csv")
    held_out = [row for row in rows if row["held_out"] == "true"]
    assert len(held_out) == 4
    assert {row["measured_esr"] != "" for row in held_out} == {True}
    assert {row["measured_esr"] for row in rows if row["held_out"] == "false"} == {""}
    for row in rows:
        at, mix = float(row["gain"]) / 100, float(row["mix"])
        gains = np.array([1 + at + mix, 1 + at**4 + mix**4])
        assert float(row["score"]) == pytest.approx(gains.var() / gains.mean() ** 2, rel=1e-3)
    assert [float(row["score"]) for row in rows] == sorted(
        (float(row["score"]) for row in rows), reverse=True
    )
    expected = spearmanr(
        [float(row["score"]) for row in held_out], [float(row["measured_esr"]) for row in held_out]
    ).statistic
    assert f"capture here next: {rows[0]['setting']} (2 models disagree by" in text
    assert (
        f"checked on 4 held-out settings: rank correlation of score and measured ESR {expected:+.2f}" in text
    )


def test_one_model_looks_at_the_settings_around(tmp_path: Path) -> None:
    data = recorded(tmp_path, 1, hold_out=HoldOut("extrapolation"))
    text = shown_by(data, straight(data, [1.0], power=3.0), tmp_path)
    rows = read(tmp_path / "capture_next.csv")
    # 100 is held out, and the gaps between 0, 25, 50 and 75 have a middle each
    assert {row["gain"] for row in rows} == {"100", "12.5", "37.5", "62.5"}
    # outside, the two nearest are 50 and 75, as they are for 62.5
    assert {rows[0]["gain"], rows[1]["gain"]} == {"100", "62.5"}
    gains = 1 + np.array([0.5, 0.75]) ** 3
    assert float(rows[0]["score"]) == pytest.approx(gains.var() / gains.mean() ** 2, rel=1e-3)
    assert "the settings around it disagree" in text
    assert "cannot be checked: 1 held-out setting(s)" in text


def test_without_controls_there_is_one_row_and_no_picture(tmp_path: Path) -> None:
    dry = np.random.default_rng(0).uniform(-0.5, 0.5, 4 * RATE)
    for name, level in (("dry", 1.0), ("wet", 0.3)):
        soundfile.write(tmp_path / f"{name}.wav", level * dry, RATE, subtype="FLOAT")
    data = PairedAudio(
        str(tmp_path / "dry.wav"), str(tmp_path / "wet.wav"), cache_dir=str(tmp_path / "cache"), **SIZES
    )
    model = Gain([], sample_rate=RATE, burn_in_samples=64)
    text = shown_by(data, model, tmp_path / "report")
    assert "in all: ESR 5.4" in text
    assert "no control" not in text, "the table would have one line"
    assert "capture" not in text
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["test_settings.csv"]
    rows = list(csv.DictReader((tmp_path / "report" / "test_settings.csv").read_text().splitlines()))
    assert [row["setting"] for row in rows] == ["no control", "all"]
    assert float(rows[0]["mse"]) > 0
