"""`tapezoo excitation OUT.wav`: the signal to play through a machine, with the sheet that says how."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EPILOG = """
Writes OUT.wav (24 bit, peaks at full scale), OUT.txt (how to connect, set levels and record), OUT.png (a picture of the
segments), OUT.json (the segments for programs) and OUT-lineup.wav (a tone for setting levels). 80 % of the time is for
training, 10 % for validation and 10 % for test; each part has every kind of sound.
`tapezoo prepare OUT.wav RECORDED.wav --out DATASET` recognises the signal in a recording.
"""


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "excitation", help="write the test signal to play through a machine", epilog=EPILOG
    )
    parser.add_argument("out", type=Path, metavar="OUT.wav", help="file to write")
    parser.add_argument("--minutes", type=int, default=5, help="length of the signal, 1 to 60 (default: 5)")
    parser.add_argument(
        "--sample-rate",
        type=int,
        default=48_000,
        metavar="HZ",
        help="sample rate of the signal, 44100 to 192000 (default: 48000)",
    )
    parser.add_argument(
        "--music",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="music to include, of any format and sample rate; it is mixed to mono, keeps its dynamics and is "
        "played at several levels",
    )
    parser.add_argument(
        "--pilot",
        choices=("none", "pulses", "tone"),
        default="none",
        help="pilot signal in a second channel, from which the tape's speed is measured at any time (default: none)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="seed of the synthetic music and the noise, 0 to 65535 (default: 0)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Writes, with a progress bar, and says what was written."""
    from tapezoo.recordings.excitation.design import Design
    from tapezoo.recordings.excitation.write import Files, write_excitation
    from tapezoo.report.excitation import write_excitation_picture
    from tapezoo.screen import Screen, bar
    from tapezoo.terminal import shell

    design = Design(options.minutes, options.seed, bool(options.music), options.pilot)
    files = Files.of(options.out)
    console = Screen()
    with bar(console) as progress:
        task = progress.add_task("writing", total=None)
        layout = write_excitation(
            options.out,
            design,
            options.sample_rate,
            options.music,
            overwrite=options.overwrite,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    write_excitation_picture(files.picture, options.out.name, layout)
    console.say(
        f"{files.excitation}: {design}, {layout.sample_rate} Hz, 24 bit",
        f"{files.sheet}: how to record it; {files.picture}: what is when; {files.lineup}: to set levels with",
        f"afterwards: {shell('tapezoo', 'prepare', options.out)} RECORDED.wav --out DATASET",
    )
    return 0
