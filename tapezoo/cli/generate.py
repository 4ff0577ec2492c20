"""`tapezoo generate SOURCE ... --out TAKE.csv | NOISE.wav`: what is random in a machine, learned and made anew."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EPILOG = """
--out TAKE.csv: another take of the machine's wow and flutter. SOURCE is the folder of a data set that `tapezoo
prepare` made, or a CSV file of a delay over time. `tapezoo render MODEL IN OUT --delay TAKE.csv` plays along it.
--out NOISE.wav: more of its noise, hiss and hum. SOURCE is the folder of a data set, of which the pauses count, or a
sound file of the machine playing nothing. `tapezoo render MODEL IN OUT --noise NOISE.wav` adds it.
Both have the spectrum and the lines of what was recorded, and phases of their own: another --seed, another take;
where one ends, it can begin anew without a seam.
--modulation-noise --out NOISE.wav: how the unevenness of a tape makes its gain waver. SOURCE is a sound file of a
steady tone that the machine plays, such as 1 or 3.15 kHz, half a minute. `tapezoo assemble` and `tapezoo render` play
it (--modulation-noise NOISE.wav).
A picture beside it and a table show how alike they are.
With the best.ckpt of a generator that `tapezoo fit` has trained as SOURCE, that makes it; --against compares it with
recordings (docs/tape.md).
"""
LONGEST_S = 3600.0
MOST_TRAINED_SEED = (1 << 31) - 1
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
    parser.add_argument(
        "--modulation-noise",
        action="store_true",
        help="learn from a recorded tone how its level wavers, and make more of that",
    )
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
    parser.add_argument(
        "--against",
        nargs="+",
        type=Path,
        default=[],
        metavar="SOURCE",
        help="recordings to compare with, where SOURCE is a checkpoint",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Learns or loads, makes, compares, and says what was written."""
    _check(options)
    if options.modulation_noise:
        return _generate_modulation(options)
    return _generate_take(options) if _suffix(options) == ".csv" else _generate_noise(options)


def _generate_take(options: argparse.Namespace) -> int:
    import numpy as np

    from tapezoo.cli.generate_sources import learned_take, trained
    from tapezoo.data.align.trajectory_csv import write_delays
    from tapezoo.report.figures import write_png
    from tapezoo.report.takes import draw_take, take_table
    from tapezoo.tape.bands import split_bands
    from tapezoo.tape.distances import compare_takes
    from tapezoo.tape.stretches import POINTS_PER_S

    source = trained(options, "speed") if _is_trained(options) else learned_take(options)
    wow, flutter = split_bands(source.make(options.seconds, options.seed), POINTS_PER_S)
    take = options.wow * wow + options.flutter * flutter
    table = written = None
    if source.recorded:
        seconds = sum(map(len, source.recorded)) / POINTS_PER_S
        # a take of its own: as long as what was recorded, whatever was asked for
        distance = compare_takes(source.recorded, source.make(max(seconds, OWN_S), options.seed + 1))
        table = take_table({"made": distance})
        longest = max(source.recorded, key=len)
        drawn = draw_take(longest, take, distance, options.out.name)
    write_delays(options.out, np.arange(len(take)) / POINTS_PER_S, take)
    if table is not None:
        written = write_png(drawn, options.out.with_suffix(".png"))
    _say(options, source.learned, table, written, "--delay")
    return 0


def _generate_noise(options: argparse.Namespace) -> int:
    from tapezoo.cli.generate_sources import learned_noise, trained
    from tapezoo.render.soundfiles import write_float_wav
    from tapezoo.report.figures import write_png
    from tapezoo.report.noise import draw_noise, noise_table
    from tapezoo.tape.noise_distances import compare_noise

    source = trained(options, "noise") if _is_trained(options) else learned_noise(options)
    table = written = None
    if source.recorded:
        seconds = sum(map(len, source.recorded)) / source.rate_hz
        distance = compare_noise(source.recorded, source.make(seconds + 1, options.seed + 1), source.rate_hz)
        table = noise_table({"made": distance})
        drawn = draw_noise(distance, options.out.name)
    write_float_wav(options.out, source.make(options.seconds, options.seed), source.rate_hz)
    if table is not None:
        written = write_png(drawn, options.out.with_suffix(".png"))
    _say(options, source.learned, table, written, "--noise")
    return 0


def _generate_modulation(options: argparse.Namespace) -> int:
    from tapezoo.cli.generate_sources import learned_modulation
    from tapezoo.render.soundfiles import write_float_wav
    from tapezoo.report.figures import write_png
    from tapezoo.report.noise import draw_noise, noise_table
    from tapezoo.tape.noise_distances import MODULATION, compare_noise
    from tapezoo.tape.steady_tones import POINTS_PER_S

    source = learned_modulation(options)
    seconds = sum(map(len, source.recorded)) / POINTS_PER_S
    heard = source.heard(seconds + 1, options.seed + 1)
    distance = compare_noise(source.recorded, heard, POINTS_PER_S, MODULATION)
    write_float_wav(options.out, source.make(options.seconds, options.seed), source.rate_hz)
    title = f"{options.out.name}, with the hiss beside the tone"
    written = write_png(draw_noise(distance, title), options.out.with_suffix(".png"))
    _say(options, source.learned, noise_table({"made": distance}), written, "--modulation-noise")
    return 0


def _is_trained(options: argparse.Namespace) -> bool:
    return any(source.suffix == ".ckpt" for source in options.source)


def _say(options: argparse.Namespace, learned: str, table: Any, picture: Path | None, option: str) -> None:
    from tapezoo.report.tables import screen_table
    from tapezoo.screen import Screen
    from tapezoo.terminal import shell

    console = Screen()
    console.say(f"learned      {learned}")
    if table is not None:
        console.print(screen_table(table))
    console.say(
        f"written to   {options.out}, {options.seconds:g} s{f'; {picture}' if picture else ''}",
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
    if options.modulation_noise and (_suffix(options) == ".csv" or _is_trained(options)):
        what = "a checkpoint" if _is_trained(options) else f"--out {options.out}"
        raise ArgumentsError(
            "tapezoo generate", f"--modulation-noise with {what}: it makes NOISE.wav of a tone"
        )
    if _is_trained(options):
        if len(options.source) > 1:
            raise ArgumentsError(
                "tapezoo generate", "a checkpoint beside another source; --against SOURCE compares them"
            )
        if options.seed >= MOST_TRAINED_SEED:
            raise ArgumentsError(
                "tapezoo generate", f"--seed {options.seed} of a checkpoint, above {MOST_TRAINED_SEED - 1}"
            )
    elif options.against:
        raise ArgumentsError("tapezoo generate", "--against without a checkpoint; it is compared with SOURCE")
    _check_place(options)


def _check_place(options: argparse.Namespace) -> None:
    from tapezoo.errors import UnwritableOutputError
    from tapezoo.render.soundfiles import check_target

    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableOutputError(options.out, error) from error
    for path in (options.out, options.out.with_suffix(".png")):
        for source in (*options.source, *options.against):
            check_target(source, path, options.overwrite)
