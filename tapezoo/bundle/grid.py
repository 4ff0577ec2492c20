"""grid/: one machine sampled at points of its controls; the index says what is where, and how to play between.

    grid/index.json            this module's `GridIndex`
    grid/model.onnx            (input, state..., weight...) -> (output, next state...), for every point
    grid/weights.safetensors   "weight/NAME" (points, *shape) and "rest/NAME" (points, *shape)

Points stand in the order of the axes, the last one fastest. A *cell* is the region between neighbouring points.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle.errors import MalformedFileError
from tapezoo.bundle.manifest import MANIFEST_LIMIT_BYTES, Manifest, StateTensor

GRID_SCHEMA_VERSION = 1
INDEX, GRAPH, WEIGHTS = "grid/index.json", "grid/model.onnx", "grid/weights.safetensors"
RULES = ("weights", "outputs")
KINDS = ("sampled", "independent")
POINT_LIMIT = 100_000
AXIS_LIMIT = 6  # a cell of six axes has 64 corners


@dataclass(frozen=True)
class GridAxis:
    """One control that was sampled.

    Args:
        control: Its name in the manifest.
        positions: Where, 0..1 as nets take it, strictly rising; two or more.
        values: The same in the control's unit.
    """

    control: str
    positions: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class GridPoint:
    """One point.

    Args:
        index: On each axis.
        sha256: Of its tensors, see `point_sha256`.
        max_abs_error: Of the graph with this point's weights against the net held there, sample value.
        settle_samples: Of silence until it stands still.
        source: Where its weights come from, for points trained independently; "" for sampled ones.
    """

    index: tuple[int, ...]
    sha256: str
    max_abs_error: float
    settle_samples: int
    source: str = ""


@dataclass(frozen=True)
class GridIndex:
    """Everything a player needs to know of a grid, and what was measured.

    Args:
        kind: "sampled" from one conditioned net: points share what their state means; or "independent".
        rule: "weights": they are interpolated, multilinearly in the positions, and one net runs; "outputs": all
            corners of the cell run, and their outputs are interpolated.
        axes: Order of the points.
        held: Controls that are no axis, at the value, in their unit, at which they were folded; nothing moves them.
        state: Of the graph, in its order: inputs `state_<name>`, outputs `next_<name>`.
        weights: Names in the graph's order: inputs `weight_<name>`, tensors "weight/<name>".
        points: In C order of the axes.
        preroll_samples: Of input a newly entered independent point hears before it is heard; 0 for sampled ones.
        crossfade_samples: Over which a newly entered independent point comes in.
        error: The measured interpolation error: "reference", "max_esr", "cells": rows with "cell", "esr".
        cost: As the manifest's, for the grid's graph.
        size_bytes: Of one point's tensors.
    """

    kind: str
    rule: str
    axes: tuple[GridAxis, ...]
    held: dict[str, float]
    state: tuple[StateTensor, ...]
    weights: tuple[str, ...]
    points: tuple[GridPoint, ...]
    preroll_samples: int
    crossfade_samples: int
    error: dict[str, Any]
    cost: dict[str, Any]
    size_bytes: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Points on each axis."""
        return tuple(len(axis.positions) for axis in self.axes)

    def to_json(self) -> str:
        """The text of index.json."""
        document = {"schema_version": GRID_SCHEMA_VERSION, **asdict(self)}
        return json.dumps(document, indent=2, allow_nan=False) + "\n"


def point_sha256(tensors: dict[str, NDArray[Any]]) -> str:
    """sha256 over names and bytes of one point's tensors, sorted by name ("weight/NAME", "rest/NAME")."""
    import hashlib

    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode() + b"\0" + np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()


def read_grid_index(root: Path, manifest: Manifest) -> GridIndex:
    """Reads and checks the index of a bundle's grid.

    Raises:
        MalformedFileError: It is not as `GridIndex` says, or contradicts the manifest.
    """
    try:
        path = root / INDEX
        if path.stat().st_size > MANIFEST_LIMIT_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes")
        return _checked(json.loads(path.read_text(encoding="utf-8")), manifest)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise MalformedFileError.about(root, INDEX, str(error), "the index of a grid") from error


def _checked(document: dict[str, Any], manifest: Manifest) -> GridIndex:
    version = document.pop("schema_version")
    if version != GRID_SCHEMA_VERSION:
        raise ValueError(f"schema version {version!r}, not {GRID_SCHEMA_VERSION}")
    axes = tuple(
        GridAxis(axis["control"], _floats(axis["positions"]), _floats(axis["values"]))
        for axis in document.pop("axes")
    )
    state = tuple(
        StateTensor(tensor["name"], tuple(map(int, tensor["shape"])), tensor["dtype"])
        for tensor in document.pop("state")
    )
    points = tuple(
        GridPoint(**{**point, "index": tuple(map(int, point["index"]))}) for point in document.pop("points")
    )
    index = GridIndex(
        axes=axes, state=state, points=points, weights=tuple(document.pop("weights")), **document
    )
    names = [axis.control for axis in index.axes] + list(index.held)
    if sorted(names) != sorted(control.name for control in manifest.controls):
        raise ValueError(f"the controls {', '.join(names)}, other than the manifest's")
    if index.kind not in KINDS or index.rule not in RULES:
        raise ValueError(f"kind {index.kind!r} or rule {index.rule!r}")
    if not 1 <= len(index.axes) <= AXIS_LIMIT:
        raise ValueError(f"{len(index.axes)} axes")
    for axis in index.axes:
        rising = all(low < high for low, high in pairwise(axis.positions))
        inside = all(0 <= position <= 1 for position in axis.positions)
        if len(axis.positions) < 2 or len(axis.values) != len(axis.positions) or not (rising and inside):
            raise ValueError(f"the positions of axis {axis.control!r}")
    if prod(index.shape) > POINT_LIMIT or [point.index for point in index.points] != [
        tuple(map(int, found)) for found in np.ndindex(*index.shape)
    ]:
        raise ValueError("points that are not those of the axes")
    return index


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
