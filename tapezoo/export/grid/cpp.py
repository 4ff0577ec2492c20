"""A grid as one C++17 header and its companion files: written from its points, compared with the grid's player."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tapezoo.blocks import blocks
from tapezoo.bundle import Manifest
from tapezoo.bundle.golden import tolerance_of
from tapezoo.bundle.grid.index import GridIndex
from tapezoo.bundle.grid.play import grid_step, mix_points, split_point
from tapezoo.bundle.grid.tensors import point_of, read_tensors
from tapezoo.bundle.play import Audio, StateArrays, repeat_rows, settle
from tapezoo.controls import control_vector
from tapezoo.cpp import (
    GridFacts,
    GridProgram,
    Replayed,
    join_programs,
    program_of,
    unwritable,
    write_beside_grid,
    write_grid_header,
)
from tapezoo.cpp.program import Program
from tapezoo.export.errors import GridError, ParityError
from tapezoo.export.golden import control_path
from tapezoo.export.grid.error import mix_at
from tapezoo.export.grid.gate import rounding_at
from tapezoo.export.grid.sample import Sample, play_rows
from tapezoo.net import Net, UndescribableError
from tapezoo.runtime.cpp import FAST, PLAIN, CompilerError, Library, find_compiler, open_library
from tapezoo.runtime.engine import SETTLE_BLOCK_SAMPLES
from tapezoo.runtime.grid.cells import clamp_to_grid
from tapezoo.runtime.grid.engine import GridEngine
from tapezoo.runtime.grid.graph import GridGraph

HEADER = "grid/cpp/model.hpp"
NAME = "grid_cpp"  # in the manifest's `parity`
BUILDS = (PLAIN, FAST)
BLOCKS_SAMPLES = (64, 333, 2048)  # of the cases: controls never arrive, turn in mid-stretch, or arrive
MOST_SAMPLES = 1 << 14  # of a case
OTHERWISE = "Leave out --grid-cpp; ONNX can represent every grid."


def check_writable(nets: Sequence[Net], points: int) -> None:
    """Refuses, in a second, what `write_grid_cpp` cannot write.

    Args:
        nets: Of two points or more.
        points: How many there will be.

    Raises:
        GridError: A net that has no C++, points that differ in more than numbers in single precision, too many numbers,
            or no compiler.
    """
    _joined([_program_of(net) for net in nets], points)
    try:
        find_compiler()
    except CompilerError as error:
        raise _error(f"no C++ compiler to test it with ({error.found})", "one", error.fix) from error


def write_grid_cpp(
    root: Path, manifest: Manifest, index: GridIndex, samples: Sequence[Sample], audio: Audio
) -> tuple[dict[str, Any], ...]:
    """Writes the header and what stands beside it into the bundle's folder.

    Args:
        root: With the grid's files, index.json too.
        manifest: Of the bundle; its `grid` is the index.
        index: Of the grid.
        samples: Of all points, in their order.
        audio: What the gate plays, (samples,).

    Returns:
        Rows for the manifest's `parity`: how far the header, compiled in two ways, is from the player of grids.

    Raises:
        GridError: See `check_writable`.
        ParityError: The compiled header is not the player.
    """
    grid = _joined([_program_of(sample.folded) for sample in samples], len(samples))
    facts = _facts(root, manifest, index, samples)
    path = root / HEADER
    path.parent.mkdir()
    path.write_text(write_grid_header(grid, facts), encoding="utf-8")
    libraries = {" ".join(options): open_library(path, options) for options in BUILDS}
    cases = [_case(root, manifest, block, audio) for block in BLOCKS_SAMPLES]
    rows = [
        max((_replayed(library, case, name, samples) for name, library in libraries.items()), key=_error_of)
        for case in cases
    ]
    model_bytes = max(library.model_bytes for library in libraries.values())
    # what was compiled, with its size in the comment that it begins with
    path.write_text(write_grid_header(grid, facts, model_bytes), encoding="utf-8")
    write_beside_grid(path.parent, cases, manifest.controls)
    return tuple(rows)


def _program_of(net: Net) -> Program:
    try:
        architecture = net.described()
    except UndescribableError as error:
        raise _error(f"a {type(net).__name__}: {error.found}", "nets that it has", OTHERWISE) from error
    if (found := unwritable(architecture)) is not None:
        raise _error(f"a {type(net).__name__} with {found}", "nets that it has", OTHERWISE)
    weights = {name: weight.detach().double().numpy() for name, weight in net.state_dict().items()}
    shapes = {name: tuple(value.shape[1:]) for name, value in net.rest_state(1).items()}
    return program_of(architecture, weights, shapes)


def _joined(programs: Sequence[Program], points: int) -> GridProgram:
    grid = join_programs(programs, points)
    if isinstance(grid, str):
        raise _error(grid, "points that differ in single numbers only", OTHERWISE)
    return grid


def _error(found: str, expected: str, fix: str) -> GridError:
    return GridError("the grid as C++", found=found, expected=expected, fix=fix)


def _facts(root: Path, manifest: Manifest, index: GridIndex, samples: Sequence[Sample]) -> GridFacts:
    positions = dict(
        zip((c.name for c in manifest.controls), control_vector(manifest.controls, {}), strict=True)
    )
    asked = np.array([positions[axis.control] for axis in index.axes], np.float32).astype(np.float64)
    place = tuple(clamp_to_grid(index.axes, asked).tolist())
    names = [tensor.name for tensor in index.state]
    rest = _rest_at(root, index, place)
    return GridFacts(
        architecture=manifest.architecture,
        sample_rate=manifest.sample_rate,
        latency_samples=manifest.latency_samples,
        controls=manifest.controls,
        index=index,
        defaults=place,
        rests=[{name: sample.rest[name] for name in names} for sample in samples],
        rest={name: rest[name] for name in names},
    )


def _rest_at(root: Path, index: GridIndex, place: tuple[float, ...]) -> StateArrays:
    """Where rule "weights" begins, see `WeightsPlayer.start`; rule "outputs" has every corner at its own rest."""
    mix, tensors = mix_at(index.axes, place), read_tensors(root, index)
    if len(mix) == 1 or index.rule == "outputs":
        return split_point(point_of(tensors, next(iter(mix))))[1]
    weights, rest = split_point(mix_points(tensors, mix))
    step, none = grid_step(GridGraph(root, index), weights), np.zeros((1, 0), np.float32)
    samples = max(index.points[point].settle_samples for point in mix)
    state = settle(step, none, repeat_rows(rest, 1), samples, SETTLE_BLOCK_SAMPLES)
    return {name: value[0] for name, value in state.items()}


def _case(root: Path, manifest: Manifest, block: int, audio: Audio) -> Replayed:
    """The player's output while the controls jump with every block."""
    engine = GridEngine(root, manifest)
    samples = min(len(audio), MOST_SAMPLES)
    default = np.array(control_vector(manifest.controls, {}), np.float32)
    path = control_path(-(-samples // block), 1, default)
    held = [control.name in engine.index.held for control in manifest.controls]
    path[:, :, held] = default[held]
    engine.start(1, default)
    output = [
        engine.play(np.ascontiguousarray(audio[np.newaxis, part]), at[0])
        for part, at in zip(blocks(samples, block), path, strict=True)
    ]
    heard = np.concatenate(output, axis=1)
    return Replayed(path, audio[np.newaxis, :samples], heard, block, tolerance_of(heard))


def _replayed(library: Library, case: Replayed, build: str, samples: Sequence[Sample]) -> dict[str, Any]:
    """A row of `parity`."""
    instance = library.make()
    output = np.empty(case.input.shape[1], np.float32)
    for part, at in zip(blocks(len(output), case.block_samples), case.controls, strict=True):
        instance.play(np.ascontiguousarray(case.input[0, part]), np.ascontiguousarray(at[0]), output[part])
    error = float(np.abs(output.astype(np.float64) - case.output[0]).max())
    allowed = case.tolerance
    if not error <= allowed:
        ends = (samples[0], samples[-1])
        allowed = tolerance_of(case.output, max(_rounding(sample, case.input[0]) for sample in ends))
    if not error <= allowed:  # not for NaN either
        raise ParityError(
            f"the grid as C++, compiled with {build},",
            found=f"an error of {error:.3g} in blocks of {case.block_samples}",
            expected=f"at most {allowed:.3g} from the player of grids",
            fix=f"No bundle was written. {OTHERWISE}",
        )
    return {
        "target": NAME,
        "case": f"changing_{case.block_samples}",
        "max_abs_error": error,
        "tolerance": allowed,
    }


def _error_of(row: dict[str, Any]) -> float:
    return float(row["max_abs_error"])


def _rounding(sample: Sample, audio: Audio) -> float:
    none = torch.zeros(1, 0)
    heard = play_rows(sample.folded, audio, none, sample.folded.initial_state(none))[0]
    return rounding_at(sample, heard, audio)
