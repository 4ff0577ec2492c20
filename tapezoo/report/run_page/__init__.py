"""One page to look at and listen to: a run's verdict, excerpts, pictures and tables in one file without links."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np
import soundfile

from tapezoo.report import clips, steadiness
from tapezoo.report.floor import beside_floor_text
from tapezoo.report.summary import Summary, read_summary
from tapezoo.report.tables import Column
from tapezoo.staging import replaced_file

PAGE = "report.html"
EXCERPTS = "excerpts.csv"
PEAK = 0.98  # of what is played: files of 16 bits clip, the floats beside the page do not
SIGNALS = ("input", "target", "output")
PICTURES = {  # of the report, in the order of the page, and what they show
    "learning_curve.png": "Learning curve: error on the validation split over the updates, beside the linear filter.",
    "frequency_response.png": "Gain over frequency in bands that are mostly linear: machine, model, model on noise.",
    "harmonics.png": "Harmonics of a sine over its level, relative to the fundamental: how the distortion grows. Lines "
    "with dots are the model; dashed ones, where there are any, the virtual machine that it was trained on.",
    "transfer_curve.png": "Output against input for sines of several levels: saturation, and hysteresis as open loops.",
    "test_settings.png": "Error on the test split over the settings of the controls.",
}
TABLES = {  # of the report, their headings and what they say
    "test_clips.csv": ("Test split, clip by clip", clips.TITLE, (*clips.COLUMNS, clips.DELAY_KEPT)),
    "steadiness.csv": (
        "Steadiness",
        "How large disturbances get, relative to the output: the net is steady if every figure is below its limit.",
        steadiness.COLUMNS,
    ),
}
SPLITS = {
    "validation": "on the passages by which the best epoch was chosen",
    "test": "on passages used for nothing else",
}


def write_run_page(run_dir: Path) -> Path:
    """Writes RUN/report/report.html from what lies beside it, anew each time.

    Args:
        run_dir: The folder of a run that has ended.

    Raises:
        TapezooError: There is no summary of a training.
        UnwritableOutputError: The page cannot be written, or the disk is full.
    """
    folder = run_dir / "report"
    summary = read_summary(folder)
    body = "\n".join(
        [
            *_verdict(summary),
            *_listening(folder),
            *_pictures(folder),
            *_tables(folder),
            *_origin(run_dir, summary),
        ]
    )
    page = Template(_part("page.html")).substitute(
        title=escape(summary.title), style=_part("page.css"), script=_part("page.js"), body=body
    )
    path = folder / PAGE
    with replaced_file(path) as part:
        part.write_text(page, encoding="utf-8")
    return path


def _verdict(summary: Summary) -> Iterator[str]:
    yield f"<h1>{escape(summary.title)}</h1>"
    yield f'<p class="soft">{escape(summary.architecture)} trained on {escape(summary.recordings)}</p>'
    yield '<div class="verdict">'
    for split, (esr, floor) in summary.figures.items():
        if esr is None:
            continue
        text = beside_floor_text(esr, float("nan") if floor is None else floor)
        text += f", which reaches {floor:.5f}" if floor is not None else ""
        where = SPLITS.get(split, "")
        yield f"<p>{split.capitalize()}: ESR <b>{esr:.5f}</b>, {escape(text)}. <span class=soft>{where}</span></p>"
    if summary.steadiness:
        yield f"<p>{escape(summary.steadiness[:1].upper() + summary.steadiness[1:])}.</p>"
    yield "</div>"
    yield f'<p class="soft">Ended after {escape(summary.ended)}. ESR: energy of the error over that of the target.</p>'
    for heading, texts in (("What would help", summary.advice), ("The recordings", summary.warnings)):
        if texts:
            items = "".join(f"<li>{escape(text)}</li>" for text in texts)
            yield f'<h2>{heading}</h2><ul class="advice">{items}</ul>'


def _listening(folder: Path) -> Iterator[str]:
    rows = _rows(folder / EXCERPTS)
    if not rows:
        return
    yield "<h2>Listen</h2>"
    yield (
        '<p class="soft">All four signals play in step; the buttons, or the keys 1 to 4, choose which one is heard. '
        "Target is the machine, output the model, difference what is left between them. Blind hides which is which.</p>"
    )
    for row in rows:
        paths = {name: folder / f"{row['files']}_{name}.wav" for name in SIGNALS}
        if not all(path.is_file() for path in paths.values()):
            continue
        audio = {name: soundfile.read(path, dtype="float32")[0] for name, path in paths.items()}
        rate = soundfile.info(paths["target"]).samplerate
        peak = max(float(np.abs(signal).max(initial=0.0)) for signal in audio.values())
        gain = min(1.0, PEAK / peak) if peak else 1.0
        quieter = f", played {-20 * np.log10(gain):.1f} dB quieter to fit" if gain < 1 else ""
        packed = json.dumps({name: _packed(gain * signal, rate) for name, signal in audio.items()})
        yield f"<h3>{escape(row['kind'].capitalize())} passage of {escape(row['recording'])}</h3>"
        yield (
            f'<p class="soft">{float(row["start_s"]):.1f} to {float(row["end_s"]):.1f} s of the recording; ESR '
            f"{float(row['validation_esr']):.5f} in its validation part{quieter}</p>"
        )
        yield Template(_part("player.html")).substitute(signals=packed, rate=rate)
        for kind, text in (
            ("waveforms", "Waveforms: target, output and error, and a closer look."),
            ("spectrograms", "Spectrograms of input, target, output and error, in dB."),
        ):
            yield from _figure(folder / f"{row['files']}_{kind}.png", text)


def _pictures(folder: Path) -> Iterator[str]:
    blocks = {path.name: "A block of the model alone." for path in sorted(folder.glob("block_*.png"))}
    found = [part for name, text in {**PICTURES, **blocks}.items() for part in _figure(folder / name, text)]
    if found:
        yield '<h2>Pictures</h2><div class="pictures">'
        yield from found
        yield "</div>"


def _figure(path: Path, text: str) -> Iterator[str]:
    if path.is_file():
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        image = f'<img alt="{escape(text)}" src="data:image/png;base64,{data}">'
        yield f"<figure>{image}<figcaption>{escape(text)}</figcaption></figure>"


def _tables(folder: Path) -> Iterator[str]:
    for name, (heading, text, columns) in TABLES.items():
        rows = _rows(folder / name)
        if not rows:
            continue
        heads = {column.name: column for column in columns}
        yield f'<h2>{escape(heading)}</h2><p class="soft">{escape(text)}</p><div class="scroll"><table><tr>'
        yield "".join(_head(name, heads.get(name)) for name in rows[0])
        yield "</tr>"
        for row in rows:
            yield "<tr>" + "".join(_cell(text) for text in row.values()) + "</tr>"
        yield "</table></div>"


def _head(name: str, column: Column | None) -> str:
    """What people read above a column of a file."""
    kind = ' class="number"' if column is not None and column.is_number else ""
    return f"<th{kind}>{escape((column.heading if column is not None else None) or name)}</th>"


def _cell(text: str | None) -> str:
    try:
        return f'<td class="number">{float(text or ""):.4g}</td>'
    except ValueError:
        return f"<td>{escape(text or '')}</td>"


def _origin(run_dir: Path, summary: Summary) -> Iterator[str]:
    yield "<h2>How it was made</h2>"
    if summary.command:
        yield f"<pre>{escape(summary.command)}</pre>"
    recipe = run_dir / "config.yaml"
    if recipe.is_file():
        text = escape(recipe.read_text(encoding="utf-8"))
        yield f"<details><summary>The whole recipe</summary><pre>{text}</pre></details>"


def _packed(signal: np.ndarray, sample_rate: int) -> str:
    """FLAC of 16 bits in base64: half the size of WAV, and every browser decodes it."""
    buffer = io.BytesIO()
    soundfile.write(buffer, signal, sample_rate, format="FLAC", subtype="PCM_16")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _rows(path: Path) -> Sequence[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _part(name: str) -> str:
    return (files("tapezoo.report.run_page") / name).read_text(encoding="utf-8")
