"""Writes an excitation and its companion files: all faults are reported before any work, in constant memory."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapezoo import __version__
from tapezoo.data.errors import DataError
from tapezoo.data.streams import release
from tapezoo.errors import FULL, OutputExistsError, TapezooError, UnwritableOutputError
from tapezoo.recordings.excitation import pilot, signals
from tapezoo.recordings.excitation.design import MINUTES, PILOTS, SEEDS, VERSION, Design
from tapezoo.recordings.excitation.layout import Layout, Segment
from tapezoo.recordings.excitation.marks import end_mark, start_mark
from tapezoo.recordings.excitation.music import (
    Excerpt,
    check_piece,
    choose_excerpts,
    decode_piece,
    play_excerpt,
)
from tapezoo.recordings.excitation.plan import LEAD_S, end_mark_start, plan
from tapezoo.recordings.excitation.sheet import LINEUP_HZ, LINEUP_LEVEL_DB, write_sheet
from tapezoo.render.soundfiles import Layout as FileLayout
from tapezoo.render.soundfiles import open_writer, output_layout, write_block
from tapezoo.staging import replaced_file

Real = NDArray[np.float64]

RATES_HZ = (44_100, 192_000)
LINEUP_S = 30.0
SUBTYPE, SAMPLE_BYTES = "PCM_24", 3
SPARE_BYTES = 16 << 20  # for the small files, and for other programs that write to the disk


@dataclass(frozen=True)
class Files:
    """Everything that belongs to an excitation."""

    excitation: Path
    layout: Path
    sheet: Path
    picture: Path
    lineup: Path

    @classmethod
    def of(cls, out: Path) -> Files:
        """Their names, made from the excitation's."""
        return cls(
            out,
            out.with_suffix(".json"),
            out.with_suffix(".txt"),
            out.with_suffix(".png"),
            out.with_name(f"{out.stem}-lineup.wav"),
        )


