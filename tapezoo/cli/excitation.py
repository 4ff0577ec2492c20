"""`tapezoo excitation OUT.wav`: the signal to play through a machine, with the sheet that says how."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EPILOG = """
Writes OUT.wav (24 bit, peaks at full scale), OUT.txt (how to cable, set levels and record), OUT.png (what is when),
OUT.json (the same for programs) and OUT-lineup.wav (the tone to set levels with). By time the file is 80 % training,
10 % validation, 10 % test, each with every kind of sound. `tapezoo prepare OUT.wav RECORDED.wav --out DATASET`
recognises it.
"""


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("excitation", help="write the signal to play through a machine", epilog=EPILOG)
    parser.add_argument("out", type=Path, metavar="OUT.wav", help="what to write")
    parser.add_argument("--minutes", type=int, default=5, help="its length, 1 to 60 (default: 5)")
    parser.add_argument(
        "--sample-rate", type=int, default=48_000, metavar="HZ", help="44100 to 192000 (default: 48000)"
    )
    parser.add_argument(
        "--music",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="music to mix in, of any format and rate; it becomes mono, keeps its dynamics and is played at "
        "several levels",
    )
    parser.add_argument(
        "--pilot",
        choices=("none", "pulses", "tone"),
        default="none",
        help="a second channel that tells the tape's speed at any time (default: none)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the made-up music and the noise, 0 to 65535 (default: 0)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
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
