"""The folder of a measurement: figures, curves, pictures, what can be listened to, and the page of it all."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapezoo.measure.audible import Audible
from tapezoo.measure.machine.figures import Figure
from tapezoo.render.soundfiles import write_float_wav
from tapezoo.report.figures import write_png
from tapezoo.report.html.measure_page import PASSAGES, write_measure_page
from tapezoo.report.measured import figures_csv
from tapezoo.report.tables import Column, Table, write_csv
from tapezoo.run_files import MEASUREMENT

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture


@dataclass(frozen=True)
class Measurement:
    """All that was measured in one call.

    Args:
        command: That was typed.
        is_recording: The first source is a recording; otherwise all are machines.
        names: Of the sources.
        figures: Of each.
        curves: Of each machine, as lists.
        audible: To listen to.
        pictures: File names without suffix, and what draws them.
        deviations: How far the first machine is from the second; empty without one.
        remarks: What a reader of the figures should know.
    """

    command: str
    is_recording: bool
    names: Sequence[str]
    figures: Sequence[Sequence[Figure]]
    curves: Sequence[dict[str, Any]]
    audible: Sequence[Audible]
    pictures: Mapping[str, Callable[[], Picture]]
    deviations: Sequence[Figure] = ()
    remarks: Sequence[str] = ()


def write_measurement(measurement: Measurement, folder: Path) -> None:
    """Fills an empty folder.

    Raises:
        UnwritableOutputError: The disk is full.
    """
    document = {
        "version": 1,
        "command": measurement.command,
        "is_recording": measurement.is_recording,
        "sources": list(measurement.names),
        "figures": [_values(own) for own in measurement.figures],
        "deviations": _values(measurement.deviations),
        "missing": [_reasons(own) for own in measurement.figures],
        "missing_deviations": _reasons(measurement.deviations),
        "remarks": list(measurement.remarks),
        "labels": {
            one.key: {"text": one.text, "unit": one.unit, "decimals": one.decimals}
            for own in (*measurement.figures, measurement.deviations)
            for one in own
        },
        "curves": list(measurement.curves),
    }
    (folder / MEASUREMENT).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    write_csv(figures_csv(measurement.names, measurement.figures), folder / "figures.csv")
    for name, draw in measurement.pictures.items():
        write_png(draw(), folder / f"{name}.png")
    for passage in measurement.audible:
        for signal, samples in passage.signals.items():
            write_float_wav(folder / f"{passage.name}_{signal}.wav", samples, passage.sample_rate)
    rows = [[passage.name, passage.text] for passage in measurement.audible]
    write_csv(Table([Column("files"), Column("passage")], rows), folder / PASSAGES)
    write_measure_page(folder)


def _values(figures: Sequence[Figure]) -> dict[str, float | None]:
    return {one.key: one.value if math.isfinite(one.value) else None for one in figures}


def _reasons(figures: Sequence[Figure]) -> dict[str, str]:
    """Why figures are None, of those that say so."""
    return {one.key: one.missing for one in figures if one.missing}
