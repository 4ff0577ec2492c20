"""The page of a prepared data set: the verdict, why, what dry and wet sound like, levels and delays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from tapezoo.recordings.linear import fitted_filter, predictions
from tapezoo.report.html.dataset_report import read_report
from tapezoo.report.html.document import PAGE, figure, paragraph, pictures, prose, table, write_document
from tapezoo.report.html.player import HOW, player
from tapezoo.report.preparation import LEVELS_PNG
from tapezoo.report.tables import Column, Table

PASSAGE_S = 8.0
CANDIDATES = 8  # passages of a recording, of which the loudest is played
MOST_PLAYED = 6  # recordings, which keeps the page under some 20 MB
EFFECTS = {"refused": "refused", "limits": "limits", "corrected": "corrected", "note": ""}
LABELS = {"input": "Dry", "target": "Wet", "output": "Linear filter"}
LEVELS = "Levels of dry: a model cannot learn levels that are missing."
DELAY = "Delay of wet over time, and how sure it is. Training reads dry along it."
FILTER = (
    "The linear filter is the best one of 257 taps for the passage. The difference, wet without it, is what a model "
    "has to learn that an equaliser cannot do, and the noise. Where the delay wanders, there is no such filter."
)
FIGURES = (  # of a channel: key, heading, format
    ("gain_db", "gain (dB)", ".1f"),
    ("delay_ms", "delay (ms)", ".2f"),
    ("wander_samples", "wander (samples)", ".1f"),
    ("noise_floor_dbfs", "noise (dBFS)", ".1f"),
    ("best_esr_without_noise", "ESR of the noise", ".2g"),
    ("linear_floor_257_taps_esr", "ESR of the linear filter", ".5f"),
)

Signal = NDArray[np.float32]


def write_dataset_page(folder: Path) -> Path:
    """Writes FOLDER/report.html from what `tapezoo prepare --out FOLDER` left there, anew each time.

    Raises:
        TapezooError: There is no report of a preparation, or one that was edited.
        UnwritableOutputError: The page cannot be written, or the disk is full.
    """
    report = read_report(folder, [key for key, _, _ in FIGURES])
    pairs = report["pairs"]
    count = "1 recording" if len(pairs) == 1 else f"{len(pairs)} recordings"
    title = f"{count} at {report['sample_rate_hz']} Hz: {report['verdict']}"
    because = "".join(f"<p>{prose(text)}</p>" for text in report["because"])
    verdict = f'<div class="verdict">{because}</div>' if because else ""
    delays = [part for pair in pairs for path in _delays(folder, pair) for part in figure(path, DELAY)]
    body = [
        f"<h1>{escape(title)}</h1>",
        verdict,
        *_remarks(report["remarks"]),
        f"<h2>Listen</h2>{paragraph(HOW)}",
        paragraph(FILTER),
        *(part for pair in pairs[:MOST_PLAYED] for part in _pair(folder, pair, report["sample_rate_hz"])),
        *_not_played([pair["name"] for pair in pairs[MOST_PLAYED:]]),
        *pictures([*figure(folder / LEVELS_PNG, LEVELS), *delays]),
        "<h2>Figures</h2>",
        *table(_figures(pairs)),
    ]
    return write_document(folder / PAGE, title, body)


def _remarks(remarks: Sequence[dict[str, str]]) -> Iterator[str]:
    if not remarks:
        return
    yield '<ul class="advice">'
    for remark in remarks:
        effect = EFFECTS.get(remark["effect"], "")
        yield f"<li>{f'<b>{effect}</b>: ' if effect else ''}{prose(remark['text'])}</li>"
    yield "</ul>"


def _pair(folder: Path, pair: dict[str, Any], sample_rate: int) -> Iterator[str]:
    yield f"<h3>{escape(pair['name'])}: {escape(pair['verdict'])}</h3>"
    settings = ", ".join(f"{name} {value:g}" for name, value in pair["controls"].items())
    yield paragraph(f"{pair['length_s']:.1f} s in all{', ' if settings else ''}{settings}")
    if pair["files"]:
        yield from _heard(folder, pair["files"][0], sample_rate)
    yield from _remarks(pair["remarks"])


def _heard(folder: Path, files: dict[str, Any], sample_rate: int) -> Iterator[str]:
    """The loudest passage; where the delay wanders, no filter can make wet out of dry as it lies in the file."""
    paths = folder / files["dry"], folder / files["wet"]
    if gone := [path for path in paths if not path.is_file()]:
        yield paragraph(f"Not heard: {' and '.join(map(str, gone))}, where it should lie, is no file.")
        return
    samples = round(PASSAGE_S * sample_rate)
    try:
        start = _loudest(paths[1], samples)
        dry, wet = (_first_channel(path, start, samples) for path in paths)
    except soundfile.LibsndfileError as error:
        yield paragraph(f"Not heard: a file that cannot be read ({error}).")
        return
    shared = min(len(dry), len(wet))
    if not shared:
        yield paragraph(f"Not heard: {paths[0]} and {paths[1]} share no sound.")
        return
    dry, wet = dry[:shared], wet[:shared]
    signals = {"input": dry, "target": wet}
    if files.get("delay") is None and dry.any():
        blocks = predictions(dry, wet, fitted_filter(dry, wet))
        signals["output"] = np.concatenate([made for made, _ in blocks]).astype(np.float32)
    markup, quieter_db = player(signals, sample_rate, LABELS)
    quieter = f", played {quieter_db:.1f} dB quieter to fit" if quieter_db else ""
    yield paragraph(
        f"The loudest passage, {start / sample_rate:.1f} to {(start + len(wet)) / sample_rate:.1f} s{quieter}"
    )
    yield markup


def _loudest(path: Path, samples: int) -> int:
    room = max(soundfile.info(path).frames - samples, 0)
    starts = np.unique(np.linspace(0, room, CANDIDATES).astype(int)).tolist()
    energies = [
        float(np.sum(np.square(_first_channel(path, start, samples), dtype=np.float64))) for start in starts
    ]
    return int(starts[int(np.argmax(energies))])


def _first_channel(path: Path, start: int, samples: int) -> Signal:
    signals, _ = soundfile.read(path, samples, start, dtype="float32", always_2d=True)
    return np.ascontiguousarray(signals[:, 0])


def _not_played(names: Sequence[str]) -> Iterator[str]:
    if names:
        yield paragraph(f"Not played here: {', '.join(names)}.")


def _delays(folder: Path, pair: dict[str, Any]) -> list[Path]:
    return [
        (folder / files["delay"]).with_suffix(".png")
        for files in pair["files"]
        if files.get("delay") is not None
    ]


def _figures(pairs: Sequence[dict[str, Any]]) -> Table:
    columns = [
        Column("recording", "recording"),
        Column("channel", "channel", is_number=True),
        *(Column(key, heading, shown, is_number=True) for key, heading, shown in FIGURES),
    ]
    rows = [
        [pair["name"], number, *(own.get(key) for key, _, _ in FIGURES)]
        for pair in pairs
        for number, own in enumerate(pair["channels"], 1)
    ]
    return Table(columns, rows, empty="-")
