"""`tapezoo grid build INDEX --out BUNDLE`: checkpoints trained apart, as one bundle; and grids of nets in shards."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tapezoo.cli import grid_fit, grid_merge
from tapezoo.cli.grid_options import add_cpp_argument, cpp_lines


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "grid", help="grids of nets: build a bundle from checkpoints, or train nets in shards"
    )
    kinds = parser.add_subparsers(metavar="WHAT", required=True)
    build = kinds.add_parser(
        "build", help="build a bundle from separately trained checkpoints, one per point"
    )
    build.add_argument(
        "index",
        type=Path,
        help="YAML file with the controls, the points with their checkpoints, and an optional reference",
    )
    build.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    build.add_argument("--overwrite", action="store_true", help="replace an existing bundle")
    add_cpp_argument(build, "--cpp")
    build.set_defaults(verb=run)
    grid_fit.add_parser(kinds)
    grid_merge.add_parser(kinds)


def run(options: argparse.Namespace) -> int:
    """Builds, and says what was measured."""
    from tapezoo.cli.lean import import_lightning

    import_lightning()
    import torch

    from tapezoo.bundle.grid.index import read_grid_index
    from tapezoo.export.grid.checkpoints import build_grid, read_grid_file
    from tapezoo.screen import Screen
    from tapezoo.terminal import shell

    torch.set_num_threads(1)  # small nets in small blocks: a second thread only waits
    file = read_grid_file(options.index)
    console = Screen()
    with console.status("building") as status:
        verification = build_grid(
            file, options.out, options.overwrite, lambda step: status.update(step), options.cpp
        )
    index = read_grid_index(options.out, verification.manifest)
    axes = " x ".join(f"{len(axis.positions)} {axis.control}" for axis in index.axes)
    parity = max(point.max_abs_error for point in index.points)
    enter = index.cost["enter"]
    lines = [
        f"{options.out}: {len(index.points)} points of {verification.manifest.architecture} ({axes})",
        f"parity       {parity:.1e}, the largest of all points",
        f"size         {index.size_bytes} bytes per point",
        f"entering     a point plays {enter['preroll_samples']} samples of past input, {enter['milliseconds']:.1f} ms",
        f"error        {_describe_error(index.error)}",
        *cpp_lines(verification.manifest),
        f"check it     {shell('tapezoo', 'verify', options.out)}",
    ]
    console.say(*lines)
    return 0


def _describe_error(error: dict[str, Any]) -> str:
    if error["max_esr"] is None:
        return "between the points not measured: name a device or recordings under 'reference'"
    worst = error["cells"][0]["middle"]
    place = ", ".join(f"{name}={value:g}" for name, value in worst.items())
    return (
        f"ESR {error['max_esr']:.2g} at worst ({place}), {error['mean_esr']:.2g} on average, against "
        f"{error['reference']}; without interpolation up to {error['max_truncated_esr']:.2g}"
    )
