"""The CSV file of a delay trajectory: ours, and any whose columns say what they are."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.align.trajectory import DelayTrajectory, Real
from tapezoo.data.errors import DataError
from tapezoo.staging import replaced_file

HEADER = "time_s,delay_samples,confidence"
TIMES = ("time_s", "wet_time_s", "output_time_s")
DELAYS = ("delay_samples", "delay_ms", "delay_s")
CONFIDENCE = "confidence"
MAX_JUMP_S = 1.0  # of the delay, from one point to the next

_RATE = re.compile(r"(?P<name>\w+)\s*\(\s*(?:at\s+)?(?P<rate>[0-9.]+)\s*(?P<unit>k?hz)\s*\)")


def read_trajectory(path: Path, sample_rate: int) -> DelayTrajectory:
    """Reads a CSV file whose first line names its columns, each with its unit.

    `time_s` (or `wet_time_s`, `output_time_s`) is the time of wet; `delay_samples`, `delay_ms` or `delay_s` the whole
    delay; `confidence`, if there, 0 to 1. `delay_samples (44.1 kHz)` says the rate of those samples, else it is that
    of the recording. Further columns of numbers are left alone, a `#` before the first line too. A time that comes
    twice is a step.

    Args:
        path: The file.
        sample_rate: Of the recording, in Hz.

    Raises:
        DataError: No such columns, or two for one thing; anything that is no finite number; fewer than two points;
            times that fall; a delay that jumps by a second or changes faster than time; confidence outside 0 to 1.
    """
    names, values = _read_table(path)
    if len(values) < 2:
        raise _fault(path, f"{len(values)} point{'s' * (len(values) != 1)}", "two or more")
    times = values[:, _column(path, names, TIMES)[0]]
    column, rate = _column(path, names, DELAYS)
    samples_per_unit = {
        "delay_ms": sample_rate / 1000,
        "delay_s": float(sample_rate),
        "delay_samples": sample_rate / (rate or sample_rate),
    }
    delay = values[:, column] * samples_per_unit[names[column][0]]
    confidence = np.ones(len(times))
    if any(name == CONFIDENCE for name, _ in names):
        confidence = values[:, _column(path, names, (CONFIDENCE,))[0]]
    trajectory = DelayTrajectory(times, delay, confidence, sample_rate)
    _check(path, trajectory)
    return trajectory


def write_trajectory(path: Path, trajectory: DelayTrajectory) -> None:
    """Writes the file that `read_trajectory` reads, whole or not at all.

    Raises:
        UnwritableOutputError: The file cannot be written.
    """
    table = np.column_stack([trajectory.times_s, trajectory.delay_samples, trajectory.confidence])
    with replaced_file(path) as part:
        np.savetxt(part, table, fmt=("%.9f", "%.6f", "%.3f"), delimiter=",", header=HEADER, comments="")


def write_delays(path: Path, times_s: Real, delays_s: Real) -> None:
    """Writes delays that belong to no recording, in ms: `read_trajectory` reads them at any sample rate.

    Raises:
        UnwritableOutputError: The file cannot be written.
    """
    table = np.column_stack([times_s, 1e3 * delays_s])
    with replaced_file(path) as part:
        np.savetxt(part, table, fmt=("%.3f", "%.7f"), delimiter=",", header="time_s,delay_ms", comments="")


def states_its_unit(path: Path) -> bool:
    """Whether the delays can be read without knowing the sample rate of the recording.

    Raises:
        DataError: See `read_trajectory`.
    """
    names, _ = _read_table(path)
    name, rate = names[_column(path, names, DELAYS)[0]]
    return name != "delay_samples" or rate is not None


def _read_table(path: Path) -> tuple[list[tuple[str, float | None]], NDArray[np.float64]]:
    """The columns, each with the rate in Hz that its name states, and their numbers: (points, columns)."""
    try:
        first, _, rest = path.read_text(encoding="utf-8-sig").partition("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise _fault(path, f"no readable text file ({reason})", "a CSV file") from error
    names = [_parse_name(path, name) for name in first.strip().lstrip("#").split(",")]
    for wanted in (TIMES, DELAYS):
        _column(path, names, wanted)
    if not rest.strip():
        return names, np.empty((0, len(names)))
    try:
        values = np.loadtxt(io.StringIO(rest), delimiter=",", ndmin=2, comments=None)
    except ValueError as error:
        raise _fault(path, f"{error} (rows are counted after the first line)", "numbers only") from error
    if values.shape[1] != len(names):
        raise _fault(path, f"{values.shape[1]} values in a row", f"{len(names)}, as in the first line")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise _fault(path, f"a value that is not a finite number in row {row + 1}", "numbers only")
    return names, values


def _parse_name(path: Path, text: str) -> tuple[str, float | None]:
    text = text.strip().strip('"').lower()
    stated = _RATE.fullmatch(text)
    if stated is None:
        return text, None
    try:
        rate = float(stated["rate"]) * (1000 if stated["unit"] == "khz" else 1)
    except ValueError:
        rate = 0.0
    if stated["name"] != "delay_samples" or rate <= 0:
        raise _fault(
            path,
            f"the column {text!r}",
            "a sample rate only with delay_samples, as in delay_samples (44.1 kHz)",
        )
    return stated["name"], rate


def _column(
    path: Path, names: list[tuple[str, float | None]], wanted: tuple[str, ...]
) -> tuple[int, float | None]:
    found = [number for number, (name, _) in enumerate(names) if name in wanted]
    if len(found) != 1:
        listed = ", ".join(repr(name) for name, _ in names[:8])
        raise _fault(
            path,
            f"{len(found)} columns of {' / '.join(wanted)} among {listed}",
            "exactly one in the first line",
        )
    return found[0], names[found[0]][1]


def _check(path: Path, trajectory: DelayTrajectory) -> None:
    times, rate = trajectory.times_s, trajectory.sample_rate
    gaps = np.diff(times)
    leaps_s = np.abs(np.diff(trajectory.delay_samples)) / rate
    _refuse_where(path, gaps < 0, times, "a time that falls", "times that never fall")
    _refuse_where(
        path,
        (gaps[1:] == 0) & (gaps[:-1] == 0),
        times,
        "the same time three times",
        "each time at most twice, which is a step",
    )
    _refuse_where(
        path,
        leaps_s >= MAX_JUMP_S,
        times,
        "a delay that jumps by a second or more",
        "the delay of one recording",
    )
    # beyond a slope of 1 the tape would run backwards: units are mixed up
    _refuse_where(
        path,
        (gaps > 0) & (leaps_s >= gaps),
        times,
        "a delay that changes faster than time",
        "the delay of a recording",
    )
    if trajectory.confidence.min() < 0 or trajectory.confidence.max() > 1:
        raise _fault(path, "confidence outside 0 to 1", "0 (guessed) to 1 (sure)")


def _refuse_where(path: Path, wrong: NDArray[np.bool_], times: Real, found: str, expected: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise _fault(path, f"{found} in row {row + 2}, at {times[row + 1]:g} s", expected)


def _fault(path: Path, found: str, expected: str) -> DataError:
    return DataError(
        str(path),
        found=found,
        expected=expected,
        fix=f"Correct the trajectory; `{HEADER}` is what tapezoo writes itself.",
    )
