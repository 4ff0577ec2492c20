"""A whole sweep of a net that fails, and what is written of it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from tapezoo.measure.blends import Blend
from tapezoo.measure.lfo import slow_lfo
from tapezoo.measure.roles import Roles
from tapezoo.net import Net, State
from tapezoo.report.sweep import blend_text, end_text
from tapezoo.report.tables import screen_table
from tapezoo.screen import Screen
from tapezoo.sweep.blends import write_blend_sounds
from tapezoo.sweep.run import sweep_into

RATE = 8000


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


class Exploding(Net):
    """Infinite where its control is high."""

    def __init__(self) -> None:
        super().__init__(1, 1)

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        path, knobs = self.smoothed(controls, state, input.shape[2])
        return torch.where(path > 0.6, torch.inf, input), knobs


def test_a_net_that_is_not_finite_gets_its_tables_and_pictures_all_the_same(tmp_path: Path) -> None:
    music = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * RATE)
    blends = [Blend((0.5,), ((0.0,), (1.0,))), Blend((0.75,), ((0.0,), (1.0,)))]
    tables = sweep_into(
        tmp_path, Exploding().eval(), RATE, Roles(("gain",)), blends, music, lambda step: None
    )
    rows = table(tmp_path / "blends.csv")
    assert [row["finite"] for row in rows] == ["True", "True", "False", "False"]
    assert [row["loudness_between_neighbours"] for row in rows] == ["pass", "pass", "-", "-"]
    assert [row["way_smooth"] for row in rows] == ["fail"] * 4
    sweeps = [row for row in table(tmp_path / "sweeps.csv") if row["what"] == "sweep"]
    assert {row["finite"] for row in sweeps} == {"False"}
    assert {row["smooth"] for row in sweeps} == {"fail"}
    console = Screen(width=80)
    with console.capture() as shown:
        console.print(*map(screen_table, tables))
    assert "NOT FINITE" in shown.get()
    assert (tmp_path / "blends_loops.png").is_file()


def test_sounds_of_settings_with_many_digits_and_controls_stay_apart(tmp_path: Path) -> None:
    settings = [tuple(0.1234567890123 + 1e-9 * (at + number) for at in range(24)) for number in range(3)]
    blends = [Blend(setting, ()) for setting in settings]
    outputs = {"music": {setting: np.full(8, 0.1 * at) for at, setting in enumerate(settings)}}
    write_blend_sounds(tmp_path, blends, outputs, RATE)
    heard = sorted(float(soundfile.read(path)[0][0]) for path in tmp_path.iterdir())
    np.testing.assert_allclose(heard, [0, 0.1, 0.2], atol=1e-6)


def test_every_control_moves_from_end_to_end_at_the_papers_rates_and_none_with_another() -> None:
    path = slow_lfo(4)
    assert path.rates_hz.tolist() == [0.05, 0.07, 0.09, 0.05]
    positions = path.at(np.linspace(0, 20, 20001))
    np.testing.assert_allclose(positions.min(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(positions.max(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(path.at(np.zeros(1))[0, 0], 0)
    assert abs(positions[:, 0] - positions[:, 3]).max() > 0.7  # one rate, two phases


def test_settings_are_called_by_what_is_turned_up() -> None:
    names = ["compressor", "tape", "preamp"]
    assert blend_text((0, 1, 0), names) == "tape"
    assert blend_text((0.5, 0, 1), names) == "compressor 0.5, preamp"
    assert blend_text((0, 0, 0), names) == "all 0"
    assert blend_text((0,), ["gain"]) == "gain 0"
    three = Roles(tuple(names), (0, 1, 2))
    assert end_text((1, 0, 0), (0, 1, 0), three) == "compressor"
    assert end_text((0.5, 0), (0.5, 1), Roles(("drive", "bias"))) == "bias 0"  # only what moves
    knobs = Roles((*names, "tape_drive", "tone"), (0, 1, 2))
    assert end_text((0, 1, 0, 0, 0.5), (0, 1, 0, 1, 0.5), knobs) == "tape_drive 0"
    assert end_text((0, 1, 0, 0.5, 1), (0, 1, 0, 0.5, 0), knobs) == "tape, tone 1"
    assert end_text((0, 0.5), (1, 0.5), Roles(("blend", "gain"), (0,))) == "blend 0"
