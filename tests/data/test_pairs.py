"""Pairs files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapezoo.controls import ControlError
from tapezoo.data.errors import DataError
from tapezoo.data.findings import Finding
from tapezoo.data.pairs import read_pairs

YAML = """
controls:
  gain: {min: 0, max: 100, default: 20, unit: "%"}
  tone: {min: 20, max: 20000, default: 1000, unit: Hz, curve: log}
pairs:
  - {dry: a.wav, wet: sub/b.wav, controls: {gain: 25}, split: test}
  - {dry: a.wav, wet: c.wav, controls: {gain: 100, tone: 20}, offset_samples: -96}
"""


def write(folder: Path, text: str, name: str = "pairs.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_yaml_gives_pairs_controls_splits_and_offsets_relative_to_the_file(tmp_path: Path) -> None:
    file = read_pairs(write(tmp_path, YAML))
    first, second = file.pairs
    assert (first.dry, first.wet) == (tmp_path / "a.wav", tmp_path / "sub" / "b.wav")
    assert (first.split, first.offset_samples) == ("test", None)
    assert (second.split, second.offset_samples) == (None, -96)
    assert [control.name for control in file.controls] == ["gain", "tone"]
    assert file.controls[0].to_dict() == {
        "name": "gain",
        "min": 0.0,
        "max": 100.0,
        "default": 20.0,
        "unit": "%",
        "curve": "linear",
    }
    assert file.positions(second) == [1.0, 0.0]
    # tone is not given: its default, on the log curve: log(50) / log(1000)
    assert file.positions(first) == [0.25, pytest.approx(0.566323)]


def test_csv_says_the_same_and_ranges_are_inferred_from_the_values(tmp_path: Path) -> None:
    text = "dry, wet, split, gain\na.wav, b.wav, train, 0\na.wav, c.wav, , 25\na.wav, d.wav, test, 100\n"
    file = read_pairs(write(tmp_path, text, "pairs.csv"))
    assert [pair.split for pair in file.pairs] == ["train", None, "test"]
    assert file.pairs[1].wet == tmp_path / "c.wav"
    (gain,) = file.controls
    assert (gain.min, gain.max, gain.default) == (0, 100, 25)
    assert file.positions(file.pairs[1]) == [0.25]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("pairs: [{dry: a, wet: b, spilt: test}]", "'spilt'.*Did you mean 'split'"),
        ("pairs: [{dry: a}]", "pair 1 without the path 'wet'"),
        ("pairs: [{dry: a, wet: b, split: dev}]", "split 'dev'.*train, val or test"),
        ("pairs: [{dry: a, wet: b, controls: {g: loud}}]", "control 'g': 'loud'.*a finite number"),
        ("pairs: [{dry: a, wet: b, offset_samples: 1.5}]", "whole number"),
        (f"pairs: [{{dry: a, wet: b, controls: {{g: 1{'0' * 400}}}}}]", "control 'g': 1000.*a finite number"),
        ("pairs: []", "no pairs"),
        ("pears: []", "no list of pairs"),
        ("pairs: [", "not YAML"),
        ("pairs: [{dry: a, wet: b, controls: {g: 1}}, {dry: a, wet: c}]", "'g' without a value in pair 2"),
        ("pairs: [{dry: a, wet: b, controls: {g: 1}}]", "'g' with the one value 1"),
        (
            "pairs: [{dry: a, wet: b, controls: {g: 9:00}}]",
            "9:00 .line 1.*for 540.*in quotes or as a decimal",
        ),
        ("pairs: [{dry: a, wet: b, controls: {g: 010}}]", "010 .*for 8.*in quotes or as a decimal"),
        ("pairs: [{dry: a, wet: b, held_out: on}]", "on .*for True.*true, false or text in quotes"),
        ("pairs: [{dry: a, wet: b, controls: {g: '9:00'}}]", "'g': '9:00'.*a finite number"),
        ("pairs: [{dry: a, wet: b, controls: {g: 1, g: 2}}]", "the key g twice"),
        ("a secret line", "found text, and no list of pairs"),
        ("{controls: {g: {mim: 0}}, pairs: [{dry: a, wet: b}]}", "'mim'.*Did you mean 'min'"),
    ],
)
def test_a_faulty_file_is_refused_with_its_place(tmp_path: Path, text: str, part: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=f"(?s){part}") as caught:
        read_pairs(path)
    assert str(path) in str(caught.value)


HELD = """
controls: {gain: {max: 100}}
pairs:
  - {dry: a.wav, wet: b.wav, controls: {gain: 0}}
  - {dry: a.wav, wet: c.wav, controls: {gain: 25}, held_out: true}
  - {dry: d.wav, wet: e.wav, controls: {gain: 25}, held_out: true, split: test}
  - {dry: a.wav, wet: f.wav, controls: {gain: 100}, held_out: false}
