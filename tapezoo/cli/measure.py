"""`tapezoo measure SOURCE [--against OTHER]`: what a machine does to test signals, or a model to a recording."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapezoo.cli.measure_sources import DEFAULT_RATE_HZ, check_known, is_device, open_all
from tapezoo.errors import ArgumentsError
from tapezoo.run_files import MEASUREMENT
from tapezoo.terminal import say, shell

if TYPE_CHECKING:
    from tapezoo.measure.machine.figures import Figure

EPILOG = """
SOURCE is a machine that can be played: a checkpoint, the folder of a run or of a bundle, the name of a shipped bundle,
or device:NAME for a virtual machine, with its options as in device:tape,speed_ips=7.5,hiss_db=-60; or a recording:
DRY.wav WET.wav. A machine plays about a minute of test signals. With --against, two machines are shown side by side, or
a machine plays the dry of a recording and is compared with its wet. docs/measure.md says how each figure is defined.
"""


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "measure",
        help="measure a model, a virtual machine or a recording, alone or against another",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", nargs="+", metavar="SOURCE", help="one machine, or DRY.wav WET.wav")
    parser.add_argument("--against", metavar="OTHER", help="another machine")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of a control in its own unit, of every machine that has it; may be repeated",
    )
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="NAME",
        help="of a recording: also a metric that takes long, such as visqol; may be repeated",
    )
    parser.add_argument(
        "--sample-rate",
        type=int,
        metavar="HZ",
        help=f"of a virtual machine (default: that of the other machine, else {DEFAULT_RATE_HZ})",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of what is random in a virtual machine (default: 0)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="write a page to look at and listen to, figures (CSV, JSON), pictures and sounds to this new folder",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing folder of measurements")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Measures, prints a table, and writes the folder that was asked for."""
    from tapezoo.controls import parse_settings
    from tapezoo.staging import staged_folder

    sources: list[str] = options.source
    if len(sources) > 2:
        raise ArgumentsError(
            "tapezoo measure", f"{len(sources)} sources; give one machine, or DRY.wav and WET.wav"
        )
    settings = parse_settings(options.set)
    _check_numbers(options)
    names = [*(sources if len(sources) == 1 else []), *([options.against] if options.against else [])]
    for name in names:
        check_known(name)
    _check_metrics(options.metric, len(sources) == 2 and options.against is not None)
    if options.sample_rate is not None and (len(sources) == 2 or not any(map(is_device, names))):
        raise ArgumentsError(
            "tapezoo measure",
            "--sample-rate without a virtual machine; recordings, checkpoints and bundles have a rate",
        )
    if settings and not names:
        raise ArgumentsError("tapezoo measure", "--set without a machine; a recording has no controls")
    measure = _measure_pair if len(sources) == 2 else _measure_machines
    if options.out is None:
        measure(options, names, settings, None)
        return 0
    with staged_folder(options.out, options.overwrite, _is_ours, "folder of measurements") as folder:
        measure(options, names, settings, folder)
    say(f"written to {options.out}")
    return 0


def _measure_machines(
    options: argparse.Namespace, names: Sequence[str], settings: dict[str, float], folder: Path | None
) -> None:
    opened = open_all(names, settings, options.sample_rate, options.seed)

    from tapezoo.measure.machine.measured import deviations_of, figures_of, measure_machine
    from tapezoo.report.measured import figures_table, pictures
    from tapezoo.report.tables import screen_table
    from tapezoo.screen import Screen

    console, measured = Screen(), []
    with console.status("measuring") as status:
        for machine in opened:

            def told(step: str, name: str = machine.name) -> None:
                status.update(f"{name}: {step}")

            measured.append(measure_machine(machine, told))
    shown, figures = [machine.name for machine in opened], [figures_of(one) for one in measured]
    console.print(screen_table(figures_table(shown, figures)))
    apart = deviations_of(measured[0], measured[1]) if len(measured) == 2 else []
    if apart:
        console.print(screen_table(figures_table([f"{shown[0]} against {shown[1]}"], [apart])))
    if folder is not None:
        from tapezoo.measure.audible import program_through
        from tapezoo.report.measurement import Measurement, write_measurement

        with console.status("playing program material"):
            audible = [program_through(opened)]
        curves = [one.as_json() for one in measured]
        command, drawn = _command(options), pictures(measured)
        found = Measurement(command, False, shown, figures, curves, audible, drawn, apart)
        write_measurement(found, folder)


