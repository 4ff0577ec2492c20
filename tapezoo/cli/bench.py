"""`tapezoo bench BUNDLE`: block times of every engine a bundle can be played with; needs no torch."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapezoo.cli.completion import complete_bundle
from tapezoo.terminal import passing, say

if TYPE_CHECKING:
    from tapezoo.bundle import Manifest
    from tapezoo.runtime.bench import BlockTimes

LONGEST_BLOCK = 1 << 16  # samples


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("bench", help="measure how fast a bundle plays on this machine, block by block")
    bundle = parser.add_argument(
        "bundle",
        type=Path,
        help="a folder written by tapezoo export, or the name of a shipped bundle, such as tape; it is not changed",
    )
    complete_bundle(bundle)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE.json",
        help="write the figures to this file instead of printing a table",
    )
    parser.add_argument(
        "--engine",
        action="append",
        metavar="NAME",
        help="onnx, grid, kernel, or one build of kernel: kernel_cpp or kernel_numba; may be repeated "
        "(default: all that the bundle has and that are installed)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=1.0,
        metavar="S",
        help="elapsed time of each measurement, one for each engine and block length (default: 1)",
    )
    parser.add_argument(
        "--block",
        action="append",
        type=int,
        metavar="SAMPLES",
        help="block length; may be repeated (default: 32, 64, 128, 256 and 512)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Measures, and prints a table or writes JSON."""
    import json
    import sys

    from tapezoo.bundle import find_bundle, verify_hashes
    from tapezoo.errors import ArgumentsError, OutputExistsError, UnwritableOutputError
    from tapezoo.runtime.bench import BLOCKS_SAMPLES, LOAD_LIMIT, bench

    out: Path | None = options.out
    if not 0 < options.seconds <= 3600:
        raise ArgumentsError(
            "tapezoo bench", f"--seconds is {options.seconds}; it must be above 0 and at most 3600"
        )
    blocks = options.block or BLOCKS_SAMPLES
    if not all(1 <= block <= LONGEST_BLOCK for block in blocks):
        raise ArgumentsError("tapezoo bench", f"--block {min(blocks)}; 1 to {LONGEST_BLOCK} samples")
    bundle = find_bundle(options.bundle)
    if out is not None:
        if out.resolve().is_relative_to(bundle.resolve()):
            raise ArgumentsError(
                "tapezoo bench", f"--out {out} is inside the bundle, which is sealed; choose another"
            )
        if out.exists() and not options.overwrite:
            raise OutputExistsError(out)
        if out.is_dir():
            raise UnwritableOutputError(out, "a folder")
        if not out.parent.is_dir():
            raise ArgumentsError("tapezoo bench", f"--out {out}: there is no folder {out.parent}")
    manifest, seal = verify_hashes(bundle)
    if sys.stderr.isatty():
        rows = bench(bundle, options.engine, options.seconds, blocks, progress=passing, tell=say)
        passing("")
    else:
        rows = bench(bundle, options.engine, options.seconds, blocks, tell=say)
    title = f"{options.bundle}: {manifest.architecture} at {manifest.sample_rate} Hz, one channel, one thread"
    if out is None:
        say(title, *table(rows), *legend(rows), _engines_text(manifest))
        return 0
    document = {
        "architecture": manifest.architecture,
        "sample_rate": manifest.sample_rate,
        "seal_sha256": seal,
        "load_limit": LOAD_LIMIT,
        "rows": [asdict(row) for row in rows],
    }
    _write(out, json.dumps(document, indent=2) + "\n")
    say(f"{title}: {len(rows)} rows in {out}")
    return 0


def _write(out: Path, text: str) -> None:
    """Whole or not at all: what is there stays until the new file is complete."""
    from tapezoo.staging import replaced_file

    with replaced_file(out) as part:
        part.write_text(text, encoding="utf-8")


def _engines_text(manifest: Manifest) -> str:
    """Which of the measured engines a user gets without asking for one."""
    from tapezoo.runtime import engine_for_one_file
    from tapezoo.runtime.engines import default_engine

    return (
        f"unasked, tapezoo.runtime.Stream plays with the engine {default_engine(manifest)}, "
        f"`tapezoo render` with {engine_for_one_file(manifest)}"
    )


def legend(rows: Sequence[BlockTimes]) -> list[str]:
    """What the columns are."""
    from tapezoo.runtime.bench import LOAD_LIMIT

    lines = [
        "block: samples per call; times real time: seconds of audio per second of processor time;",
        "p50, p99, p99.9: the time that so many percent of the calls stay under; max: the longest call;",
        f"instances/core: how many copies of the model one core can play at once, if p99 of all together may be "
        f"{LOAD_LIMIT:.0%} of a block's duration;",
        "    0: a single one takes longer than that;",
        "grown kB: by how much the memory of the process grew while it played",
    ]
    return lines if rows else []


def table(rows: Sequence[BlockTimes]) -> list[str]:
    """Lines of text: a slim installation has nothing that draws tables."""
    head = f"{'engine':<12}{'block':>7}{'times real time':>17}"
    head += (
        f"{'p50 us':>10}{'p99 us':>10}{'p99.9 us':>10}{'max us':>10}{'instances/core':>16}{'grown kB':>10}"
    )
    return [
        head,
        *(
            f"{row.engine:<12}{row.block_samples:>7}{row.real_time_factor:>17.1f}{row.p50_us:>10.1f}"
            f"{row.p99_us:>10.1f}{row.p999_us:>10.1f}{row.max_us:>10.1f}{row.instances_per_core:>16}"
            f"{'' if row.grown_kb is None else row.grown_kb:>10}"
            for row in rows
        ),
    ]
