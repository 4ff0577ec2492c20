"""`tapezoo demo [FOLDER]`: hear the shipped bundles, before anything is trained; needs no torch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

NOTE, FIRST_LINE = "demo.txt", "Written by tapezoo demo."


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
    from tapezoo.render.demo import SECONDS, render_demo
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
    out: Path = options.folder
    with (
        show_steps("playing") as progress,
        staged_folder(out, options.overwrite, _is_demo, "folder of a demo") as folder,
    ):
        progress("playing synthetic music through the shipped models")
        dry, *played = render_demo(folder, bundles, SECONDS)
        rows = [(dry.path.name, f"{SECONDS:g} s of synthetic music, the input")]
        for file in played:
            manifest = read_manifest(bundles[file.path.stem])
            recipe = manifest.provenance.get("recipe", "unknown")
            turns = f"; {', '.join(file.controls)} one after another" if file.controls else ""
            level = f"level matched by {file.gain_db:+.1f} dB"
            rows.append((file.path.name, f"{manifest.architecture}, recipe {recipe}{turns}; {level}"))
        text = "\n".join(f"{name}: {what}" for name, what in rows)
        (folder / NOTE).write_text(f"{FIRST_LINE}\n\n{text}\n", encoding="utf-8")
    say_table([(str(out / name), what) for name, what in rows])
    say(f"your own file: {shell('tapezoo', 'render', next(reversed(bundles)))} IN.wav OUT.wav")
    return 0


def _is_demo(folder: Path) -> bool:
    """Whether there is nothing but what this verb writes."""
    try:
        text = (folder / NOTE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    noted = {line.partition(":")[0] for line in text.splitlines()[2:]}
    return text.startswith(FIRST_LINE) and {path.name for path in folder.iterdir()} <= {NOTE, *noted}
