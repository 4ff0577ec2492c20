"""The bundle of a grid whose points were trained apart: load and export them, pass the gate, measure, assemble."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tapezoo.blocks import whole_hops
from tapezoo.bundle import Manifest, Verification
from tapezoo.bundle.golden import tolerance_of
from tapezoo.bundle.grid.golden import GridCase, write_grid_golden
from tapezoo.bundle.grid.index import INDEX, GridIndex
from tapezoo.bundle.grid.play import grid_step, split_point
from tapezoo.bundle.grid.tensors import point_of, read_tensors
from tapezoo.bundle.play import Audio
from tapezoo.export.assemble import assemble, describe_bundle
from tapezoo.export.cost import measure_cost
from tapezoo.export.golden import golden_input
from tapezoo.export.grid.checkpoints.index_file import GridFile
from tapezoo.export.grid.checkpoints.points import TrainedPoint, load_points, sample_checkpoints
from tapezoo.export.grid.checkpoints.reference import check_reference, measure_reference_error
from tapezoo.export.grid.cpp import check_writable, write_grid_cpp
from tapezoo.export.grid.error import mix_at
from tapezoo.export.grid.gate import pass_gate
from tapezoo.export.grid.part import cost_of
from tapezoo.export.grid.sample import Held, Sample, excerpt_of
from tapezoo.export.grid.write import write_grid
from tapezoo.export.played import Played
from tapezoo.export.trained import programme
from tapezoo.runtime.grid.graph import GridGraph

# 0.19 s at 44.1 kHz: playing it is what entering a point costs, all at once
PREROLL_LIMIT_SAMPLES = 8192
# points come in at a share of 0 as it is; a longer fade makes the sweep itself less smooth (docs/grids.md)
CROSSFADE_SAMPLES = 64


def build_grid(
    file: GridFile,
    out: Path,
    overwrite: bool = False,
    progress: Callable[[str], None] = lambda step: None,
    cpp: bool = False,
) -> Verification:
    """Builds the bundle; the folder `out` appears only when everything passed.

    Args:
        file: See `read_grid_file`.
        out: The bundle's folder; its parent must exist.
        overwrite: Replace a bundle at `out`, after the new one was verified.
        progress: Called with each step's name.
        cpp: Whether the grid is also written as C++, see `tapezoo.export.grid.cpp`.

    Returns:
        What verifying the finished bundle said, with its manifest.

    Raises:
        GridError: See `load_points`.
        As `check_reference`.
        GridError: Points whose graphs differ, or that cannot be written as C++.
        ParityError: A point that does not sound like its checkpoint, or as C++ another grid than its player.
        OutputExistsError, NotReplaceableError, UnwritableOutputError: See `staged_folder`.
    """

    def write(folder: Path) -> tuple[Manifest, Played]:
        progress("reading the checkpoints")
        points = load_points(file.points)
        net, sample_rate = points[0].net, points[0].sample_rate
        check_reference(file, sample_rate)
        if cpp:
            check_writable([point.net for point in points], len(points))
        excerpt = excerpt_of(golden_input(programme(sample_rate), net.hop_samples)[0], net.hop_samples)
        metadata = {"sample_rate": str(sample_rate), "architecture": points[0].architecture}
        samples = sample_checkpoints(points, excerpt, metadata, progress)
        index = _write_index(folder, file, points, samples)
        progress("comparing every point with its checkpoint")
        index = pass_gate(folder, index, Held(samples[0].folded, (), (), {}, excerpt), samples)
        _write_golden(folder, index, samples, excerpt)
        manifest = describe_bundle(
            net,
            architecture=points[0].architecture,
            sample_rate=sample_rate,
            controls=file.controls,
            settle_samples=max(point.settle_samples for point in index.points),
            state=index.state,
            metrics=_metrics(points),
            provenance=_provenance(points),
            grid=INDEX,
        )
        progress("measuring the cost of the grid")
        index = replace(index, cost=_measure_cost(folder, index, manifest, excerpt))
        index = replace(index, error=measure_reference_error(file, samples, sample_rate, progress))
        (folder / INDEX).write_text(index.to_json(), encoding="utf-8")
        manifest = replace(manifest, cost={"grid": cost_of(index)})
        if cpp:
            progress("comparing the grid as C++ with its player")
            rows = write_grid_cpp(folder, manifest, index, samples, excerpt)
            manifest = replace(manifest, parity=rows)
        return manifest, Played()

    return assemble(out, overwrite, write, {}, progress)


def _write_index(
    folder: Path, file: GridFile, points: Sequence[TrainedPoint], samples: Sequence[Sample]
) -> GridIndex:
    index = write_grid(folder, file.axes, {}, "outputs", samples)
    longest = max(sample.settle_samples for sample in samples)
    hop = samples[0].folded.hop_samples
    return replace(
        index,
        kind="independent",
        points=tuple(
            replace(entry, source=f"{point.file.written} sha256:{point.sha256}")
            for entry, point in zip(index.points, points, strict=True)
        ),
        preroll_samples=whole_hops(min(longest, PREROLL_LIMIT_SAMPLES), hop),
        crossfade_samples=CROSSFADE_SAMPLES,
    )


def _write_golden(folder: Path, index: GridIndex, samples: Sequence[Sample], excerpt: Audio) -> None:
    """The first, middle and last point, and the middle of the first cell."""
    numbers = dict.fromkeys([0, len(samples) // 2, len(samples) - 1])
    cases = [GridCase((n,), (1.0,), samples[n].heard, tolerance_of(samples[n].heard)) for n in numbers]
    mix = mix_at(index.axes, tuple((axis.positions[0] + axis.positions[1]) / 2 for axis in index.axes))
    between = np.sum([np.float32(share) * samples[point].heard for point, share in mix.items()], axis=0)
    allowed = max(tolerance_of(samples[point].heard) for point in mix)
    cases.append(GridCase(tuple(mix), tuple(mix.values()), between, allowed))
    write_grid_golden(folder, excerpt, cases)


def _metrics(points: Sequence[TrainedPoint]) -> dict[str, float]:
    """The largest and the mean of the points' validation errors; NaN where one is not finite or missing."""
    errors = [float(point.metrics.get("val_esr", math.nan)) for point in points]
    if not all(map(math.isfinite, errors)):
        return {"val_esr": math.nan}
    return {"val_esr": max(errors), "val_esr_mean": sum(errors) / len(errors)}


