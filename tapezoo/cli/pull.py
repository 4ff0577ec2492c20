"""`tapezoo pull models:/NAME@ALIAS --out DIR`: a verified copy of a registered bundle."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tapezoo.cli.push import add_uri
from tapezoo.terminal import say


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("pull", help="download a registered bundle and verify it")
    parser.add_argument("version", help="models:/NAME@ALIAS or models:/NAME/NUMBER")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the bundle; it appears once it is verified"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing bundle")
    add_uri(parser)
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Pulls, and says what was fetched and how far it was checked."""
    from tapezoo.cli.installed import APART
    from tapezoo.cli.steps import show_steps
    from tapezoo.tracking.pull import pull_bundle

    with show_steps("pulling") as progress:
        pulled = pull_bundle(
            options.version,
            options.out,
            uri=options.uri,
            overwrite=options.overwrite,
            openers=APART,
            progress=progress,
        )
    manifest = pulled.verification.manifest
    lines = [
        f"{options.out}: {pulled.name}/{pulled.version}, {manifest.architecture} at {manifest.sample_rate} Hz, "
        "the registered seal and every hash are right"
    ]
    lines += [f"{part.target:<12} {part.file:<14} {part.status}" for part in pulled.verification.parts]
    say(*lines)
    return 0