def write_excitation(
    out: Path,
    design: Design,
    sample_rate: int,
    music: Sequence[Path] = (),
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Layout:
    """Writes all but the picture: the excitation as 24 bit WAV, its layout, the sheet and the line-up tone.

    Args:
        out: The excitation; the others are called after it.
        design: What to make; `has_music` says whether there is `music`.
        sample_rate: 44.1 to 192 kHz.
        music: Sound files to mix in.
        overwrite: Replace what is there.
        progress: Called with samples done and samples in all.

    Raises:
        TapezooError: Nothing was written; where there are several reasons, all of them.
    """
    check_wishes(out, design, sample_rate, music, overwrite)
    layout = plan(design, sample_rate)
    files = Files.of(out)
    with tempfile.TemporaryDirectory(prefix="tapezoo-") as scratch:
        pieces = [
            decode_piece(path, sample_rate, Path(scratch) / f"{number}.f32")
            for number, path in enumerate(music)
        ]
        chosen = choose_excerpts(pieces, layout) if pieces else {}
        with replaced_file(files.excitation) as part:
            _write_sound(part, layout, chosen, progress)
    _write_lineup(files.lineup, layout)
    _write_layout(files.layout, layout, music)
    write_sheet(files.sheet, files.excitation.name, files.lineup.name, layout)
    return layout


def check_wishes(out: Path, design: Design, sample_rate: int, music: Sequence[Path], overwrite: bool) -> None:
    """Reports everything that prevents writing an excitation.

    Raises:
        TapezooError: One reason as itself, several as one DataError that lists them.
    """
    music_s, faults_of_music = _look_at(music)
    faults = [
        *_faults_of_numbers(design, sample_rate),
        *faults_of_music,
        *_faults_of_place(out, overwrite),
    ]
    if not faults:
        faults += _faults_of_room(out, design, sample_rate, music_s)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise DataError(
            str(out),
            found=f"{len(faults)} faults: " + " ".join(f"({n}) {one}" for n, one in enumerate(faults, 1)),
            expected="none",
            fix="Correct all of them; nothing was written.",
        )


def _faults_of_numbers(design: Design, sample_rate: int) -> list[TapezooError]:
    found: list[TapezooError] = []
    if design.minutes not in MINUTES:
        fix = "A shorter one is too short for every kind of sound in training, validation and test."
        found.append(_out_of_range("--minutes", design.minutes, f"{MINUTES[0]} to {MINUTES[-1]}", fix))
    if design.seed not in SEEDS:
        found.append(_out_of_range("--seed", design.seed, f"{SEEDS[0]} to {SEEDS[-1]}", "Change it."))
    if design.pilot not in PILOTS:
        found.append(_out_of_range("--pilot", design.pilot, ", ".join(PILOTS), "Change it."))
    if not RATES_HZ[0] <= sample_rate <= RATES_HZ[1]:
        fix = "Use the sample rate of your converters."
        found.append(_out_of_range("--sample-rate", sample_rate, f"{RATES_HZ[0]} to {RATES_HZ[1]} Hz", fix))
    return found


def _look_at(music: Sequence[Path]) -> tuple[float, list[TapezooError]]:
    """Seconds of music, and what is wrong with it."""
    found: list[TapezooError] = []
    seconds = 0.0
    for path in music:
        try:
            seconds += check_piece(path)
        except TapezooError as fault:
            found.append(fault)
    return seconds, found


def _faults_of_place(out: Path, overwrite: bool) -> list[TapezooError]:
    if out.suffix.lower() != ".wav":
        return [_out_of_range(str(out), out.suffix or "no suffix", ".wav", "Change the name.")]
    found: list[TapezooError] = []
    try:
        if not out.parent.is_dir():
            return [UnwritableOutputError(out, f"no folder {out.parent}")]
        for path in vars(Files.of(out)).values():
            if path.is_dir():
                found.append(UnwritableOutputError(path, "it is a folder"))
            elif path.exists() and not overwrite:
                found.append(OutputExistsError(path))
        # permission bits do not cover root, read-only file systems and /proc: only writing shows
        with tempfile.NamedTemporaryFile(prefix=".tapezoo-", dir=out.parent):
            pass
    except OSError as error:
        found.append(UnwritableOutputError(out, error))
    return found


def _faults_of_room(out: Path, design: Design, sample_rate: int, music_s: float) -> list[TapezooError]:
    channels = 1 if design.pilot == "none" else 2
    needs = {out.parent: 60 * design.minutes * sample_rate * channels * SAMPLE_BYTES + SPARE_BYTES}
    scratch = Path(tempfile.gettempdir())
    needs[scratch] = needs.get(scratch, 0) + round(music_s * sample_rate) * 4
    return [
        UnwritableOutputError(folder, OSError(FULL[0], f"{free >> 20} MiB free, {needed >> 20} MiB needed"))
        for folder, needed in needs.items()
        if (free := shutil.disk_usage(folder).free) < needed
    ]


def _out_of_range(subject: str, found: object, expected: str, fix: str) -> DataError:
    return DataError(subject, found=str(found), expected=expected, fix=fix)


def _write_sound(
    part: Path, layout: Layout, chosen: dict[int, Excerpt], progress: Callable[[int, int], None] | None
) -> None:
    rate, design = layout.sample_rate, layout.design
    sounds = [(round(LEAD_S * rate), start_mark(design, rate))]
    end = end_mark_start(design, rate)
    channels = 1 if design.pilot == "none" else 2
    wished = FileLayout(rate, channels, layout.samples, "WAV", SUBTYPE)
    with open_writer(part, output_layout(wished, part)) as writer:
        at = 0

        def write(start: int, sound: Real) -> None:
            nonlocal at
            for begin, block in ((at, np.zeros(start - at)), (start, sound)):
                stop = begin + len(block)
                columns = [block] if channels == 1 else [block, _pilot(layout, begin, stop)]
                write_block(writer, np.stack(columns, axis=1))
            at = start + len(sound)
            if progress is not None:
                progress(at, layout.samples)

        for start, sound in sounds:
            write(start, sound)
        for number, segment in enumerate(layout.segments):
            excerpt = chosen.get(segment.start) if segment.kind == "music" else None
            write(segment.start, sound_of(segment, number, layout, excerpt))
        write(end, end_mark(rate))
        write(layout.samples, np.zeros(0))


def sound_of(segment: Segment, number: int, layout: Layout, excerpt: Excerpt | None = None) -> Real:
    """What a segment plays.

    Args:
        segment: Which.
        number: Its number among the layout's.
        layout: Its layout, as planned.
        excerpt: What of the user's music it plays, where it is a segment of it.

    Shape:
        returns: (segment.stop - segment.start,).
    """
    samples, rate, seed = segment.stop - segment.start, layout.sample_rate, layout.design.seed
    level_db = 0.0 if segment.level_db is None else segment.level_db
    match segment.kind:
        case "silence":
            return np.zeros(samples)
        case "sweep":
            low_hz, high_hz = segment.frequencies_hz
            return signals.sweep(samples, rate, low_hz, high_hz, level_db)
        case "tone" | "multitone":
            return signals.tones(samples, rate, segment.frequencies_hz, level_db)
        case "noise":
            return signals.noise(
                samples, rate, segment.colour, level_db, np.random.default_rng([seed, number])
            )
        case "programme":
            return signals.made_up(samples, rate, level_db, seed << 16 | number)
        case "music":
            if excerpt is None:
                raise ValueError("a segment of music without music")
            sound = play_excerpt(excerpt, segment.split, samples, rate, level_db)
            release(excerpt.piece.audio)
            return sound


def _pilot(layout: Layout, start: int, stop: int) -> Real:
    make = pilot.pulses if layout.design.pilot == "pulses" else pilot.tone
    first = round(LEAD_S * layout.sample_rate)
    return make(start, stop, first, layout.samples - first, layout.sample_rate)


def _write_lineup(path: Path, layout: Layout) -> None:
    rate = layout.sample_rate
    tone = signals.tones(round(LINEUP_S * rate), rate, (LINEUP_HZ,), LINEUP_LEVEL_DB)
    channels = 1 if layout.design.pilot == "none" else 2
    with replaced_file(path) as part:
        wished = FileLayout(rate, channels, len(tone), "WAV", SUBTYPE)
        with open_writer(part, output_layout(wished, part)) as writer:
            write_block(writer, np.stack([tone] * channels, axis=1))


def _write_layout(path: Path, layout: Layout, music: Sequence[Path]) -> None:
    """For people and other programs; tapezoo itself recognises the sound."""
    content = {
        "format": "tapezoo excitation",
        "version": VERSION,
        "tapezoo": __version__,
        **asdict(layout.design),
        "music": [one.name for one in music],
        "sample_rate_hz": layout.sample_rate,
        "samples": layout.samples,
        "full_scale": "levels are peaks in dB of full scale: 0 is the largest value of the file",
        "start_mark_sample": layout.start_mark,
        "end_mark_sample": layout.end_mark,
        "splits": {split: {"start_sample": a, "stop_sample": b} for split, (a, b) in layout.regions.items()},
        "segments": [_described(one) for one in layout.segments],
    }
    with replaced_file(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _described(segment: Segment) -> dict[str, object]:
    values = asdict(segment)
    return {"start_sample": values.pop("start"), "stop_sample": values.pop("stop"), **values}
