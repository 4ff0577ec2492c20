"""The page that goes with an excitation: how to play it through a machine and record what comes out."""

from __future__ import annotations

from pathlib import Path

from tapezoo.recordings.excitation.layout import Kind, Layout
from tapezoo.recordings.excitation.marks import LEVEL_DB
from tapezoo.staging import replaced_file
from tapezoo.terminal import plain, shell

LINEUP_HZ, LINEUP_LEVEL_DB = 1000.0, -12.0
_NAMES: dict[Kind, str] = {
    "silence": "silence, for hiss and hum",
    "sweep": "sweeps, 20 Hz to 20 kHz",
    "tone": "tones at 100 Hz, 1, 3.15 and 6.3 kHz",
    "multitone": "many tones at once",
    "noise": "pink and white noise",
    "programme": "synthetic music, percussion, speech",
    "music": "your own music",
}


def write_sheet(path: Path, name: str, lineup_name: str, layout: Layout) -> None:
    """Writes `sheet_text` as UTF-8.

    Raises:
        UnwritableOutputError: The file cannot be written.
    """
    with replaced_file(path) as part:
        part.write_text(sheet_text(name, lineup_name, layout), encoding="utf-8")


def sheet_text(name: str, lineup_name: str, layout: Layout) -> str:
    """One page for the studio.

    Args:
        name: Of the excitation's file.
        lineup_name: Of the line-up tone's file.
        layout: What the excitation holds.
    """
    has_pilot = layout.design.pilot != "none"
    rate = layout.sample_rate
    sections = [
        f"RECORDING SHEET for {plain(name)}\n"
        f"{layout.design}; {rate} Hz, 24 bit, {'stereo' if has_pilot else 'mono'}\n\n" + _contents(layout),
        _section("1. Set the session", _session(name, rate, has_pilot)),
        _section("2. Connect the machine", _cabling(name, has_pilot)),
        _section("3. Set the levels", _levels(lineup_name)),
        _section("4. Record", _recording(rate)),
        f"5. Afterwards\n   {shell('tapezoo', 'prepare', name)} recorded.wav --out DATASET --check   reports on "
        f"the recording\n   {shell('tapezoo', 'prepare', name)} recorded.wav --out DATASET           writes the "
        "data set",
    ]
    return "\n\n".join(sections) + "\n"


def _contents(layout: Layout) -> str:
    rows = []
    for kind, text in _NAMES.items():
        segments = layout.of_kind(kind)
        if not segments:
            continue
        seconds = sum(one.stop - one.start for one in segments) / layout.sample_rate
        levels = [one.level_db for one in segments if one.level_db is not None]
        range_db = " to ".join(f"{level:g}" for level in sorted({min(levels), max(levels)})) if levels else ""
        peaks = f"peaks {range_db} dBFS" if levels else ""
        rows.append(f"   {text:36}{seconds:7.1f} s   {peaks}".rstrip())
    ends = (layout.start_mark / layout.sample_rate, layout.end_mark / layout.sample_rate)
    rows.append(
        f"   chirps at both ends, by which prepare finds the signal, at {ends[0]:.1f} and {ends[1]:.1f} s "
        f"({LEVEL_DB:g} dBFS)"
    )
    return "\n".join(rows)


def _section(title: str, points: list[str]) -> str:
    return "\n".join([title, *(f"   - {point}".replace("\n", "\n     ") for point in points)])


def _session(name: str, rate: int, has_pilot: bool) -> list[str]:
    return [
        f"A session at {rate} Hz; {plain(name)} on a track, unchanged: fader at 0 dB, no plugin,\n"
        "no fades, no warping or stretching, no dithering, no sample-rate conversion.",
        f"Record {'both channels' if has_pilot else 'one channel'} at 24 bit or float.",
        "Play and record with the same interface, so that both share one clock.",
    ]


def _cabling(name: str, has_pilot: bool) -> list[str]:
    points = []
    if has_pilot:
        points.append(
            "Channel 1 is the test signal, channel 2 the pilot, which shows the speed of the tape.\n"
            "Send both through the machine on two tracks, and record them as one stereo file."
        )
    points += [
        "Tape machine with three heads: out -> line in, line out -> in, monitor switch on TAPE\n"
        "(repro head; never SYNC or SOURCE), so that you record what comes off the tape.",
        "Tape machine with two heads: record the whole file onto tape, rewind, play it back and\n"
        "record that. A small change of speed is measured, a large one is refused.",
        "Pedal: reamp box before it, instrument input (DI) after it. Preamp: line out through a pad\n"
        "or reamp box. Compressor: as an insert; make-up gain as you use it.",
        f"If an input is free, record a loopback: split the output, send the second branch straight\n"
        "to that input in the same take, and give its file to prepare as DRY. The converters\n"
        f"are then in both files and cancel out. Without a loopback, DRY is {plain(name)}.",
        "No direct monitoring into the recording: record only the machine's output.",
    ]
    return points


def _levels(lineup_name: str) -> list[str]:
    return [
        f"Loop {plain(lineup_name)}: {LINEUP_HZ:g} Hz, a sine that peaks at {LINEUP_LEVEL_DB:g} dBFS.\n"
        "Full scale (0 dBFS) is the largest value a file can hold; the excitation reaches it.",
        "Tape: set the record level so that the tone reads 0 VU. Loudest peaks then drive the tape\n"
        f"{-LINEUP_LEVEL_DB:g} dB over 0 VU, into saturation. For a cleaner model set -6 VU. Write down which.",
        "Other devices: set the level so that full scale is the loudest signal you will ever play.",
        "Input gain: play the loudest minute and keep the highest peak 3 to 12 dB below clipping.\n"
        "The model would learn clipping of the converter as part of the machine.",
        "Then change nothing until the take is over. Each setting of the machine is a take of its own.",
    ]


def _recording(rate: int) -> list[str]:
    return [
        "Warm up for half an hour; clean heads; bias and equalisation set for this tape.",
        "Noise reduction, limiters and automatic levels off, unless they are what you want to learn.",
        "Start recording first, then play. Stop some seconds after the end; extra time does no harm.",
        "One take, from the first mark to the last: no punch-in, no edit, no crossfade.",
        f"Export it unchanged: {rate} Hz, 24 bit or float, WAV or FLAC. No normalising, no gain, no DC\n"
        "filter, no trimming needed.",
    ]
