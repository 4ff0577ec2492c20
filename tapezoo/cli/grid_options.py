"""The options of `tapezoo export` that sample a parameter grid."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapezoo.controls import Control

if TYPE_CHECKING:
    from tapezoo.bundle import Manifest
    from tapezoo.export.grid import GridPart

MAX_POINTS = 256


def add_grid_arguments(parser: Any) -> None:
    """Adds the options to a parser, as a group of their own."""
    group = parser.add_argument_group(
        "parameter grid", "sample the controls: one net without controls for each point, all in one graph"
    )
    group.add_argument(
        "--grid",
        metavar="AXES",
        help="axes separated by commas, such as 'drive=0:1:11,bias=-6/0/6', in the controls' units: "
        "NAME=START:STOP:COUNT spaced evenly, NAME=START:STOP:COUNT:log spaced evenly in ratios, or "
        "NAME=VALUE/VALUE/...",
    )
    group.add_argument(
        "--grid-set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="value at which a control without an axis is held (default: its default); may be repeated",
    )
    group.add_argument(
        "--grid-rule",
        choices=("weights", "outputs"),
        help="what is interpolated between points (default: weights)",
    )
    group.add_argument(
        "--max-error",
        metavar="ESR",
        type=float,
        help="add points until the error between them is at most this, such as 1e-3",
    )
    group.add_argument(
        "--max-points",
        metavar="N",
        type=int,
        help=f"number of points at which --max-error stops (default: {MAX_POINTS})",
    )
    add_cpp_argument(group, "--grid-cpp")


def add_cpp_argument(group: Any, name: str) -> None:
    """Adds the option called so, which writes a grid as C++."""
    group.add_argument(
        name,
        action="store_true",
        help="also write the grid as one C++17 header without dependencies (grid/cpp/model.hpp)",
    )


def grid_part(options: argparse.Namespace, controls: Sequence[Control]) -> GridPart | None:
    """What was asked for; None: no grid.

    Args:
        options: As parsed.
        controls: Of the model.

    Raises:
        GridError: Something that cannot be sampled, or an option without --grid.
    """
    from tapezoo.export.errors import GridError

    given = {
        "--grid-set": bool(options.grid_set),
        "--grid-rule": options.grid_rule is not None,
        "--max-error": options.max_error is not None,
        "--max-points": options.max_points is not None,
        "--grid-cpp": options.grid_cpp,
    }
    if options.grid is None:
        if idle := [name for name, is_given in given.items() if is_given]:
            raise GridError(
                idle[0],
                found="no --grid",
                expected="the axes it applies to",
                fix="Add --grid, such as --grid drive=0:1:3.",
            )
        return None
    if given["--max-points"] and not given["--max-error"]:
        raise GridError(
            "--max-points",
            found="no --max-error",
            expected="the error at which no more points are added",
            fix="Add --max-error, such as --max-error 1e-3, or give every point in --grid.",
        )
    if options.max_error is not None and not 0 < options.max_error <= 1:
        raise GridError(
            "--max-error",
            found=f"{options.max_error:g}",
            expected="an ESR above 0 and at most 1, such as 1e-3",
            fix="Give the largest error that you accept.",
        )
    from tapezoo.export.grid import GridPart, parse_axes, parse_held  # not for an export without a grid

    axes = parse_axes(options.grid, controls)
    held = parse_held(options.grid_set, axes, controls)
    most = MAX_POINTS if options.max_points is None else options.max_points
    return GridPart(axes, held, options.grid_rule or "weights", options.max_error, most, options.grid_cpp)


def grid_lines(bundle: Path, manifest: Manifest) -> list[str]:
    """What to say of a bundle's grid after export; nothing where it has none."""
    from tapezoo.bundle.grid.index import read_grid_index

    if manifest.grid is None:
        return []
    index = read_grid_index(bundle, manifest)
    axes = " x ".join(f"{axis.control} {len(axis.values)}" for axis in index.axes)
    parity = max(point.max_abs_error for point in index.points)
    error, asked = index.error, index.error.get("asked")
    lines = [
        f"grid         {manifest.grid:<16} {len(index.points)} points ({axes}), {index.size_bytes} bytes each, "
        f"parity {parity:.1e}",
        f"{'':<29} {index.rule} interpolated between points: ESR {error['max_esr']:.2g} at most, "
        f"{error['mean_esr']:.2g} on average",
    ]
    if asked is not None and not error["reached"]:
        lines.append(
            f"{'':<29} the ESR of {asked:g} was not reached: raise --max-points or sample a smaller range"
        )
    return [*lines, *cpp_lines(manifest)]


def cpp_lines(manifest: Manifest) -> list[str]:
    """What to say of a grid as C++; nothing where it was not written."""
    errors = [row["max_abs_error"] for row in manifest.parity if row["target"] == "grid_cpp"]
    if not errors:
        return []
    return [f"grid as C++  grid/cpp/model.hpp parity {max(errors):.1e}, against the player of grids"]
