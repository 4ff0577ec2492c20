"""Verifying a grid: its index and tensors are checked, and its golden cases replayed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tapezoo.blocks import allowed_block
from tapezoo.bundle.errors import BundleError
from tapezoo.bundle.golden import CaseResult
from tapezoo.bundle.grid.golden import GOLDEN, GridCase, read_grid_golden
from tapezoo.bundle.grid.index import GRAPH, GridIndex
from tapezoo.bundle.grid.play import GridPlayer, OpenGrid, play_mix
from tapezoo.bundle.grid.tensors import Tensors, check_grid
from tapezoo.bundle.limits import GOLDEN_LIMIT_BLOCKS
from tapezoo.bundle.manifest import Manifest
from tapezoo.bundle.play import Audio
from tapezoo.bundle.replay import judge
from tapezoo.bundle.results import TargetResult

BLOCK_SAMPLES = 333  # odd, so that it is no block length a graph could have been traced with
WORK_LIMIT_SAMPLES = 1 << 25  # of replaying all cases, silence until points stand still included


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
        found = f"cases of {files.samples} samples altogether, in blocks of {_block(manifest)}"
        expected = f"at most {WORK_LIMIT_SAMPLES}, in at most {GOLDEN_LIMIT_BLOCKS} blocks"
        raise BundleError.about(root, GOLDEN, found, expected)
    return files


def replay_grid(root: Path, manifest: Manifest, files: GridFiles, open_grid: OpenGrid) -> TargetResult:
    """Replays a grid's golden cases.

    Raises:
        BundleError: The runtime refuses the graph, or fails. It plays something else.
    """
    block = _block(manifest)
    try:
        player = open_grid(root, files.index)
        results = tuple(
            _replay_case(player, files.index, files.tensors, files.input, case, block) for case in files.cases
        )
    except BundleError:
        raise
    except Exception as error:  # every runtime has exceptions of its own
        found = f"a grid that its runtime rejects or that fails ({type(error).__name__}: {error})"
        raise BundleError.about(root, GRAPH, found, "a working grid") from error
    result = TargetResult("grid", GRAPH, results)
    judge(root, result)
    return result


def _block(manifest: Manifest) -> int:
    return allowed_block(BLOCK_SAMPLES, manifest.hop_samples, manifest.max_block_samples)


def _replay_case(
    player: GridPlayer, index: GridIndex, tensors: Tensors, input: Audio, case: GridCase, block: int
) -> CaseResult:
    mix = dict(zip(case.points, case.shares, strict=True))
    output = play_mix(player, index, tensors, input, mix, block)
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
