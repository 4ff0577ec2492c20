"""`tapezoo generate SOURCE ... --out TAKE.csv | NOISE.wav`: what is random in a machine, learned and made anew."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EPILOG = """
--out TAKE.csv: another take of the machine's wow and flutter. SOURCE is the folder of a data set that `tapezoo prepare`
made, or a CSV file of a delay over time. `tapezoo render MODEL IN OUT --delay TAKE.csv` plays music along it.
--out NOISE.wav: more of its noise, hiss and hum. SOURCE is the folder of a data set, of which the pauses count, or a
sound file of the machine playing nothing. `tapezoo render MODEL IN OUT --noise NOISE.wav` adds it.
Both have the spectrum and the lines of what was recorded, and phases of their own: another --seed, another take; where
one ends, it can begin anew without a seam. A picture beside it and a table show how alike they are (docs/tape.md).
"""
LONGEST_S = 3600.0
OWN_S = 120.0  # of what is made to be compared, at least


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "generate",
        help="make another take of a machine's wow and flutter, or more of its noise",
        description="Learns what is random in a machine from recordings, and makes more of it, of any length.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source", nargs="+", type=Path, metavar="SOURCE", help="data sets or files, see below"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="TAKE.csv or NOISE.wav")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="length (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="another one, another take (default: 0)")
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
    return _generate_take(options) if _suffix(options) == ".csv" else _generate_noise(options)


def _generate_take(options: argparse.Namespace) -> int:
    import numpy as np

    from tapezoo.data.align.trajectory_csv import write_delays
    from tapezoo.report.figures import write_png
    from tapezoo.report.takes import distance_table, draw_take
    from tapezoo.tape.distances import compare_takes
    from tapezoo.tape.sources import read_stretches
    from tapezoo.tape.spectral import learn_spectrum, make_take
    from tapezoo.tape.stretches import POINTS_PER_S, check_stretches

    stretches = read_stretches(options.source, options.sample_rate)
    check_stretches(stretches, ", ".join(map(str, options.source)))
    transport = learn_spectrum(stretches)
    take = make_take(transport, options.seconds, options.seed, options.wow, options.flutter)
    recorded = [stretch.delay_s for stretch in stretches]
    seconds = sum(map(len, recorded)) / POINTS_PER_S
    # a take of its own: as long as what was recorded, whatever was asked for
    distance = compare_takes(recorded, make_take(transport, max(seconds, OWN_S), options.seed + 1))
    write_delays(options.out, np.arange(len(take)) / POINTS_PER_S, take)
    longest = max(recorded, key=len)
    picture = write_png(draw_take(longest, take, distance, options.out.name), options.out.with_suffix(".png"))
    lines = ", ".join(
        f"{line.frequency_hz:.2f} Hz (+-{100 * line.amplitude:.2g} %)" for line in transport.lines
    )
    learned = f"from {seconds:.0f} s in {len(stretches)} stretch{'es' * (len(stretches) != 1)}"
    learned += f"; steady lines: {lines or 'none'}"
    _say(options, learned, distance_table(distance), picture, "--delay")
    return 0


def _generate_noise(options: argparse.Namespace) -> int:
    import numpy as np

    from tapezoo.render.soundfiles import write_float_wav
    from tapezoo.report.figures import write_png
    from tapezoo.report.noise import draw_noise, noise_table
    from tapezoo.tape.noise import learn_noise, make_noise
    from tapezoo.tape.noise_distances import compare_noise
    from tapezoo.tape.rests import read_rests

    rests, rate = read_rests(options.source)
    noise = learn_noise(rests, rate)
    made = make_noise(noise, options.seconds, options.seed)
    seconds = sum(map(len, rests)) / rate
    distance = compare_noise(rests, make_noise(noise, seconds + 1, options.seed + 1), rate)
    write_float_wav(options.out, made, rate)
    picture = write_png(draw_noise(distance, options.out.name), options.out.with_suffix(".png"))
    hum = ", ".join(
        f"{line.frequency_hz:.1f} Hz ({20 * np.log10(line.amplitude / np.sqrt(2)):.0f} dB)"
        for line in noise.hum
    )
    learned = (
        f"from {seconds:.1f} s in {len(rests)} part{'s' * (len(rests) != 1)}, {rate} Hz; hum: {hum or 'none'}"
    )
    _say(options, learned, noise_table(distance), picture, "--noise")
    return 0


def _say(options: argparse.Namespace, learned: str, table: Any, picture: Path, option: str) -> None:
    from tapezoo.report.tables import screen_table
    from tapezoo.screen import Screen
    from tapezoo.terminal import shell

    console = Screen()
    console.say(f"learned      {learned}")
    console.print(screen_table(table))
    console.say(
        f"written to   {options.out}, {options.seconds:g} s; {picture}",
        f"hear it      {shell('tapezoo', 'render', 'tape', 'IN.wav', 'OUT.wav', option, options.out)}",
    )


def _suffix(options: argparse.Namespace) -> str:
    return str(options.out.suffix).lower()


def _check(options: argparse.Namespace) -> None:
    from tapezoo.errors import ArgumentsError

    for name, value, low, high in (
        ("--seconds", options.seconds, 1.0, LONGEST_S),
        ("--wow", options.wow, 0.0, 10.0),
        ("--flutter", options.flutter, 0.0, 10.0),
        ("--seed", options.seed, 0, 2**63),
        ("--sample-rate", 44100 if options.sample_rate is None else options.sample_rate, 8000, 384_000),
    ):
        if not low <= value <= high:
            raise ArgumentsError(
                "tapezoo generate", f"{name} {value:g}, which lies outside {low:g} to {high:g}"
            )
    if _suffix(options) not in (".csv", ".wav"):
        raise ArgumentsError(
            "tapezoo generate", f"--out {options.out}, which ends neither in .csv nor in .wav"
        )
    of_takes = (options.wow, options.flutter, options.sample_rate)
    if _suffix(options) == ".wav" and of_takes != (1.0, 1.0, None):
        raise ArgumentsError("tapezoo generate", "--wow, --flutter or --sample-rate with --out NOISE.wav")
    _check_place(options)


def _check_place(options: argparse.Namespace) -> None:
    from tapezoo.errors import UnwritableOutputError
    from tapezoo.render.soundfiles import check_target

    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableOutputError(options.out, error) from error
    for path in (options.out, options.out.with_suffix(".png")):
        for source in options.source:
            check_target(source, path, options.overwrite)
