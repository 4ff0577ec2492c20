"""Automation files: what they mean between their lines, and every fault with its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tapezoo.controls import Control, ControlError
from tapezoo.errors import TapezooError
from tapezoo.render.automation import Automation, Constant, read_automation, stretches
from tapezoo.render.errors import RenderError

DRIVE = Control("drive", 0.0, 10.0, 5.0, "dB")
ATTACK = Control("attack", 1.0, 100.0, 10.0, "ms", "log")
CONTROLS = (DRIVE, ATTACK)


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "controls.csv"
    path.write_bytes(text.encode(encoding))
    return path


def positions(path: Path, times_s: list[float], **settings: float) -> np.ndarray:
    return read_automation(path, CONTROLS, settings).at(np.array(times_s))


@pytest.mark.parametrize("column", ["time_s", "time"])
def test_lines_are_straight_in_positions_and_held_at_both_ends(column: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"{column},attack,drive\n1,1,0\n\n 3 , 100 ,10\n4,100,5\n")
    read = positions(path, [-5, 1, 1.5, 2, 3, 3.5, 99])
    # a log control half way between 1 and 100 ms stands at 10 ms, in the middle of its knob
    np.testing.assert_allclose(read[:, 1], [0, 0, 0.25, 0.5, 1, 1, 1])
    np.testing.assert_allclose(read[:, 0], [0, 0, 0.25, 0.5, 1, 0.75, 0.5])


def test_controls_without_a_column_stand_where_they_are_set_or_at_their_default(tmp_path: Path) -> None:
    path = written(tmp_path, "time_s,drive\n0,0\n1,10\n")
    np.testing.assert_allclose(positions(path, [0.5]), [[0.5, 0.5]])
    np.testing.assert_allclose(positions(path, [0.5], attack=100.0), [[0.5, 1.0]])


def test_what_spreadsheets_write_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, 'time_s,"drive"\r\n0.5,"2.5"\r\n', encoding="utf-8-sig")
    np.testing.assert_allclose(positions(path, [0.0])[0, 0], 0.25)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "an empty file"),
        ("\n\n", "an empty file"),
        ("time_s,drive\n\n", "no line with values"),
        (
            "drive,attack\n0,1\n",
            "first column is not time_s.*time_s,drive,attack.*seconds",
        ),
        ("time_s;drive\n0;1\n", "first column is not time_s"),
        ("time_s\n0\n", "without a control"),
        ("time_s,drive,drive\n0,1,1\n", "a name twice"),
        ("time_s,Drive\n0,1\n", "'Drive', which is not a control"),
        ("time_s,drive\n0,1\n1,11\n", "line 3: found drive 11.* 0.0 to 10.0 dB"),
        ("time_s,drive\n0,1\n\n1,nan\n", "line 4: found drive nan.*finite"),
        ("time_s,drive\ninf,1\n", "line 2: found time_s inf"),
        ("time_s,drive\n0,loud\n", "line 2: found drive 'loud'.*a number"),
        ("time_s,drive\n0,\n", "line 2: found no drive"),
        ("time_s,drive\n0,1\n1\n", "line 3: found 1 cells; expected 2"),
        ("time_s,drive\n0,1,2\n", "line 2: found 3 cells"),
        ("time_s,drive\n0,1\n2,1\n2,3\n", "line 4: found time_s 2 after 2"),
        ("time_s,drive\n1,1\n0.5,1\n", "line 3: found time_s 0.5 after 1"),
    ],
)
def test_every_fault_is_said_with_its_place(text: str, words: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(RenderError, match=words) as raised:
        read_automation(path, CONTROLS, {})
    assert isinstance(raised.value, TapezooError)
    assert str(path) in str(raised.value)


def test_a_file_that_is_missing_or_no_text_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.csv", tmp_path, written(tmp_path, "time_s,drive\n0,é\n", "latin-1")):
        with pytest.raises(RenderError, match="a file that cannot be read"):
            read_automation(path, CONTROLS, {})


def test_a_control_is_not_set_and_automated_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "time_s,drive\n0,1\n")
    with pytest.raises(RenderError, match="'drive': found a fixed value 3 and a column"):
        read_automation(path, CONTROLS, {"drive": 3.0})
    with pytest.raises(ControlError, match="no such control"):
        read_automation(path, CONTROLS, {"gain": 3.0})
    with pytest.raises(RenderError, match="model without controls"):
        read_automation(path, (), {})


def test_what_a_sample_gets_does_not_depend_on_the_blocks() -> None:
    path = Automation(np.array([0.01, 0.05, 0.06]), np.array([[0.0, 1.0], [1.0, 1.0], [0.5, 0.0]]))
    paths = [path, Constant([0.25, 0.75])]
    samples, step, rate, offset_s = 1000, 16, 8000, 0.003

    def given(block: int) -> np.ndarray:
        result = np.full((samples, 2, 2), np.nan, dtype=np.float32)
        for start in range(0, samples, block):
            length = min(block, samples - start)
            for piece, at in stretches(paths, start, length, step, rate, offset_s):
                result[start : start + length][piece] = at
        return result

    middles_s = offset_s + (np.arange(samples) // step * step + step / 2) / rate
    expected = np.stack((path.at(middles_s), np.full((samples, 2), (0.25, 0.75))), axis=1)
    for block in (16, 48, 1008):
        np.testing.assert_array_equal(given(block), expected.astype(np.float32))


def test_controls_that_stand_still_are_one_piece() -> None:
    pieces = list(stretches([Constant([0.5])], 0, 10_000, 64, 44100))
    assert [piece for piece, _ in pieces] == [slice(0, 10_000)]
    moving = Automation(np.array([0.0, 64 * 3 / 44100]), np.array([[0.0], [1.0]]))
    assert [piece.start for piece, _ in stretches([moving], 0, 10_000, 64, 44100)] == [0, 64, 128, 192]


def test_the_content_of_a_file_that_is_no_automation_is_not_told(tmp_path):
    path = tmp_path / "secrets"
    path.write_text("user:x:0:0:" + "hunter2 " * 20 + "\n")
    with pytest.raises(RenderError, match="first column is not time_s") as caught:
        read_automation(path, [Control("gain")], {})
    assert str(caught.value).count("hunter2") <= 4
