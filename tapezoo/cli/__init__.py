"""The command line: one file per verb, each with its arguments; heavy imports stay inside the verb's run."""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from tapezoo import __version__
from tapezoo.cli import (
    assemble,
    bench,
    check,
    compare,
    demo,
    doctor,
    excitation,
    export,
    generate,
    grid,
    listen,
    listen_results,
    listing,
    measure,
    prepare,
    promote,
    pull,
    push,
    recipes,
    render,
    report,
    runs,
    serve,
    sweep,
    verify,
)
from tapezoo.cli.completion import complete
from tapezoo.cli.stopping import stoppable
from tapezoo.cli.training_options import FULL_PAGE, SHORT_PAGE, add_training_verbs, split_help
from tapezoo.cli.training_options import VERBS as TRAINING_VERBS
from tapezoo.cli.verb_parser import VerbParser
from tapezoo.errors import TapezooError
from tapezoo.terminal import complain, say

EXIT_UNEXPECTED = 1
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130
MAX_ERROR_CHARACTERS = 500  # characters of an error nobody foresaw


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit code: 0, 2 for a fault the user can mend, 130 for Ctrl-C, 1 for a bug.

    SIGTERM raises SystemExit(143) after the half-written result is removed.

    Args:
        argv: As on the command line, without the program's name; None: the command line itself.
    """
    if argv is None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(
                stream, io.TextIOWrapper
            ):  # a terminal that knows few letters is told the others by number
                stream.reconfigure(errors="backslashreplace")
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        if argv is None:
            complete(make_parser)
        if not arguments:
            make_parser().print_help()
            return 0
        if arguments[0] in TRAINING_VERBS:
            page, arguments = split_help(arguments)
            if page == FULL_PAGE:
                arguments.append("--help")
            from tapezoo.cli.short_forms import check_complete, expand, split_allowed

            # what is wrong with the line is said before anything is imported
            line = expand(split_allowed(arguments)[0], say if page == SHORT_PAGE else lambda line: None)
            if not page:
                check_complete(line)
            if page == SHORT_PAGE:
                make_parser().parse_args([arguments[0], "--help"])
            from tapezoo.cli.lean import import_filters, import_lightning

            import_lightning()
            import_filters()
            from tapezoo.cli import training

            return training.run(arguments)
        arguments, overrides = compare.split_overrides(arguments)
        options = make_parser().parse_args(arguments)
        options.overrides = overrides
        verb: Callable[[argparse.Namespace], int] = options.verb
        with stoppable():
            return verb(options)
    except TapezooError as error:
        if debug:
            traceback.print_exc()
        complain(f"tapezoo: {error}")
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        complain("tapezoo: interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `tapezoo models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # ours to mend, not the user's; the trace is for a report
        if debug:
            traceback.print_exc()
        said = " ".join(str(error).split())[:MAX_ERROR_CHARACTERS]
        complain(f"tapezoo: unexpected {type(error).__name__}: {said} (--debug shows where)")
        return EXIT_UNEXPECTED


def make_parser() -> argparse.ArgumentParser:
    """The parser of every verb; the training verbs have one of their own, behind their first word."""
    parser = VerbParser(
        prog="tapezoo",
        description="Trains models of analog audio equipment from dry/wet recordings and exports verified bundles.",
        epilog=(
            "`tapezoo VERB --help` describes a verb. Every verb accepts --debug, which prints the stack trace "
            "of an error."
        ),
    )
    parser.add_argument("--version", action="version", version=f"tapezoo {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    add_training_verbs(verbs)  # listed here, parsed by LightningCLI
    for verb in (
        demo,
        listing,
        recipes,
        runs,
        report,
        check,
        prepare,
        compare,
        excitation,
        render,
        generate,
        measure,
        listen,
        listen_results,
        sweep,
        export,
        assemble,
        grid,
        verify,
        bench,
        push,
        promote,
        pull,
        serve,
        doctor,
    ):
        verb.add_parser(verbs)
    return parser
