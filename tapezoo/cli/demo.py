"""`tapezoo demo [FOLDER]`: hear the shipped bundles, before anything is trained; needs no torch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "demo",
        help="play synthetic music through the shipped models",
        epilog="To process your own sound file: tapezoo render tape IN.wav OUT.wav",
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path("demo"), help="folder of the sound files (default: demo)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a folder that tapezoo demo wrote")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Plays, writes, and says what each file is."""
    from tapezoo.bundle import BundleError, read_manifest, shipped_bundles
    from tapezoo.cli.steps import show_steps
    from tapezoo.cli.table import say_table
    from tapezoo.render.demo import DRY, SECONDS, render_demo
    from tapezoo.staging import staged_folder
    from tapezoo.terminal import say, shell

    bundles = shipped_bundles()
    if not bundles:
        raise BundleError(
            Path("bundles"),
            "",
            found="no shipped bundle",
            expected="shipped bundles in the package",
            fix="Install tapezoo again.",
        )
    names = {f"{name}.wav" for name in (DRY, *bundles)}
    out: Path = options.folder
    with (
        show_steps("playing") as progress,
        staged_folder(
            out, options.overwrite, lambda there: _is_demo(there, names), "folder of a demo"
        ) as folder,
    ):
        progress("playing synthetic music through the shipped models")
        files = render_demo(folder, bundles, SECONDS)
    rows = [(str(out / f"{DRY}.wav"), f"{SECONDS:g} s of synthetic music, the input")]
    for file in files[1:]:
        manifest = read_manifest(bundles[file.path.stem])
        recipe = manifest.provenance.get("recipe", "unknown")
        turns = f"; {', '.join(file.controls)} one after another" if file.controls else ""
        level = f"level matched by {file.gain_db:+.1f} dB"
        rows.append((str(out / file.path.name), f"{manifest.architecture}, recipe {recipe}{turns}; {level}"))
    say_table(rows)
    say(f"your own file: {shell('tapezoo', 'render', next(reversed(bundles)))} IN.wav OUT.wav")
    return 0


def _is_demo(folder: Path, names: set[str]) -> bool:
    """Whether everything in there is what this verb writes."""
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return "dry.wav" in found and found <= names
