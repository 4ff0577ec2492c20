"""`tapezoo generate DELAY ... --out TAKE.csv`: wow and flutter learned from recordings, and another take of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EPILOG = """
DELAY is the folder of a data set that `tapezoo prepare` made of a machine with wow and flutter, or a CSV file of a
delay over time. The lines and the noise of the machine's speed are learned, and a take of any length is made of them:
another --seed, another take; where it ends, it can begin anew without a seam. `tapezoo render MODEL IN OUT --delay
TAKE.csv` plays music along it. TAKE.png shows what was recorded and what was made, the table how alike they are.
docs/tape.md says how.
"""
LONGEST_S = 3600.0


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "generate",
        help="make another take of a machine's wow and flutter",
        description="Learns wow and flutter from measured delays, and makes a take of any length.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "source", nargs="+", type=Path, metavar="DELAY", help="a data set, or a CSV file of a delay"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="TAKE.csv", help="file to write")
    parser.add_argument(
        "--seconds", type=float, default=60.0, metavar="S", help="length of the take (default: 60)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the take (default: 0)")
    parser.add_argument(
        "--wow", type=float, default=1.0, metavar="F", help="factor on all under 6 Hz (default: 1)"
    )
    parser.add_argument(
        "--flutter", type=float, default=1.0, metavar="F", help="factor on all above (default: 1)"
    )
    parser.add_argument(
        "--sample-rate",
        type=int,
        metavar="HZ",
        help="of the recordings, for CSV files whose delays are in samples of a rate that they do not state",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Learns, makes, compares, and says what was written."""
    _check(options)
    import numpy as np

    from tapezoo.data.align.trajectory_csv import write_delays
    from tapezoo.report.figures import write_png
    from tapezoo.report.tables import screen_table
    from tapezoo.report.transport import distance_table, draw_take
    from tapezoo.screen import Screen
    from tapezoo.terminal import shell
    from tapezoo.transport.distances import compare_takes
    from tapezoo.transport.sources import read_stretches
    from tapezoo.transport.spectral import learn_spectrum, make_take
    from tapezoo.transport.stretches import POINTS_PER_S, check_stretches

    stretches = read_stretches(options.source, options.sample_rate)
    check_stretches(stretches, ", ".join(map(str, options.source)))
    transport = learn_spectrum(stretches)
    take = make_take(transport, options.seconds, options.seed, options.wow, options.flutter)
    recorded = [stretch.delay_s for stretch in stretches]
    seconds = sum(map(len, recorded)) / POINTS_PER_S
    # a take of its own: as long as what was recorded, whatever was asked for
    distance = compare_takes(recorded, make_take(transport, max(seconds, 120.0), options.seed + 1))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_delays(options.out, np.arange(len(take)) / POINTS_PER_S, take)
    longest = max(recorded, key=len)
    picture = write_png(draw_take(longest, take, distance, options.out.name), options.out.with_suffix(".png"))
    console = Screen()
    lines = ", ".join(
        f"{line.frequency_hz:.2f} Hz (+-{100 * line.amplitude:.2g} %)" for line in transport.lines
    )
    console.say(
        f"learned      from {seconds:.0f} s in {len(stretches)} stretch{'es' * (len(stretches) != 1)}; "
        f"steady lines: {lines or 'none'}"
    )
    console.print(screen_table(distance_table(distance)))
    console.say(
        f"written to   {options.out}, {options.seconds:g} s; {picture}",
        f"hear it      {shell('tapezoo', 'render', 'tape', 'IN.wav', 'OUT.wav', '--delay', options.out)}",
    )
    return 0


def _check(options: argparse.Namespace) -> None:
    from tapezoo.errors import ArgumentsError, OutputExistsError

    for name, value, low, high in (
        ("--seconds", options.seconds, 1.0, LONGEST_S),
        ("--wow", options.wow, 0.0, 10.0),
        ("--flutter", options.flutter, 0.0, 10.0),
        ("--seed", options.seed, 0, 2**63),
        ("--sample-rate", options.sample_rate or 44100, 8000, 384_000),
    ):
        if not low <= value <= high:
            raise ArgumentsError(
                "tapezoo generate", f"{name} {value:g}, which lies outside {low:g} to {high:g}"
            )
    if options.out.suffix != ".csv":
        raise ArgumentsError("tapezoo generate", f"--out {options.out}, which does not end in .csv")
    for path in (options.out, options.out.with_suffix(".png")):
        if path.exists() and not options.overwrite:
            raise OutputExistsError(path)