def _measure_pair(
    options: argparse.Namespace, names: Sequence[str], settings: dict[str, float], folder: Path | None
) -> None:
    from tapezoo.measure.pair_scores import check_rates, recording_rate

    dry, wet = (Path(name) for name in options.source)
    rate = recording_rate(dry, wet)
    machines = open_all(names, settings, rate, options.seed)
    for machine in machines:
        check_rates(wet.name, rate, machine.name, machine.sample_rate)

    from tapezoo.measure.captured import captured_figures, measure_captured, of_model, places_of
    from tapezoo.measure.pair_scores import SEEN, play_dry, read_recording, recording_figures, remarks
    from tapezoo.report.measured import captured_pictures, figures_table
    from tapezoo.report.tables import screen_table
    from tapezoo.screen import Screen

    console = Screen()
    with console.status("reading and aligning"):
        recording = read_recording(dry, wet)
        own = recording_figures(recording)
        places = places_of(recording)
    console.print(screen_table(figures_table([recording.name], [own])))
    said = remarks(recording)
    console.say(*said)
    captured = []
    if places is not None:
        with console.status("measuring the test signals of the excitation"):
            captured.append(
                measure_captured(recording.name, recording, recording.target.astype("f8"), places)
            )
    shown, figures, output = [recording.name], [own], None
    for machine in machines:
        from tapezoo.measure.recording_scores import scores

        with console.status(f"playing {machine.name}"):
            played = play_dry(recording, machine)
            taken = {
                one.key for one in (*own, *(more for part in captured for more in captured_figures(part)))
            }
            found, unscored = scores(recording, played, options.metric, taken)
            output = played.output
        console.print(screen_table(figures_table([machine.name], [found])))
        console.say(*unscored, SEEN)
        said += unscored
        shown, figures = [*shown, machine.name], [*figures, found]
        if places is not None:
            captured.append(of_model(measure_captured(machine.name, recording, output, places)))
    if captured:
        signals = [captured_figures(one) for one in captured]
        console.say(f"{dry.name} is an excitation of tapezoo. Its test signals:")
        console.print(screen_table(figures_table(shown, signals)))
        figures = [_merged(one, more) for one, more in zip(figures, signals, strict=True)]
    if folder is not None:
        from tapezoo.measure.audible import passages
        from tapezoo.report.measurement import Measurement, write_measurement

        audible, curves = passages(recording, output), [one.as_json() for one in captured]
        drawn = captured_pictures(captured) if captured else {}
        command = _command(options)
        found_all = Measurement(command, True, shown, figures, curves, audible, drawn, (), said)
        write_measurement(found_all, folder)


def _merged(figures: Sequence[Figure], more: Sequence[Figure]) -> list[Figure]:
    """Both; where a figure is in both, that of the test signals, if there is one: a tone tells the speed better."""
    better = {one.key for one in more if one.value == one.value}
    kept = [one for one in figures if one.key not in better]
    known = {one.key for one in kept}
    return [*kept, *(one for one in more if one.key not in known)]


def _check_numbers(options: argparse.Namespace) -> None:
    if options.sample_rate is not None and options.sample_rate < 1:
        raise ArgumentsError("tapezoo measure", f"--sample-rate {options.sample_rate}; 1 or more")
    if options.seed < 0:
        raise ArgumentsError("tapezoo measure", f"--seed {options.seed}; 0 or more")


def _check_metrics(names: Sequence[str], are_scored: bool) -> None:
    """Refuses metrics that are not there, or of which nothing would be computed."""
    if not names:
        return
    if not are_scored:
        raise ArgumentsError(
            "tapezoo measure", "--metric without a recording and a machine to compare it --against"
        )
    from tapezoo import registry

    for name in names:
        registry.check_installed("metrics", name)


def _is_ours(folder: Path) -> bool:
    return (folder / MEASUREMENT).is_file()


def _command(options: argparse.Namespace) -> str:
    """What would measure the same again."""
    parts = ["tapezoo", "measure", *options.source]
    parts += ["--against", options.against] if options.against else []
    for setting in options.set:
        parts += ["--set", setting]
    for metric in options.metric:
        parts += ["--metric", metric]
    parts += ["--sample-rate", options.sample_rate] if options.sample_rate else []
    parts += ["--seed", options.seed] if options.seed else []
    return shell(*parts, "--out", options.out)
