"""`tapezoo verify BUNDLE`: every hash, then every target whose runtime is installed; needs no torch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tapezoo.cli.completion import complete_bundle
from tapezoo.terminal import say


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "verify",
        help="check every hash of a bundle and replay its golden files",
        epilog="This runs in a separate process, whose memory and time are limited according to the size of the bundle "
        "and the length of its golden audio, so that a stranger's bundle can be verified before it is played.",
    )
    bundle = parser.add_argument(
        "bundle",
        type=Path,
        help="a folder written by tapezoo export, or a shipped bundle's name, such as tape",
    )
    complete_bundle(bundle)
    parser.add_argument(
        "--compile",
        action="store_true",
        help="also compile and replay the C++ in the bundle; only for bundles from people you trust",
    )
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Verifies, and says target by target what was replayed."""
    from tapezoo import runtime
    from tapezoo.bundle.targets import TARGETS
    from tapezoo.cli.installed import APART, COMPILING

    verification = runtime.verify(options.bundle, COMPILING if options.compile else APART)
    manifest = verification.manifest
    lines = [f"{options.bundle}: {manifest.architecture} at {manifest.sample_rate} Hz, every hash is right"]
    for target in verification.parts:
        line = f"{target.target:<12} {target.file:<18} {target.status}"
        if target.results:
            line += f", {len(target.results)} golden cases, largest error {target.max_abs_error:.1e}"
        if target.results and target.max_esr is not None:
            line += f", ESR {target.esr:.1e} of at most {target.max_esr:.1e}"
        if not target.results and target.target in TARGETS and TARGETS[target.target].compiles:
            line += ": it is source code; --compile compiles and runs it"
        lines.append(line)
    if any(row["target"] == "grid_cpp" for row in manifest.parity):
        lines.append(
            "grid as C++  grid/cpp/model.hpp not replayed: compile model_test.cpp beside it, which does that"
        )
    say(*lines)
    return 0
