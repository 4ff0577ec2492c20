"""`tapezoo push BUNDLE --name NAME`: a verified bundle becomes a version in the registry."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tapezoo.cli.completion import complete_bundle
from tapezoo.terminal import say, shell


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "push",
        help="register a bundle with MLflow",
        epilog="The bundle is verified, uploaded completely, and only then registered. A bundle that is "
        "already registered under the name is not registered again; its version gets the alias.",
    )
    bundle = parser.add_argument(
        "bundle", type=Path, help="a folder written by tapezoo export, or the name of a shipped bundle"
    )
    complete_bundle(bundle)
    parser.add_argument("--name", required=True, help="name of the registered model, such as tape")
    parser.add_argument("--alias", help="alias for the new version, such as candidate")
    parser.add_argument(
        "--experiment",
        default="tapezoo",
        help="MLflow experiment of the run that holds the files (default: tapezoo)",
    )
    add_uri(parser)
    parser.set_defaults(verb=run)


def add_uri(parser: Any) -> None:
    """Adds the registry's address, one for every verb that needs it."""
    parser.add_argument(
        "--uri",
        help="address of the registry: http(s)://HOST:PORT or sqlite:///FILE (default: MLFLOW_TRACKING_URI, else "
        "sqlite:///mlruns.db)",
    )


def run(options: argparse.Namespace) -> int:
    """Pushes, and says under which number the bundle can be pulled."""
    from tapezoo.bundle import find_bundle
    from tapezoo.cli.installed import APART
    from tapezoo.cli.steps import show_steps
    from tapezoo.tracking.push import push_bundle
    from tapezoo.tracking.tags import SEAL

    with show_steps("pushing") as progress:
        pushed = push_bundle(
            find_bundle(options.bundle),
            options.name,
            options.alias,
            uri=options.uri,
            experiment=options.experiment,
            openers=APART,
            progress=progress,
        )
    number = f"{pushed.name}/{pushed.version}"
    lines = [
        f"registered   {number}" if pushed.is_new else f"registered   {number}, which was already registered"
    ]
    if pushed.alias is not None:
        lines.append(f"alias        {pushed.name}@{pushed.alias}")
    lines.append(f"{SEAL}  {pushed.verification.seal_sha256}")
    lines.append(f"fetch it     {shell('tapezoo', 'pull', f'models:/{number}')} --out DIR")
    say(*lines)
    return 0