def _provenance(points: Sequence[TrainedPoint]) -> dict[str, Any]:
    hashes = [str(point.provenance.get("dataset_hash") or "") for point in points]
    return {
        "made_of": "checkpoints trained separately, one per point",
        # only if every point has one: two grids with unknown data must not count as scored on the same
        "dataset_hash": hashlib.sha256("\n".join(hashes).encode()).hexdigest() if all(hashes) else "",
        "points": {
            point.file.name: {
                "checkpoint": point.file.written,
                "sha256": point.sha256,
                "val_esr": str(point.metrics.get("val_esr", "")),
                "dataset_hash": data,
            }
            for point, data in zip(points, hashes, strict=True)
        },
    }


def _measure_cost(folder: Path, index: GridIndex, manifest: Manifest, excerpt: Audio) -> dict[str, Any]:
    """Cost of one running point; between points all corners of the cell run. "enter": cost of starting a point."""
    player = GridGraph(folder, index)
    weights, rest = split_point(point_of(read_tensors(folder, index), len(index.points) // 2))
    none = np.zeros(0, np.float32)
    cost = measure_cost(grid_step(player, weights), manifest, excerpt[np.newaxis], rest, none)
    silence = np.zeros((1, max(index.preroll_samples, manifest.hop_samples)), np.float32)
    state = {name: value[np.newaxis] for name, value in rest.items()}
    feeds = player.feeds(weights)
    seconds = []
    for _ in range(5):
        start = time.thread_time()
        player.run(silence, state, feeds)
        seconds.append(time.thread_time() - start)
    entering = {"preroll_samples": index.preroll_samples, "milliseconds": 1000 * sorted(seconds)[2]}
    return {**cost, "corners": 2 ** len(index.axes), "enter": entering}
