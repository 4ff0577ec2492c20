"""grid/golden.npz: what a grid plays at some of its points and between them, and replaying it.

A case is a mix of points: their numbers, and their shares, which sum to 1. Its expected output is that of the net
the grid was made from, held there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle.arrays import read_arrays, write_arrays
from tapezoo.bundle.errors import BundleError, MalformedFileError
from tapezoo.bundle.golden import Audio, CaseResult, State, Step
from tapezoo.bundle.grid.index import GRAPH, GridIndex
from tapezoo.bundle.grid.tensors import Tensors, check_grid, check_there, point_of
from tapezoo.bundle.limits import CASE_LIMIT, GOLDEN_LIMIT_BLOCKS, GOLDEN_LIMIT_SAMPLES
from tapezoo.bundle.manifest import Manifest
from tapezoo.bundle.replay import BrokenTargetError, judge
from tapezoo.bundle.results import TargetResult

GOLDEN = "grid/golden.npz"
BLOCK_SAMPLES = 333  # odd, so that it is no block length a graph could have been traced with
WORK_LIMIT_SAMPLES = 1 << 25  # of replaying all cases, silence until points stand still included
_NAMES = ("input", "points", "shares", "output", "tolerance")


class GridPlayer(Protocol):
    """A grid's graph in some runtime."""

    def feeds(self, weights: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Weights by name, of one point or a mix, as `run` takes them."""

    def run(self, rows: Audio, state: State, feeds: Mapping[str, NDArray[Any]]) -> tuple[Audio, State]:
        """One block: (rows, samples) and its state (rows, ...) -> the same."""


OpenGrid = Callable[[Path, GridIndex], GridPlayer]


@dataclass(frozen=True)
class GridCase:
    """What shall be heard at one place.

    Args:
        points: Numbers of the points that surround it; one at a point.
        shares: Of each.
        output: Expected, (samples,).
        tolerance: How far a player may be from it, sample value.
    """

    points: tuple[int, ...]
    shares: tuple[float, ...]
    output: Audio
    tolerance: float


@dataclass(frozen=True)
class GridFiles:
    """What a bundle's grid holds: its index, the tensors of all points, and the golden cases with their input."""

    index: GridIndex
    tensors: Tensors
    input: Audio
    cases: tuple[GridCase, ...]

    @property
    def samples(self) -> int:
        """How many all cases together take to be replayed."""
        return sum(self._samples_of(case) for case in self.cases)

    def _samples_of(self, case: GridCase) -> int:
        if self.index.rule == "outputs":
            return len(case.points) * len(self.input)
        settled = [self.index.points[point].settle_samples for point in case.points]
        return len(self.input) + (max(settled) if len(settled) > 1 else 0)


def write_grid_golden(root: Path, input: Audio, cases: Sequence[GridCase]) -> None:
    """Writes what `verify_grid` replays: all cases play `input` (samples,), from rest."""
    corners = max(len(case.points) for case in cases)
    points = np.zeros((len(cases), corners), np.int64)
    shares = np.zeros((len(cases), corners))
    for row, case in enumerate(cases):
        points[row, : len(case.points)] = case.points
        shares[row, : len(case.points)] = case.shares
    arrays: Tensors = {
        "input": np.asarray(input, np.float32),
        "points": points,
        "shares": shares,
        "output": np.stack([case.output for case in cases]).astype(np.float32),
        "tolerance": np.array([case.tolerance for case in cases]),
    }
    write_arrays(root / GOLDEN, arrays)


def verify_grid(root: Path, manifest: Manifest, open_grid: OpenGrid) -> TargetResult:
    """Checks a grid's index and tensors, and replays its golden cases.

    Args:
        root: The bundle's folder, its hashes checked.
        manifest: Of a bundle with a grid.
        open_grid: The runtime for its graph.

    Raises:
        BundleError: The first fault found, with the file at fault.
    """
    return replay_grid(root, manifest, read_grid(root, manifest), open_grid)


def read_grid(root: Path, manifest: Manifest) -> GridFiles:
    """Reads a grid's index, tensors and golden cases, all checked; plays nothing.

    Raises:
        BundleError: The first fault found, with the file at fault.
    """
    index, tensors = check_grid(root, manifest)
    input, cases = read_grid_golden(root, index)
    files = GridFiles(index, tensors, input, tuple(cases))
    if files.samples > WORK_LIMIT_SAMPLES or files.samples // _block(manifest) > GOLDEN_LIMIT_BLOCKS:
        found = f"cases that take {files.samples} samples altogether, in blocks of {_block(manifest)}"
        expected = f"at most {WORK_LIMIT_SAMPLES}, in at most {GOLDEN_LIMIT_BLOCKS} blocks"
        raise MalformedFileError.about(root, GOLDEN, found, expected)
    return files


def replay_grid(root: Path, manifest: Manifest, files: GridFiles, open_grid: OpenGrid) -> TargetResult:
    """Replays a grid's golden cases.

    Raises:
        BrokenTargetError: The runtime refuses the graph, or fails.
        ReplayMismatchError: It plays something else.
    """
    block = _block(manifest)
    try:
        player = open_grid(root, files.index)
        results = tuple(
            _replayed(player, files.index, files.tensors, files.input, case, block) for case in files.cases
        )
    except BundleError:
        raise
    except Exception as error:  # every runtime has exceptions of its own
        found = f"a grid that its runtime refuses or that fails ({type(error).__name__}: {error})"
        raise BrokenTargetError.about(root, GRAPH, found, "a working grid") from error
    result = TargetResult("grid", GRAPH, results)
    judge(root, result)
    return result


def read_grid_golden(root: Path, index: GridIndex) -> tuple[Audio, list[GridCase]]:
    """The input, (samples,), and the cases.

    Raises:
        MissingFileError: There is none.
        MalformedFileError: Arrays that do not fit the index or each other.
    """
    check_there(root, GOLDEN)
    arrays = read_arrays(root, GOLDEN, _NAMES, 4 * GOLDEN_LIMIT_SAMPLES)
    input, points, shares, output, tolerance = (arrays[name] for name in _NAMES)
    cases = len(points)
    fits = (
        [array.dtype.name for array in arrays.values()]
        == ["float32", "int64", "float64", "float32", "float64"]
        and input.ndim == 1
        and points.ndim == 2
        and points.shape == shares.shape
        and points.shape[1] <= 1 << len(index.axes)
        and output.shape == (cases, len(input))
        and tolerance.shape == (cases,)
        and 1 <= cases <= CASE_LIMIT
        and bool(((points >= 0) & (points < len(index.points))).all())
        and all(bool(np.isfinite(array).all()) for array in arrays.values())
        and bool(np.allclose(shares.sum(axis=1), 1) and (shares >= 0).all())
    )
    if not fits:
        shapes = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items())
        raise MalformedFileError.about(root, GOLDEN, shapes, "arrays that fit the grid, and finite numbers")
    found = []
    for row in range(cases):
        some = shares[row] > 0
        numbers, parts = tuple(points[row][some].tolist()), tuple(shares[row][some].tolist())
        found.append(GridCase(numbers, parts, output[row], float(tolerance[row])))
    return input, found


