"""Controls that move: paths through the net's positions over time, and the files that describe them."""

from __future__ import annotations

import csv
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapezoo.controls import Control, ControlError, control_vector, parse_decimal
from tapezoo.render.errors import RenderError
from tapezoo.terminal import shown

TIME_COLUMNS = ("time_s", "time")  # both in seconds
CONTROL_STEP_SAMPLES = 64  # distance between updates of moving controls; 1.5 ms at 44.1 kHz


class ControlPath(ABC):
    """Where every control stands at any time; positions 0..1 as the net takes them."""

    num_controls: int

    @abstractmethod
    def at(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """The positions at these times.

        Shape:
            time_s: (times,), s; any times, also before 0; result: (times, num_controls).
        """


class Constant(ControlPath):
    """Controls that stay where they are.

    Args:
        positions: One per control, 0..1.
    """

    def __init__(self, positions: Sequence[float]) -> None:
        self.positions = np.array(positions, dtype=np.float64)
        self.num_controls = len(self.positions)

    def at(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `ControlPath.at`."""
        return np.broadcast_to(self.positions, (len(time_s), self.num_controls))


@dataclass(frozen=True)
class Automation(ControlPath):
    """Straight lines in the net's positions between breakpoints; held before the first and after the last.

    Args:
        times_s: (points,), strictly rising.
        positions: (points, num_controls), 0..1.
    """

    times_s: NDArray[np.float64]
    positions: NDArray[np.float64]

    @property
    def num_controls(self) -> int:  # type: ignore[override]
        """Columns of `positions`."""
        return int(self.positions.shape[1])

    def at(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `ControlPath.at`."""
        result = np.empty((len(time_s), self.num_controls))
        for number in range(self.num_controls):
            result[:, number] = np.interp(time_s, self.times_s, self.positions[:, number])
        return result


def stretches(
    paths: Sequence[ControlPath],
    start: int,
    samples: int,
    step_samples: int,
    sample_rate: int,
    offset_s: float = 0.0,
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Cuts one block into pieces in which no control moves, as a net wants them.

    Every step gets the positions at its middle; neighbouring steps with equal positions are one piece. What
    a sample gets does not depend on how a signal is cut into blocks, if every `start` is a multiple of
    `step_samples`.

    Args:
        paths: One per row of the batch.
        start: The block's first sample, counted from the signal's first.
        samples: Length of the block; only the last block of a signal may end within a step.
        step_samples: Between two changes of the controls.
        sample_rate: Hz.
        offset_s: The paths' time at the signal's sample 0.

    Returns:
        Slices of the block and their positions, (rows, num_controls).
    """
    firsts = np.arange(0, samples, step_samples)
    time_s = offset_s + (start + firsts + 0.5 * step_samples) / sample_rate
    positions = np.stack([path.at(time_s) for path in paths], axis=1).astype(np.float32)  # (steps, rows, K)
    moved = np.any(positions[1:] != positions[:-1], axis=(1, 2))
    begins = np.concatenate(([0], np.flatnonzero(moved) + 1))
    ends = np.append(firsts[begins[1:]], samples)
    for begin, end in zip(begins, ends, strict=True):
        yield slice(int(firsts[begin]), int(end)), positions[begin]


def read_automation(path: Path, controls: Sequence[Control], settings: Mapping[str, float]) -> Automation:
    """Reads `time_s,NAME,...` and one line per breakpoint.

    Args:
        path: CSV. The first column may also be called `time`; both are seconds, counted from the start of
            the sound. Values are in the controls' own units.
        controls: The model's.
        settings: Values, in their units, of controls that have no column; others stand at their defaults.

    Raises:
        RenderError: The file is not as described, with the number of the line; or a control has a column and a setting.
        ControlError: A setting of a control that does not exist, or out of its range.
    """
    constant = control_vector(controls, settings)
    rows = _rows(path)
    names = _names(path, rows[0][1] if rows else [], controls)
    for name in names[1:]:
        if name in settings:
            raise RenderError(
                f"control {name!r}",
                found=f"a fixed value {settings[name]:g} and a column in {path}",
                expected="one of the two",
                fix="Leave out --set for it, or its column.",
            )
    if len(rows) < 2:
        raise RenderError(
            str(path),
            found="no line with values",
            expected="a header and one line per breakpoint",
            fix="Write at least one line under the header.",
        )
    by_name = {control.name: number for number, control in enumerate(controls)}
    times_s: list[float] = []
    positions = np.tile(np.array(constant), (len(rows) - 1, 1))
    for number, (line, cells) in enumerate(rows[1:]):
        if len(cells) != len(names):
            raise _value_error(path, line, f"{len(cells)} cells", f"{len(names)}, as in the header")
        values = [_number(path, line, name, cell) for name, cell in zip(names, cells, strict=True)]
        if times_s and not values[0] > times_s[-1]:
            raise RenderError(
                f"{path}, line {line}",
                found=f"{names[0]} {values[0]:g} after {times_s[-1]:g}",
                expected="increasing times",
                fix="Sort the lines by time; for a jump make the second time slightly later.",
            )
        times_s.append(values[0])
        for name, value in zip(names[1:], values[1:], strict=True):
            at = by_name[name]
            try:
                positions[number, at] = controls[at].normalize(value)
            except ControlError as error:
                raise _value_error(path, line, f"{name} {error.found}", error.expected) from error
    return Automation(np.array(times_s), positions)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Line numbers and cells of every line that is not blank."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write a byte-order mark
            reader = csv.reader(file)
            rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise RenderError(
            str(path),
            found=f"a file that cannot be read ({reason})",
            expected="a text file with comma-separated values",
            fix="Correct the path, or write the file again.",
        ) from error
    return [(line, cells) for line, cells in rows if any(cells)]


def _names(path: Path, header: Sequence[str], controls: Sequence[Control]) -> list[str]:
    known = [control.name for control in controls]
    found = f"the header {shown(','.join(header))}" if header else "an empty file"
    expected = f"time_s,{','.join(known)} or only some of these, with times in seconds"
    if not known:
        found, expected = "a model without controls", "a model with at least one control"
    elif not header:
        raise RenderError(
            str(path), found=found, expected=expected, fix="Write a header and one line per breakpoint."
        )
    elif header[0] not in TIME_COLUMNS:
        found += ", whose first column is not time_s"
    elif len(header) < 2:
        found += ", without a control"
    elif len(set(header)) < len(header):
        found += ", with a name twice"
    else:
        unknown = [name for name in header[1:] if name not in known]
        if not unknown:
            return list(header)
        found = f"a column {shown(unknown[0])}, which is not a control of the model"
    raise RenderError(
        str(path), found=found, expected=expected, fix="Correct the first line, or use another file."
    )


def _number(path: Path, line: int, name: str, cell: str) -> float:
    try:
        value = parse_decimal(cell)
    except ValueError as error:
        found = f"{name} {shown(cell)}" if cell else f"no {name}"
        raise _value_error(path, line, found, "a number") from error
    if not math.isfinite(value):
        raise _value_error(path, line, f"{name} {cell}", "a finite number")
    return value


def _value_error(path: Path, line: int, found: str, expected: str) -> RenderError:
    return RenderError(f"{path}, line {line}", found=found, expected=expected, fix="Correct the line.")
