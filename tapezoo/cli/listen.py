"""`tapezoo listen SOURCE... --out TEST`: a listening test of trained models."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapezoo.errors import ArgumentsError

if TYPE_CHECKING:
    from tapezoo.listening.material import Material
    from tapezoo.listening.systems import System

VERB = "tapezoo listen"
KINDS = ("mushra", "abx", "dmos")  # as in tapezoo.listening.design, which is slow to import
RESERVED = ("reference", "anchor35", "anchor70", "all")
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
    parser.add_argument("--dry", type=Path, metavar="FILE", help="a recording's dry, with --wet")
    parser.add_argument("--wet", type=Path, metavar="FILE", help="its wet, the reference")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="where a control of the machine stood in --wet, in its own unit; may be repeated",
    )
    parser.add_argument(
        "--excerpts", type=int, default=6, metavar="N", help="number of passages (default: 6)"
    )
    parser.add_argument("--seconds", type=float, default=8.0, metavar="S", help="length of each (default: 8)")
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
    from tapezoo.listening.design import check_count, is_test
    from tapezoo.staging import check_free, staged_folder
    from tapezoo.terminal import shell

    _check_numbers(options)
    sources = named_sources(options.source)
    found = {name: _resolve(path) for name, path in sources.items()}
    run_dir = None if options.wet is not None else _first_run(list(found.values()))
    settings = parse_settings(options.set)
    if settings and options.wet is None:
        raise ArgumentsError(VERB, "--set without --dry and --wet; the test split has its own settings")
    check_free(options.out, options.overwrite, is_test, "listening test")
    check_count(options.kind, len(found))

    from tapezoo.cli.lean import import_filters, import_lightning

    import_lightning()
    import_filters()
    import torch

    from tapezoo.listening.make import make_test
    from tapezoo.listening.material import passages_text
    from tapezoo.screen import Screen

    torch.set_num_threads(1)  # small nets in small blocks: a second thread only waits
    console = Screen()
    with console.status("opening") as status:
        systems = [_open(name, *place) for name, place in found.items()]
        status.update("reading the recordings")
        material = (
            _material_of_run(run_dir, systems) if run_dir else _material_of_pair(options, systems, settings)
        )
        with staged_folder(options.out, options.overwrite, is_test, "listening test") as folder:
            test = make_test(
                folder,
                options.out.resolve().name,
                material,
                systems,
                options.kind,
                options.excerpts,
                options.seconds,
                options.repeats,
                options.seed,
                status.update,
            )
    page = options.out / "listen.html"
    size = page.stat().st_size / 1e6
    console.say(
        f"{options.out}: {options.kind} test {test.id}, {passages_text(len(test.trials), test.seconds)}, "
        f"{', '.join(test.systems)}",
        f"send to listeners  {page} ({size:.1f} MB), and nothing else: test.json says what is what",
        f"then               {shell('tapezoo', 'listen-results', options.out)} RESULTS.csv ...",
    )
    unknown = [system.name for system in systems if not system.dataset_hash]
    if unknown and material.dataset_hash:
        console.say(
            f"not known         whether {', '.join(unknown)} was trained on recordings of this machine"
        )
    return 0


def named_sources(arguments: Sequence[str]) -> dict[str, Path]:
    """Names and places of what is judged, in order.

    Args:
        arguments: SOURCE or NAME=SOURCE each.

    Raises:
        ArgumentsError: A name twice, or one that a test uses itself.
    """
    found: dict[str, Path] = {}
    for argument in arguments:
        name, equals, place = argument.partition("=")
        is_named = equals and name and place and "/" not in name and not Path(argument).exists()
        path = Path(place if is_named else argument)
        name = name if is_named else _name_of(path)
        if name in RESERVED:
            raise ArgumentsError(
                VERB, f"the name {name!r}, which a test uses itself; give another, NAME={path}"
            )
        if name in found:
            raise ArgumentsError(
                VERB, f"two sources with the name {name!r}; give them names, as in old={path}"
            )
        found[name] = path
    return found


def _name_of(path: Path) -> str:
    from tapezoo.run_files import BEST

    if path.name == BEST:
        return path.absolute().parent.name
    return path.absolute().name.removesuffix(".ckpt")


def _check_numbers(options: argparse.Namespace) -> None:
    for name, value, least, most in (
        ("--seconds", options.seconds, SHORTEST_S, LONGEST_S),
        ("--excerpts", options.excerpts, 1, MOST_EXCERPTS),
        ("--repeats", options.repeats, 1, MOST_REPEATS),
    ):
        if not least <= value <= most:
            raise ArgumentsError(VERB, f"{name} {value:g}; {least:g} to {most:g}")
    if options.seed < 0:
        raise ArgumentsError(VERB, f"--seed {options.seed}; 0 or more")
    if (options.dry is None) != (options.wet is None):
        raise ArgumentsError(VERB, "one of --dry and --wet; a recording is both")
    if options.wet is not None:
        from tapezoo.data.audio import read_header

        for path in (options.dry, options.wet):
            read_header(path)  # says what is wrong


def _resolve(path: Path) -> tuple[Path, bool]:
    """What is played, and whether it is a bundle."""
    from tapezoo.cli.render import bundle_of
    from tapezoo.run_files import best_checkpoint

    bundle = bundle_of(path)
    return (bundle, True) if bundle is not None else (best_checkpoint(path), False)


def _first_run(found: Sequence[tuple[Path, bool]]) -> Path:
    from tapezoo.run_files import CONFIG

    for path, is_bundle in found:
        if not is_bundle and (path.parent / CONFIG).is_file():
            return path.parent
    raise ArgumentsError(
        VERB,
        "no run among the sources, whose test split could be heard; name a recording: --dry FILE --wet FILE",
    )


def _open(name: str, path: Path, is_bundle: bool) -> System:
    from tapezoo.listening.systems import system_of_bundle, system_of_checkpoint

    return system_of_bundle(path, name) if is_bundle else system_of_checkpoint(path, name)


def _material_of_run(run_dir: Path, systems: Sequence[System]) -> Material:
    from tapezoo.cli.allowed_imports import allow_imports
    from tapezoo.cli.faults import as_user_errors
    from tapezoo.data.errors import DataError, SoundFileError
    from tapezoo.data.opening import open_data
    from tapezoo.listening.errors import ListeningError
    from tapezoo.listening.material import material_of_data
    from tapezoo.run_files import CONFIG
    from tapezoo.yamltext import parse_yaml

    recipe = run_dir / CONFIG
    allow_imports([])
    try:
        content = parse_yaml(recipe.read_text(encoding="utf-8"))
        section: Mapping[str, Any] = content["data"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ListeningError(
            str(recipe),
            found=f"no recipe ({type(error).__name__})",
            expected="the recipe that `tapezoo fit` left in its run",
            fix="Name a recording instead: --dry FILE --wet FILE.",
        ) from error
    try:
        with as_user_errors(VERB):
            material = material_of_data(open_data(section), f"the test split of {run_dir}")
    except (SoundFileError, DataError) as error:
        raise ListeningError(
            str(run_dir),
            found=f"recordings that cannot be read again ({error.subject}: {error.found})",
            expected="those of its recipe, where they were",
            fix="Run it where the training ran, or name a recording: --dry FILE --wet FILE.",
        ) from error
    trained_on = next(system.dataset_hash for system in systems if system.source.parent == run_dir)
    if trained_on and trained_on != material.dataset_hash:
        raise ListeningError(
            str(run_dir),
            found=f"recordings that were changed since the training (data set {trained_on[:12]}, now "
            f"{material.dataset_hash[:12]})",
            expected="those it was trained on: where the test split lies now, the training may have been",
            fix="Put them back, or name a recording: --dry FILE --wet FILE.",
        )
    return material


def _material_of_pair(
    options: argparse.Namespace, systems: Sequence[System], settings: dict[str, float]
) -> Material:
    from tapezoo.data.audio import read_header
    from tapezoo.listening.material import Material, material_of_pair
    from tapezoo.listening.systems import check_systems

    # before the recording is read and aligned
    check_systems(
        systems, Material(options.wet.name, read_header(options.wet).sample_rate, systems[0].controls, [])
    )
    return material_of_pair(options.dry, options.wet, systems[0].controls, settings)
