"""`tapezoo grid merge SHARD... --out CHECKPOINT`: the shards of one grid of nets as one checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(kinds: Any) -> None:
    """Adds it to the kinds of `tapezoo grid`."""
    parser = kinds.add_parser("merge", help="merge the shards of a grid of nets into one checkpoint")
    parser.add_argument("shards", type=Path, nargs="+", help="checkpoints, or folders of runs")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="checkpoint to write, with a name that ends in .ckpt, or a folder for best.ckpt",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing checkpoint")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Merges, and says what is missing."""
    from tapezoo.cli.lean import import_lightning

    import_lightning()
    from tapezoo.callbacks.cells import write_cell_report
    from tapezoo.callbacks.recorder import REPORT
    from tapezoo.checkpoint import BEST
    from tapezoo.errors import OutputExistsError
    from tapezoo.screen import Screen
    from tapezoo.shards.merge import checkpoint_of, merge_shards

    path: Path = options.out if options.out.suffix == ".ckpt" else options.out / BEST
    if path.exists() and not options.overwrite:
        raise OutputExistsError(path)
    merged = merge_shards([checkpoint_of(shard) for shard in options.shards])
    merged.write(path)
    console = Screen()
    if path.parent == options.out:
        write_cell_report(merged.model, options.out / REPORT, console)
    missing = (
        f"; {merged.missing} cells are missing and use the weights of the nearest one"
        if merged.missing
        else ""
    )
    console.say(f"{path}: the nets of {len(options.shards)} shards{missing}")
    return 0
