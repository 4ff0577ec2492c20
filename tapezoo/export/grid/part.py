"""grid/ of a bundle, sampled from its conditioned net."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tapezoo.bundle import Manifest, read_rest
from tapezoo.bundle.grid.index import INDEX, GridAxis, GridIndex, smoothing_for_index
from tapezoo.bundle.grid.play import grid_step, split_point
from tapezoo.bundle.grid.tensors import point_of, read_tensors
from tapezoo.bundle.play import Audio
from tapezoo.controls import control_vector
from tapezoo.export.cost import FIELDS, measure_costs
from tapezoo.export.errors import GridError
from tapezoo.export.grid.cpp import check_writable, write_grid_cpp
from tapezoo.export.grid.error import describe_error, measure_errors
from tapezoo.export.grid.gate import pass_gate, write_golden_cases
from tapezoo.export.grid.refine import Cell, measure_cells, refine_axes
from tapezoo.export.grid.sample import Held, Place, Sample, excerpt_of, places_of, sample_places
from tapezoo.export.grid.spec import check_size
from tapezoo.export.grid.write import write_grid
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.net import Net
from tapezoo.runtime.grid.graph import GridGraph


@dataclass(frozen=True)
class GridPart:
    """Samples a conditioned net at points of its controls; see `tapezoo.export.targets.target.Part`.

    Args:
        axes: Where to begin, see `parse_axes`.
        held: Every other control, in its unit, see `parse_held`.
        rule: See `GridIndex`.
        max_error: ESR that no cell's middle shall pass; None: the axes are taken as they are.
        max_points: Where refining ends with the error reached.
        cpp: Whether the grid is also written as C++, see `tapezoo.export.grid.cpp`.
    """

    axes: tuple[GridAxis, ...]
    held: Mapping[str, float] = field(default_factory=dict)
    rule: str = "weights"
    max_error: float | None = None
    max_points: int = 256
    cpp: bool = False

    def check(self, net: Net) -> None:
        """Refuses, in no time, what `write` cannot do.

        Raises:
            UnfoldableError: The net's controls cannot become constants.
            GridError: More points than `max_points`. A grid that cannot be written as C++.
        """
        if self.max_error is not None:
            check_size(self.axes, self.max_points)
        net.folded(torch.full((net.num_controls,), 0.5))
        if self.cpp:
            # near both ends of every control: at the ends themselves numbers may happen to be equal
            ends = (net.folded(torch.full((net.num_controls,), at)) for at in (0.1, 0.8))
            check_writable(list(ends), prod(len(axis.positions) for axis in self.axes))

    def write(
        self,
        folder: Path,
        net: Net,
        manifest: Manifest,
        programme: Audio,
        progress: Callable[[str], None],
    ) -> Manifest:
        """See `Part.write`.

        Raises:
            UnfoldableError, GridError: See `check`.
            GridError: The points do not share a graph. Mixed weights give no sound somewhere between points.
            ParityError: A point does not sound like the net held there, or as C++ another grid than its player.
            ExportError: No graph could reproduce the net there: it amplifies rounding errors at that point.
        """
        self.check(net)
        excerpt = excerpt_of(programme[0], net.hop_samples)
        names = tuple(axis.control for axis in self.axes)
        held = Held(net, manifest.controls, names, self.held, excerpt)
        metadata = {"sample_rate": str(manifest.sample_rate), "architecture": manifest.architecture}
        known: dict[Place, Sample] = {}
        measured: dict[tuple[tuple[float, ...], ...], float] = {}

        def points_of(axes: Sequence[GridAxis]) -> list[Sample]:
            places = places_of(axes)
            missing = [place for place in places if place not in known]
            for sample in sample_places(held, missing, metadata):
                known[sample.place] = sample
                progress(f"folding the net at {len(places)} points, {len(known)} done")
            return [known[place] for place in places]

        def errors(axes: Sequence[GridAxis], places: Sequence[Place]) -> list[float]:
            # a place's error depends on the points around it alone: what was measured stays right
            keys = [_surroundings(axes, place) for place in places]
            new = {key: place for key, place in zip(keys, places, strict=True) if key not in measured}
            if new:
                samples = points_of(axes)
                index = write_grid(folder, axes, self.held, self.rule, samples)
                progress(f"measuring the error between {len(samples)} points")
                heard = [sample.heard for sample in samples]
                found = measure_errors(folder, index, held, list(new.values()), heard)
                measured.update(zip(new, found, strict=True))
            return [measured[key] for key in keys]

        controls = {control.name: control for control in manifest.controls}
        axes, cells = self.axes, []
        if self.max_error is None:
            cells = measure_cells(axes, errors)
        else:
            axes, cells = refine_axes(axes, controls, errors, self.max_error, self.max_points, progress)
        samples = points_of(axes)
        index = write_grid(folder, axes, self.held, self.rule, samples)
        _check_playable(cells, index)
        progress(f"comparing {len(samples)} points with the net held there")
        index = pass_gate(folder, index, held, samples)
        write_golden_cases(folder, index, held, samples, cells[0])
        progress("measuring the cost of the grid")
        index = replace(
            index,
            error=describe_error(cells, axes, controls, len(excerpt), self.max_error),
            smoothing_samples=smoothing_for_index(net.smoothing_samples, net.hop_samples),
            cost=_measure_cost(folder, index, manifest, programme[:1], samples[len(samples) // 2]),
        )
        (folder / INDEX).write_text(index.to_json(), encoding="utf-8")
        manifest = replace(manifest, grid=INDEX, cost={**manifest.cost, "grid": cost_of(index)})
        if self.cpp:
            progress("comparing the grid as C++ with its player")
            rows = write_grid_cpp(folder, manifest, index, samples, excerpt)
            manifest = replace(manifest, parity=(*manifest.parity, *rows))
        return manifest


def cost_of(index: GridIndex) -> dict[str, Any]:
    """What the manifest says of the speed of one point."""
    return {name: index.cost[name] for name in FIELDS}


def _surroundings(axes: Sequence[GridAxis], place: Place) -> tuple[tuple[float, ...], ...]:
    """On each axis: the position, and the nearest points at or around it."""
    return tuple(
        (
            position,
            max(known for known in axis.positions if known <= position),
            min(known for known in axis.positions if known >= position),
        )
        for axis, position in zip(axes, place, strict=True)
    )


def _check_playable(cells: Sequence[Cell], index: GridIndex) -> None:
    worst = cells[0]
    if np.isfinite(worst.esr):
        return
    place = ", ".join(
        f"{axis.control} from {axis.values[step]:g} to {axis.values[step + 1]:g}"
        for axis, step in zip(index.axes, worst.index, strict=True)
    )
    raise GridError(
        f"the grid between its points, {place}",
        found="an output that is not finite",
        expected=f"sound from interpolated {index.rule}",
        fix="No bundle was written. Sample more points there, or interpolate outputs (--grid-rule outputs).",
    )


def _measure_cost(
    folder: Path, index: GridIndex, manifest: Manifest, audio: Audio, middle: Sample
) -> dict[str, Any]:
    """Of the grid's graph, beside one point exported alone and the conditioned net, in the same run."""
    weights, rest = split_point(point_of(read_tensors(folder, index), len(index.points) // 2))
    none = np.zeros(0, np.float32)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "point.onnx"
        OnnxTarget().write(graph_of(middle.folded, {}), path)
        steps = {
            "grid": grid_step(GridGraph(folder, index), weights),
            "alone": OnnxTarget().open(path, list(rest)),
        }
        costs = measure_costs(steps, manifest, audio, rest, none)
        cost = {**costs["grid"], "one_point_alone": _compare_cost(costs["alone"], path)}
    if "onnx" in manifest.targets:
        path = folder / manifest.targets["onnx"]
        step = OnnxTarget().open(path, manifest.state_names)
        default = np.array(control_vector(manifest.controls, {}), dtype=np.float32)
        conditioned = measure_costs({"": step}, manifest, audio, read_rest(folder, manifest), default)[""]
        cost["conditioned"] = _compare_cost(conditioned, path)
    return cost


def _compare_cost(cost: dict[str, Any], path: Path) -> dict[str, Any]:
    return {"real_time_factor": cost["real_time_factor"], "size_bytes": path.stat().st_size}
