"""The command line: verbs, and nothing else. Heavy imports stay inside the verb that needs them."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from tapezoo import __version__
from tapezoo.errors import TapezooError

TRAINING_VERBS = {
    "fit": "train a model from a recipe",
    "validate": "score a checkpoint on the validation split",
    "test": "score a checkpoint on the test split, clip by clip",
    "predict": "write what a checkpoint makes of the test split as WAV files",
}
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit code: 0, 2 for a fault the user can mend, 130 for Ctrl-C.

    Args:
        argv: As on the command line, without the program's name; None: the command line itself.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        if arguments and arguments[0] in TRAINING_VERBS:
            from tapezoo.training import run

            return run(arguments)
        options = _parser().parse_args(arguments)
        verb: Callable[[argparse.Namespace], int] = options.verb
        return verb(options)
    except TapezooError as error:
        if debug:
            traceback.print_exc()
        sys.stderr.write(f"tapezoo: {error}\n")
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("tapezoo: interrupted\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `tapezoo models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapezoo",
        description="Learns what an analog machine does to sound, and hands over a verified artifact.",
        epilog="Every verb takes --help, and --debug for stack traces.",
    )
    parser.add_argument("--version", action="version", version=f"tapezoo {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, help_text in TRAINING_VERBS.items():
        verbs.add_parser(name, help=help_text)  # listed here, parsed by tapezoo.training

    models = verbs.add_parser("models", help="list the registered architectures")
    models.set_defaults(verb=_models)

    check = verbs.add_parser("check", help="run the laws on an architecture")
    check.add_argument("name", help="as `tapezoo models` lists it")
    check.set_defaults(verb=_check)

    render = verbs.add_parser("render", help="process an audio file with a checkpoint")
    render.add_argument("checkpoint", type=Path, help="a checkpoint, or the folder of a run (its best.ckpt)")
    render.add_argument("source", type=Path, help="WAV or FLAC, any rate, length and channel count")
    render.add_argument("target", type=Path, help="what to write; rate and length as the source")
    render.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a control, in its own unit")
    render.add_argument("--mix", type=float, default=1.0, help="0: dry, 1: wet (default)")
    render.add_argument("--input-gain-db", type=float, default=0.0)
    render.add_argument("--output-gain-db", type=float, default=0.0)
    render.add_argument("--limiter", action="store_true", help="keep peaks under full scale")
    render.add_argument("--overwrite", action="store_true")
    render.set_defaults(verb=_render)

    export = verbs.add_parser("export", help="write a verified bundle with ONNX and TorchScript")
    export.add_argument("checkpoint", type=Path, help="a checkpoint, or the folder of a run (its best.ckpt)")
    export.add_argument("--out", type=Path, required=True, help="the bundle's folder")
    export.add_argument("--audio", type=Path, help="audio for the parity gate (default: built-in programme)")
    export.add_argument("--overwrite", action="store_true")
    export.set_defaults(verb=_export)

    verify = verbs.add_parser("verify", help="check every hash of a bundle and replay it; needs no torch")
    verify.add_argument("bundle", type=Path)
    verify.set_defaults(verb=_verify)
    return parser


def _models(options: argparse.Namespace) -> int:
    from tapezoo import registry

    rows = [("name", "distribution", "version")]
    rows += [(found.name, found.distribution, found.version) for found in registry.registrations()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")
    return 0


def _check(options: argparse.Namespace) -> int:
    from tapezoo.verbs import check

    return check(options.name)


def _render(options: argparse.Namespace) -> int:
    from tapezoo.verbs import render_file

    return render_file(options)


def _export(options: argparse.Namespace) -> int:
    from tapezoo.verbs import export

    return export(options)


def _verify(options: argparse.Namespace) -> int:
    from tapezoo.verify_verb import verify

    return verify(options.bundle)
