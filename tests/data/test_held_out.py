"""Held-out settings in the loaders: not in training, not in validation, in test as everything else."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from jsonargparse import ArgumentParser

from tapezoo.data import PairedAudio
from tapezoo.data import module as module_under_test
from tapezoo.data.errors import DataError
from tapezoo.data.settings import HoldOut
from tapezoo.data.splits import SPLITS

from .signals import noise_bursts, write

SIZES: dict[str, Any] = {
    "batch_size": 8,
    "segment_samples": 512,
    "burn_in_samples": 64,
    "batches_per_epoch": 20,
    "align": "off",
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    """Nine settings of an amplifier, whose controls are written into its gain; one dry for all."""
    dry = noise_bursts(1.5)
    write(tmp_path / "dry.wav", dry)
    lines = ["dry,wet,gain,tone"]
    for gain, tone in itertools.product((0, 50, 100), repeat=2):
        write(tmp_path / f"{gain}-{tone}.wav", dry * (0.1 + 0.004 * gain + 0.0002 * tone))
        lines.append(f"dry.wav,{gain}-{tone}.wav,{gain},{tone}")
    path = tmp_path / "pairs.csv"
    path.write_text("\n".join(lines))
    return path


def opened(pairs: Path, **arguments: Any) -> PairedAudio:
    data = PairedAudio(pairs=str(pairs), **{**SIZES, **arguments})
    data.setup()
    return data


def named(pairs: Path, *wets: str) -> Path:
    """The same pairs file with some of its settings held out by name."""
    lines = pairs.read_text().splitlines()
    said = [f"{line},{'true' if line.split(',')[1] in wets else ''}" for line in lines[1:]]
    path = pairs.with_name("named.csv")
    path.write_text("\n".join([f"{lines[0]},held_out", *said]))
    return path


def heard_in(loader: Any) -> set[tuple[float, ...]]:
    return {tuple(row) for batch in loader for row in batch.controls.tolist()}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (HoldOut("interpolation"), {(0.5, 0.5)}),
        (HoldOut("extrapolation", control="gain"), {(1.0, 0.0), (1.0, 0.5), (1.0, 1.0)}),
        (HoldOut("corner", 2, seed=1), None),
    ],
)
def test_no_held_out_row_is_heard_in_training_or_validation(grid: Path, rule: HoldOut, expected) -> None:
    data = opened(grid, hold_out=rule)
    every = set(itertools.product((0.0, 0.5, 1.0), repeat=2))
    held_out = set(data.held_out)
    assert held_out == (expected or held_out)
    assert len(held_out) >= rule.count
    assert heard_in(data.train_dataloader()) == every - held_out
    assert heard_in(data.val_dataloader()) == every - held_out
    assert heard_in(data.test_dataloader()) == every
    # what is heard, not what is said: the wet's gain tells its setting
    settings = sorted(every)
    gains = np.array([0.1 + 0.4 * g + 0.02 * t for g, t in settings])
    for batch in (*data.train_dataloader(), *data.val_dataloader()):
        energy = batch.input.square().sum(-1)
        sounding = energy[:, 0] > 1e-6
        ratio = ((batch.target * batch.input).sum(-1) / energy)[sounding].flatten().numpy()
        nearest = np.abs(ratio[:, None] - gains).argmin(axis=1)
        assert not {settings[at] for at in nearest} & held_out
    assert data.settings("train") == data.settings("val") == every - held_out


def test_held_out_rows_are_tested_on_the_test_part_of_the_programme_alone(grid: Path) -> None:
    whole, data = opened(grid), opened(grid, hold_out=HoldOut("interpolation"))
    before = {row.name: row for row in whole.split_arrays("test")}
    after = {row.name: row for row in data.split_arrays("test")}
    assert before.keys() == after.keys()
    (held,) = [row for row in after.values() if row.setting == (0.5, 0.5)]
    assert np.array_equal(held.input, before[held.name].input)
    train = data.split_arrays("train")[0].input
    excerpt = held.input[1000:1032]
    assert excerpt.any()
    assert not (np.lib.stride_tricks.sliding_window_view(train, 32) == excerpt).all(axis=1).any()


def test_naming_and_drawing_a_setting_are_the_same(grid: Path) -> None:
    drawn, said = opened(grid, hold_out=HoldOut("interpolation")), opened(named(grid, "50-50.wav"))
    assert said.held_out == drawn.held_out == {(0.5, 0.5)}
    assert said.dataset_hash == drawn.dataset_hash


def test_holding_out_changes_the_hash_and_renders_nothing_anew(
    grid: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = opened(grid)

    def refuse(*args: object) -> None:
        raise AssertionError("written again")

    monkeypatch.setattr(module_under_test, "write_store", refuse)
    assert opened(grid).dataset_hash == whole.dataset_hash
    hashes = {
        opened(grid, hold_out=rule).dataset_hash
        for rule in (
            None,
            HoldOut("interpolation"),
            HoldOut("extrapolation", control="gain"),
            HoldOut("extrapolation", control="tone"),
        )
    }
    assert len(hashes) == 4
    assert whole.dataset_hash in hashes


def test_what_is_held_out_is_said_with_its_kind(grid: Path) -> None:
    text = opened(named(grid, "50-50.wav", "100-0.wav")).describe()
    assert "held out: gain=50, tone=50 (interpolation)" in text
    assert "held out: gain=100, tone=0 (corner)" in text
    assert "held out" not in opened(grid).describe()
    assert opened(grid).held_out == frozenset()


@pytest.mark.parametrize(
    ("change", "arguments", "part"),
    [
        (lambda text: text, {"hold_out": HoldOut("interpolation", 2)}, "1 of 9 settings"),
        (lambda text: text, {"hold_out": HoldOut("extrapolation")}, "gain, tone"),
        (
            lambda text: text.replace("tone", "tone,split").replace("0\n", "0,train\n") + ",train",
            {"hold_out": HoldOut("interpolation")},
            r"setting gain=50, tone=50: .*split 'train' only",
        ),
    ],
)
def test_impossible_rules_are_refused_before_any_work(grid: Path, change, arguments, part: str) -> None:
    grid.write_text(change(grid.read_text()))
    with pytest.raises(DataError, match=part):
        PairedAudio(pairs=str(grid), **SIZES, **arguments)
    assert not (grid.parent / "cache").exists()


def test_a_rule_and_named_settings_together_are_refused(grid: Path) -> None:
    with pytest.raises(DataError, match="a rule, and held_out"):
        PairedAudio(pairs=str(named(grid, "0-0.wav")), hold_out=HoldOut("interpolation"))


def test_naming_everything_is_refused(grid: Path) -> None:
    wets = [line.split(",")[1] for line in grid.read_text().splitlines()[1:]]
    with pytest.raises(DataError, match="all 9 settings held out"):
        PairedAudio(pairs=str(named(grid, *wets)))


def test_one_pair_has_no_setting_to_hold_out(tmp_path: Path) -> None:
    dry, wet = (
        str(write(tmp_path / name, noise_bursts(1.0, seed))) for seed, name in enumerate(("a.wav", "b.wav"))
    )
    with pytest.raises(DataError, match="no control that varies"):
        PairedAudio(dry, wet, hold_out=HoldOut("interpolation"))


def test_a_short_held_out_recording_need_not_hold_a_training_row(grid: Path) -> None:
    text = grid.read_text()
    write(grid.parent / "short_dry.wav", noise_bursts(0.22))
    write(grid.parent / "50-50.wav", 0.3 * noise_bursts(0.22))
    grid.write_text(text.replace("dry.wav,50-50.wav", "short_dry.wav,50-50.wav"))
    sizes = {"segment_samples": 8192, "burn_in_samples": 256}
    opened(grid, hold_out=HoldOut("interpolation"), **sizes)


def test_a_recipe_and_a_flag_can_say_the_rule(grid: Path) -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(PairedAudio, "data")
    for arguments in (
        ['--data.hold_out={"rule": "corner", "count": 2}'],
        ["--data.hold_out.rule=corner", "--data.hold_out.count=2"],
    ):
        parsed = parser.parse_args([f"--data.pairs={grid}", *arguments])
        data = parser.instantiate_classes(parsed).data
        assert len(data.held_out) == 2
    with pytest.raises(Exception, match="sideways"):
        parser.parse_args([f"--data.pairs={grid}", '--data.hold_out={"rule": "sideways"}'])


def test_switches_of_a_pairs_file_reach_whoever_proposes_settings(grid: Path) -> None:
    lines = [
        dict(zip(("dry", "wet", "gain", "tone"), line.split(","), strict=True))
        for line in grid.read_text().splitlines()[1:]
    ]
    pairs = [
        {"dry": line["dry"], "wet": line["wet"], "controls": {"gain": line["gain"], "tone": line["tone"]}}
        for line in lines
    ]
    path = grid.with_suffix(".yaml")
    path.write_text(yaml.safe_dump({"switches": ["tone"], "pairs": pairs}))
    assert PairedAudio(pairs=str(path), **SIZES).switches == {1}
    assert PairedAudio(pairs=str(grid), **SIZES).switches == frozenset()


def test_every_split_still_has_a_part(grid: Path) -> None:
    data = opened(grid, hold_out=HoldOut("corner", 1))
    assert [len(data.split_arrays(split)) for split in SPLITS] == [8, 8, 9]