def heard(
    player: GridPlayer,
    index: GridIndex,
    tensors: Tensors,
    input: Audio,
    mix: Mapping[int, float],
    block_samples: int,
) -> Audio:
    """What a grid plays held at a mix of points, from rest: (samples,) -> (samples,).

    With the rule "weights" rest is where the mixed net comes to on silence from the mix of its points' rests.
    """
    if index.rule == "outputs" or len(mix) == 1:
        outputs = [
            np.float32(share) * _played(player, point_of(tensors, point), input, block_samples, 0)
            for point, share in mix.items()
        ]
        total: Audio = np.sum(outputs, axis=0, dtype=np.float32)
        return total
    settle_samples = max(index.points[point].settle_samples for point in mix)
    return _played(player, mixed(tensors, mix), input, block_samples, settle_samples)


def mixed(tensors: Tensors, mix: Mapping[int, float]) -> Tensors:
    """Tensors between points; of whole numbers those of the point with the largest share."""
    largest = max(mix, key=lambda point: mix[point])
    return {
        name: sum(
            (array[point] * array.dtype.type(share) for point, share in mix.items()), np.zeros_like(array[0])
        )
        if array.dtype.kind == "f"
        else array[largest]
        for name, array in tensors.items()
    }


def grid_step(player: GridPlayer, weights: Mapping[str, NDArray[Any]]) -> Step:
    """The graph with these weights as a step without controls."""
    feeds = player.feeds(weights)

    def step(input: Audio, controls: Audio, state: State) -> tuple[Audio, State]:
        output, after = player.run(input[:, 0], state, feeds)
        return output[:, np.newaxis], after

    return step


def parts_of(tensors: Tensors) -> tuple[Tensors, State]:
    """One point's weights and its rest state, by name."""
    weights = {n.removeprefix("weight/"): array for n, array in tensors.items() if n.startswith("weight/")}
    rest = {n.removeprefix("rest/"): array for n, array in tensors.items() if n.startswith("rest/")}
    return weights, rest


def _block(manifest: Manifest) -> int:
    hop, most = manifest.hop_samples, manifest.max_block_samples
    block = -(-BLOCK_SAMPLES // hop) * hop
    return block if most is None else max(min(block, most // hop * hop), hop)


def _played(
    player: GridPlayer, tensors: Tensors, input: Audio, block_samples: int, settle_samples: int
) -> Audio:
    weights, rest = parts_of(tensors)
    feeds = player.feeds(weights)
    state = {name: value[np.newaxis] for name, value in rest.items()}
    silence = np.zeros((1, block_samples), np.float32)
    for _ in range(0, settle_samples if state else 0, block_samples):
        _, state = player.run(silence, state, feeds)
    output = np.empty_like(input)
    for start in range(0, len(input), block_samples):
        block = slice(start, start + block_samples)
        rows, state = player.run(input[np.newaxis, block], state, feeds)
        output[block] = rows[0]
    return output


def _replayed(
    player: GridPlayer, index: GridIndex, tensors: Tensors, input: Audio, case: GridCase, block: int
) -> CaseResult:
    mix = dict(zip(case.points, case.shares, strict=True))
    output = heard(player, index, tensors, input, mix, block)
    places = ", ".join(str(index.points[point].index) for point in case.points)
    name = f"at point {places}" if len(case.points) == 1 else f"between points {places}"
    error = output.astype(np.float64) - case.output
    return CaseResult(
        name,
        float(np.abs(error).max()),
        case.tolerance,
        float(np.square(error).sum()),
        float(np.square(case.output, dtype=np.float64).sum()),
    )
