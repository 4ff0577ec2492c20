"""`tapezoo listen SOURCE... --out TEST`: a listening test of trained models."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapezoo.cli.listen_sources import (
    VERB,
    first_run,
    material_of_recording,
    material_of_run,
    named_sources,
    open_systems,
    resolve,
)
from tapezoo.errors import ArgumentsError
from tapezoo.listening.design import KINDS, PAGE, check_count, is_test

if TYPE_CHECKING:
    from tapezoo.listening.design import ListeningTest
    from tapezoo.listening.material import Material

SHORTEST_S, LONGEST_S = 1.0, 12.0  # BS.1534-3, 5.1: about 10 s, not over 12 s
MOST_EXCERPTS, MOST_REPEATS = 50, 50
EPILOG = """
SOURCE is the folder of a run, a checkpoint, a bundle or the name of a shipped bundle; NAME=SOURCE gives it a name for
the results. What is heard are passages of the test split of the first run among the sources, or of --dry and --wet.
Listeners need TEST/listen.html alone, which opens from disk; `tapezoo listen-results TEST *.csv` reads what they send
back. docs/listen.md says how a test is made and evaluated.
"""


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "listen",
        help="make a listening test (MUSHRA, ABX or DMOS) of runs and bundles",
        description="Writes a page to listen and rate with, the sounds as files, and a webMUSHRA configuration.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source", nargs="+", metavar="SOURCE", help="a model to judge, as SOURCE or NAME=SOURCE"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="TEST", help="new folder of the test")
    parser.add_argument(
        "--kind",
        choices=KINDS,
        default="mushra",
        help="mushra: rate all models side by side, 0 to 100 (ITU-R BS.1534-3); abx: is there an audible difference; "
        "dmos: rate the degradation, 1 to 5 (ITU-T P.800) (default: mushra)",
    )
    parser.add_argument(
        "--dry",
        type=Path,
        metavar="FILE",
        help="a recording's dry, with --wet; of stereo files each channel is heard by itself",
    )
    parser.add_argument("--wet", type=Path, metavar="FILE", help="its wet, the reference")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="where a control stood in --wet, in its own unit, for every model that has it; may be repeated",
    )
    parser.add_argument(
        "--excerpts",
        type=int,
        metavar="N",
        help="number of passages (default: 6, or as many as there is sound for)",
    )
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="length of each (default: 8, or what there is sound for)"
    )
    parser.add_argument(
        "--repeats", type=int, default=2, metavar="N", help="of each pair in an ABX test (default: 2)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="draws the passages and the ids of the sounds (default: 0)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a test that tapezoo listen wrote")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Makes the test and says what to do with it."""
    from tapezoo.controls import parse_settings
    from tapezoo.staging import check_free, staged_folder
    from tapezoo.terminal import shell

    _check_numbers(options)
    sources = named_sources(options.source)
    found = [resolve(path) for path in sources.values()]
    run_dir = None if options.wet is not None else first_run(found)
    settings = parse_settings(options.set)
    if settings and options.wet is None:
        raise ArgumentsError(VERB, "--set without --dry and --wet; the test split has its own settings")
    check_free(options.out, options.overwrite, is_test, "listening test")
    check_count(options.kind, len(found))

    from tapezoo.cli.lean import import_filters, import_lightning

    import_lightning()
    import_filters()
    import torch

    from tapezoo.listening.excerpts import passages_text, settled
    from tapezoo.listening.make import make_test, page_room
    from tapezoo.listening.systems import held_at
    from tapezoo.screen import Screen

    torch.set_num_threads(1)  # small nets in small blocks: a second thread only waits
    console = Screen()
    with console.status("opening") as status:
        systems = open_systems(sources, found)
        status.update("reading the recordings")
        if run_dir is not None:
            material = material_of_run(run_dir, systems[[path.parent for path, _ in found].index(run_dir)])
        else:
            systems = held_at(systems, settings)
            material = material_of_recording(options.dry, options.wet, systems, settings)
        count, seconds = settled(material, options.excerpts, options.seconds)
        if options.excerpts is None:
            status.update("measuring the page")
            count = min(count, page_room(material, systems, options.kind, seconds, options.seed))
        with staged_folder(options.out, options.overwrite, is_test, "listening test") as folder:
            test = make_test(
                folder,
                options.out.resolve().name,
                material,
                systems,
                options.kind,
                count,
                seconds,
                options.repeats,
                options.seed,
                status.update,
            )
    page = options.out / PAGE
    size = page.stat().st_size / 1e6
    console.say(
        f"{options.out}: {options.kind} test {test.id}, {passages_text(len(test.trials), test.seconds)}, "
        f"{', '.join(test.systems)}",
        f"send to listeners  {page} ({size:.1f} MB), and nothing else: test.json says what is what",
        f"then               {shell('tapezoo', 'listen-results', options.out)} RESULTS.csv ...",
    )
    console.say(*_remarks(options, material, test))
    unknown = [system.name for system in systems if not system.dataset_hash]
    if unknown and material.dataset_hash:
        console.say(
            f"not known         whether {', '.join(unknown)} was trained on recordings of this machine"
        )
    return 0


def _remarks(options: argparse.Namespace, material: Material, test: ListeningTest) -> list[str]:
    """What was decided where nothing was asked for by name."""
    from tapezoo.listening.excerpts import COUNT, LENGTH_S, longest_s, passages_text, room

    said = []
    if material.in_channels:
        said.append("heard in mono      each channel of a recording by itself, as the models were trained")
    count, seconds = len(test.trials), test.seconds
    fewer = options.excerpts is None and count < COUNT
    shorter = options.seconds is None and seconds < LENGTH_S
    if not fewer and not shorter:
        return said
    usual = passages_text(options.excerpts or COUNT, options.seconds or LENGTH_S)
    if fewer and room(material, seconds) > count:
        return [
            *said,
            f"less than usual    not {usual}: a page holds {count} of these; shorter ones: --seconds",
        ]
    stretch = f"{material.name} has sound for no more, its longest stretch is {longest_s(material):.1f} s"
    more = "a longer recording: --dry, --wet"
    if seconds > SHORTEST_S:
        more = f"shorter ones: --seconds; {more}"
    return [*said, f"less than usual    not {usual}: {stretch}; {more}"]


def _check_numbers(options: argparse.Namespace) -> None:
    for name, value, least, most in (
        ("--seconds", options.seconds, SHORTEST_S, LONGEST_S),
        ("--excerpts", options.excerpts, 1, MOST_EXCERPTS),
        ("--repeats", options.repeats, 1, MOST_REPEATS),
    ):
        if value is not None and not least <= value <= most:
            raise ArgumentsError(VERB, f"{name} {value:g}; {least:g} to {most:g}")
    if options.seed < 0:
        raise ArgumentsError(VERB, f"--seed {options.seed}; 0 or more")
    if (options.dry is None) != (options.wet is None):
        raise ArgumentsError(VERB, "one of --dry and --wet; a recording is both")
    if options.wet is not None:
        from tapezoo.data.audio import read_header

        for path in (options.dry, options.wet):
            read_header(path)  # says what is wrong
