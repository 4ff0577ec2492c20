"""`tapezoo promote NAME@ALIAS ALIAS`: moves an alias, on a condition if one is given."""

from __future__ import annotations

import argparse
from typing import Any

from tapezoo.cli.push import add_uri
from tapezoo.terminal import say


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("promote", help="move a registry alias to another version")
    parser.add_argument("version", help="NAME@ALIAS or NAME/NUMBER, such as tape@candidate")
    parser.add_argument("alias", help="alias to move to this version, such as champion")
    parser.add_argument(
        "--if-better",
        metavar="METRIC",
        help="move the alias only if this metric (lower is better, such as val_esr) is lower than that of the "
        "version the alias points to now, on the same data; otherwise print the reason and exit with code 2",
    )
    add_uri(parser)
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Promotes, and says why."""
    from tapezoo.tracking.promote import promote_version

    done = promote_version(options.version, options.alias, if_better=options.if_better, uri=options.uri)
    before = "" if done.before in (None, done.version) else f", previously {done.name}/{done.before}"
    text = f"{done.name}@{done.alias} is {done.name}/{done.version}{before}: {done.reason}"
    say(text)
    return 0
