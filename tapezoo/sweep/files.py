"""The two CSV files of a sweep: every figure, for other programs."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from tapezoo.measure.blends import BlendReport
from tapezoo.measure.smoothness import Sweep
from tapezoo.sweep.modulations import Modulated
from tapezoo.sweep.words import figure, spaced, verdict

SWEEPS_CSV, BLENDS_CSV = "sweeps.csv", "blends.csv"
SWEEP_COLUMNS = (
    *("controls", "what", "sound", "from", "to", "rate_hz", "finite"),
    *("outside_db", "floor_db", "excess_db", "watched", "smooth", "peak"),
)
BLEND_COLUMNS = (
    *("controls", "blend", "neighbours", "sound", "finite"),
    *("loudness", "unit", "quietest_neighbour", "loudest_neighbour", "loudness_outside_db"),
    "loudness_between_neighbours",
    *("empty_bands", "stray_db", "stray_hz", "stray_over_neighbours_db", "quiet_where_neighbours_are"),
    *("way_outside_db", "way_floor_db", "way_smooth"),
)
Row = dict[str, object]


def write_sweeps(
    path: Path, sweeps: Sequence[Sweep], modulations: Sequence[Modulated], names: Sequence[str]
) -> None:
    """One line per measured sweep, then one per modulation.

    Args:
        path: The file.
        sweeps: Measured on tones, so that they can be judged.
        modulations: Played on music and sawtooths, so that only what is finite and the peak are said.
        names: Of the controls.
    """
    rows = [*(_of_sweep(sweep) for sweep in sweeps), *(_of_modulation(one) for one in modulations)]
    _write(path, SWEEP_COLUMNS, rows, names)


def write_blends(path: Path, reports: Sequence[BlendReport], names: Sequence[str]) -> None:
    """One line per blend and sound.

    Args:
        path: The file.
        reports: In the order of the lines.
        names: Of the controls.
    """
    _write(path, BLEND_COLUMNS, [_of_blend(one) for one in reports], names)


def _of_sweep(one: Sweep) -> Row:
    return {
        "what": "sweep",
        "sound": "tones",
        "from": spaced(one.start),
        "to": spaced(one.end),
        "rate_hz": f"{one.rate_hz:g}",
        "finite": one.finite,
        "outside_db": figure(one.outside_db),
        "floor_db": figure(one.floor_db),
        "excess_db": figure(one.excess_db),
        "watched": figure(one.watched),
        "smooth": verdict(one.is_smooth),
    }


def _of_modulation(one: Modulated) -> Row:
    return {
        "what": "modulation",
        "sound": one.sound,
        "from": spaced(one.path.middle - one.path.depth),
        "to": spaced(one.path.middle + one.path.depth),
        "rate_hz": spaced(one.path.rates_hz),
        "finite": one.finite,
        "peak": figure(one.peak),
    }


def _of_blend(one: BlendReport) -> Row:
    said, way = one.comparison, one.way
    return {
        "blend": spaced(one.blend.setting),
        "neighbours": "; ".join(spaced(setting) for setting in one.blend.neighbours),
        "sound": one.sound,
        "finite": said.finite,
        "loudness": figure(said.loudness),
        "unit": said.unit,
        "quietest_neighbour": figure(said.quietest),
        "loudest_neighbour": figure(said.loudest),
        "loudness_outside_db": figure(said.loudness_outside_db),
        "loudness_between_neighbours": verdict(said.is_between),
        "empty_bands": said.empty_bands,
        "stray_db": figure(said.stray_db),
        "stray_hz": figure(said.stray_hz),
        "stray_over_neighbours_db": figure(said.stray_over_neighbours_db),
        "quiet_where_neighbours_are": verdict(said.is_clean),
        "way_outside_db": figure(way.outside_db if way else None),
        "way_floor_db": figure(way.floor_db if way else None),
        "way_smooth": verdict(way.is_smooth if way else None),
    }


def _write(
    path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]], names: Sequence[str]
) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)  # a cell without an entry stays empty
        writer.writeheader()
        for row in rows:
            writer.writerow({"controls": " ".join(names), **row})