"""


def test_pairs_name_the_settings_that_are_held_out(tmp_path: Path) -> None:
    file = read_pairs(write(tmp_path, HELD))
    assert [pair.held_out for pair in file.pairs] == [False, True, True, False]
    assert file.held_out() == {(0.25,)}
    text = "dry,wet,gain,held_out\na.wav,b.wav,0,\na.wav,c.wav,25,Yes\na.wav,d.wav,100,false\n"
    file = read_pairs(write(tmp_path, text, "pairs.csv"))
    assert [control.name for control in file.controls] == ["gain"]
    assert file.held_out() == {(0.25,)}


@pytest.mark.parametrize(
    ("was", "now", "part"),
    [
        ("held_out: true}", "held_out: maybe}", "pair 2, held_out: 'maybe'.*true or false"),
        ("held_out: true}", "held_out: false}", "pair 2 at a setting that another pair holds out"),
        ("split: test", "split: val", "pair 3 held out and with split 'val'"),
        ("split: test", "split: train", "pair 3 held out and with split 'train'"),
    ],
)
def test_a_setting_cannot_be_held_out_by_half(tmp_path: Path, was: str, now: str, part: str) -> None:
    with pytest.raises(DataError, match=f"(?s){part}"):
        read_pairs(write(tmp_path, HELD.replace(was, now)))


def test_a_file_says_which_controls_choose_among_machines(tmp_path: Path) -> None:
    machines = "{dry: a, wet: b, controls: {amp: 0, tape: 1}}, {dry: a, wet: c, controls: {amp: 1, tape: 0}}"
    file = read_pairs(write(tmp_path, f"{{switches: [tape], pairs: [{machines}]}}"))
    assert file.switches == {1}
    assert read_pairs(write(tmp_path, YAML)).switches == frozenset()
    for wrong, part in (("[tap]", "the switch 'tap'.*amp, tape"), ("tape", "switches that are no list")):
        with pytest.raises(DataError, match=f"(?s){part}"):
            read_pairs(write(tmp_path, f"{{switches: {wrong}, pairs: [{machines}]}}"))


def test_holding_out_needs_a_control(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="held_out without a control"):
        read_pairs(write(tmp_path, "pairs: [{dry: a, wet: b}, {dry: a, wet: c, held_out: true}]"))


def test_a_value_outside_its_declared_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="101"):
        read_pairs(write(tmp_path, YAML.replace("gain: 25", "gain: 101")))


def test_a_missing_pairs_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.yaml.*Correct --data\.pairs"):
        read_pairs(tmp_path / "none.yaml")


def test_a_csv_line_with_too_few_cells_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2"):
        read_pairs(write(tmp_path, "dry,wet,gain\na.wav,b.wav\n", "pairs.csv"))


@pytest.mark.parametrize(("separator", "called"), [(";", "semicolons"), ("\t", "tabs")])
def test_the_separator_of_a_csv_file_is_named(tmp_path: Path, separator: str, called: str) -> None:
    text = "dry,wet,gain\na.wav,b.wav,1\n".replace(",", separator)
    with pytest.raises(DataError, match=f"columns separated by {called}; expected commas"):
        read_pairs(write(tmp_path, text, "pairs.csv"))


def test_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("dry,wet\na.wav,b.wav\n", encoding="utf-16")
    with pytest.raises(DataError, match=r"text in UTF-16\).*Save it as UTF-8"):
        read_pairs(path)


def test_a_csv_column_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a repeated column 'gain'"):
        read_pairs(write(tmp_path, "dry,wet,gain, gain\na,b,0,100\na,c,25,75\n", "pairs.csv"))


def test_a_csv_file_that_is_none_is_a_fault_of_the_pairs_file(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("dry,wet\na.wav," + "x" * 200_000 + "\n")
    with pytest.raises(DataError, match="line 2 that is not CSV"):
        read_pairs(path)


def test_a_name_cannot_begin_a_line_of_its_own_among_the_findings() -> None:
    assert "\n" not in str(Finding("note", "delay", "a\nwarning: b.wav", "late"))
