"""`tapezoo list [KIND]`: what is registered, without importing any of it; `tapezoo models` is one kind of it."""

from __future__ import annotations

import argparse
from typing import Any

from tapezoo import registry
from tapezoo.cli.table import say_table
from tapezoo.terminal import say

# tables of their own: these belong to the bundle format and to tapezoo, not to distributions
TARGETS, BUNDLES = "targets", "bundles"


def add_parser(verbs: Any) -> None:
    """Adds both verbs to the command line."""
    parser = verbs.add_parser(
        "list",
        help="list registered models, generators, objectives, losses, metrics, devices, targets and shipped bundles",
    )
    parser.add_argument(
        "kind",
        nargs="?",
        choices=(*registry.KINDS, TARGETS, BUNDLES),
        help="what to list (default: everything)",
    )
    parser.set_defaults(verb=run)
    models = verbs.add_parser("models", help="list the registered architectures")
    models.set_defaults(verb=run, kind="models")


def run(options: argparse.Namespace) -> int:
    """Prints name, distribution and version of what is registered, or of one kind; targets; shipped bundles."""
    if options.kind == TARGETS:
        _list_targets()
        return 0
    if options.kind == BUNDLES:
        _list_bundles()
        return 0
    kinds = registry.KINDS if options.kind is None else (options.kind,)
    rows = [("kind", "name", "distribution", "version", "not installed")]
    rows += [
        (registry.KINDS[kind], found.name, found.distribution, found.version, ", ".join(found.missing))
        for kind in kinds
        for found in registry.registrations(kind)
    ]
    shown = [0] if options.kind is None else []
    shown += [1, 2, 3, 4] if any(row[4] for row in rows[1:]) else [1, 2, 3]
    say_table([[row[column] for column in shown] for row in rows])
    if options.kind is None:
        say("")
        _list_targets()
        say("")
        _list_bundles()
    return 0


def _list_targets() -> None:
    from tapezoo.bundle.targets import TARGETS

    rows = [["target", "file", "content", "not installed"]]
    rows += [
        [spec.name, spec.file, spec.describes, ", ".join(spec.missing_modules)] for spec in TARGETS.values()
    ]
    say_table(rows)


def _list_bundles() -> None:
    from tapezoo.bundle import read_manifest, shipped_bundles

    rows = [["bundle", "architecture", "Hz", "controls", "recipe"]]
    for name, root in shipped_bundles().items():
        manifest = read_manifest(root)
        controls = ", ".join(control.name for control in manifest.controls) or "none"
        recipe = str(manifest.provenance.get("recipe", "unknown"))
        rows.append([name, manifest.architecture, str(manifest.sample_rate), controls, recipe])
    say_table(rows)
