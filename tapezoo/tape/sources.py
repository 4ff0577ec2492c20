"""Where delays come from: CSV files, and data sets that `tapezoo prepare` has made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from tapezoo.data.align.trajectory_csv import read_trajectory, states_its_unit
from tapezoo.render.soundfiles import FORMATS
from tapezoo.tape.errors import TapeError
from tapezoo.tape.stretches import Stretch, check_points, cut_stretches

REPORT = "report.json"  # of a data set


def read_stretches(sources: Sequence[Path], sample_rate: int | None) -> list[Stretch]:
    """All stretches of all sources, in their order.

    Args:
        sources: CSV files of delays, and folders of data sets.
        sample_rate: Hz, for files whose delays are in samples of a rate that they do not state; None: such are refused.

    Raises:
        TapeError: A source that is neither, a file without its rate, or one with too few points per second.
        DataError: A file that is no trajectory.
    """
    found = []
    for source in sources:
        for path, rate in _files(source, sample_rate):
            if rate is None and not states_its_unit(path):
                raise TapeError(
                    str(path),
                    found="delays in samples without their rate",
                    expected="delay_ms, delay_s, or delay_samples (44.1 kHz)",
                    fix="Say the rate of the recording: --sample-rate HZ.",
                )
            trajectory = read_trajectory(path, rate or 1000)
            check_points(str(path), trajectory)
            found += cut_stretches(path.name, trajectory)
    return found


def _files(source: Path, sample_rate: int | None) -> Iterator[tuple[Path, int | None]]:
    if not source.is_dir():
        if not source.is_file():
            raise TapeError(
                str(source),
                found="nothing there",
                expected="a CSV file of a delay over time, or the folder of a data set",
                fix="Name what `tapezoo prepare` has written.",
            )
        if source.suffix.lower().lstrip(".") in FORMATS:
            raise TapeError(
                str(source),
                found="a sound file",
                expected="a CSV file of a delay over time, or the folder of a data set",
                fix="More of its noise is made with --out NOISE.wav; a delay is measured by `tapezoo prepare`.",
            )
        yield source, sample_rate
        return
    delays = sorted(source.glob("*_delay.csv"))
    report = source / REPORT
    if not delays or not report.is_file():
        raise TapeError(
            str(source),
            found="no measured delay" if report.is_file() else f"no {REPORT}",
            expected="a data set of recordings whose delay wanders, as `tapezoo prepare` writes it",
            fix="Where no delay wanders, there is no transport to learn.",
        )
    try:
        rate = int(json.loads(report.read_text(encoding="utf-8"))["sample_rate_hz"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TapeError(
            str(report),
            found="no sample_rate_hz in it",
            expected="the report of a data set, as `tapezoo prepare` writes it",
            fix="Prepare the recordings again.",
        ) from error
    for path in delays:
        yield path, rate
