"""grid/: one machine sampled at points of its controls; the index holds the points' places and how to play between.

    grid/index.json            this module's `GridIndex`
    grid/model.onnx            (input, state..., weight...) -> (output, next state...), for every point
    grid/weights.safetensors   "weight/NAME" (points, *shape) and "rest/NAME" (points, *shape)

Points stand in the order of the axes, the last one fastest. A *cell* is the region between neighbouring points.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.blocks import whole_hops
from tapezoo.bundle import documents
from tapezoo.bundle.documents import (
    FAULTS,
    SHA256,
    TEXT,
    count,
    distinct,
    fields_of,
    items,
    mapping,
    matching,
    number,
)
from tapezoo.bundle.errors import BundleError
from tapezoo.bundle.limits import SETTLE_LIMIT_SAMPLES
from tapezoo.bundle.manifest import Manifest, StateTensor
from tapezoo.bundle.manifest_file import read_state_tensor
from tapezoo.controls import Control
from tapezoo.errors import TapezooError

GRID_SCHEMA_VERSION = 3
INDEX, GRAPH, WEIGHTS = "grid/index.json", "grid/model.onnx", "grid/weights.safetensors"
RULES = ("weights", "outputs")
KINDS = ("sampled", "independent")
GLIDES = ("line", "mean")
SINCE_2: dict[str, Any] = {"glide": "line"}  # defaults for version 1, which lacks these fields
SINCE_3: dict[str, Any] = {"smoothing_samples": None}
STRETCH_SAMPLES = 64  # 1.5 ms at 44.1 kHz
SMOOTHING_SAMPLES_BEFORE_3 = 1024
POINT_LIMIT = 100_000
AXIS_LIMIT = 6  # a cell of six axes has 64 corners
TENSOR_LIMIT = 10_000


@dataclass(frozen=True)
class GridAxis:
    """One control that was sampled.

    Args:
        control: Its name in the manifest.
        positions: Where, 0..1 as nets take it, strictly rising; two or more.
        values: The same in the control's unit.
        unit: As the manifest has it.
        default: In that unit, as the manifest has it.
        curve: As the manifest has it: how positions and values belong together.
    """

    control: str
    positions: tuple[float, ...]
    values: tuple[float, ...]
    unit: str = ""
    default: float = 0.5
    curve: str = "linear"

    @classmethod
    def of(cls, control: Control, positions: Iterable[float], values: Iterable[float]) -> GridAxis:
        """The axis of a control."""
        return cls(
            control.name, tuple(positions), tuple(values), control.unit, control.default, control.curve
        )


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
        preroll_samples: Input that a newly entered independent point plays before it is audible; 0 for sampled ones.
        crossfade_samples: Over which a newly entered independent point comes in.
        error: The measured interpolation error: "reference", "max_esr", "cells": rows with "cell", "esr".
        cost: As the manifest's, for the grid's graph.
        size_bytes: Of one point's tensors.
        glide: How controls move on: "mean" of the last targets, or "line": anew with every target (version 1).
        smoothing_samples: What a control takes to a new place; None: see `glide_samples`.
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
    glide: str = "mean"
    smoothing_samples: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Points on each axis."""
        return tuple(len(axis.positions) for axis in self.axes)

    def glide_samples(self, hop_samples: int) -> int:
        """What a control takes to a new place; up to version 2: 1024 samples, rounded up to whole stretches."""
        return self.smoothing_samples or _glide_samples_before_3(hop_samples)

    def to_json(self) -> str:
        """The text of index.json: of version 2 where its readers play it right."""
        document = {"schema_version": GRID_SCHEMA_VERSION, **asdict(self)}
        if self.smoothing_samples is None:
            del document["smoothing_samples"]
            document["schema_version"] = 2
        return json.dumps(document, indent=2, allow_nan=False) + "\n"


def stretch_samples(hop_samples: int) -> int:
    """How often a player of a grid mixes its points anew while controls move, in whole hops."""
    return whole_hops(STRETCH_SAMPLES, hop_samples)


def smoothing_for_index(smoothing_samples: int, hop_samples: int) -> int | None:
    """The index's entry for the glide of the sampled net; None if the default of version 2 is the same.

    A net that glides in no way, or in its own (0), leaves the grid to the glide of version 2: mixes that jump click.
    """
    return smoothing_samples if smoothing_samples not in (0, _glide_samples_before_3(hop_samples)) else None


def _glide_samples_before_3(hop_samples: int) -> int:
    return whole_hops(SMOOTHING_SAMPLES_BEFORE_3, stretch_samples(hop_samples))


def point_sha256(tensors: dict[str, NDArray[Any]]) -> str:
    """sha256 over names and bytes of one point's tensors, sorted by name ("weight/NAME", "rest/NAME")."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode() + b"\0" + np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()


def read_grid_index(root: Path, manifest: Manifest) -> GridIndex:
    """Reads and checks the index of a bundle's grid.

    Raises:
        BundleError: It is not as `GridIndex` says, or contradicts the manifest.
    """
    document = documents.read_document(root, INDEX, "the index of a grid")
    try:
        index = _read(document)
        _check_axes(index, manifest)
    except (*FAULTS, TapezooError) as error:
        raise BundleError.about(root, INDEX, str(error), "the index of a grid") from error
    return index


def _read(document: dict[str, Any]) -> GridIndex:
    version = document.get("schema_version")
    if isinstance(version, bool) or version not in (1, 2, GRID_SCHEMA_VERSION):
        raise ValueError(f"schema version {version!r}, not 1 to {GRID_SCHEMA_VERSION}")
    later: dict[str, Any] = {1: {**SINCE_2, **SINCE_3}, 2: SINCE_3, 3: {}}[version]
    names = {"schema_version", *GridIndex.__dataclass_fields__}
    fields = {**later, **fields_of(document, names - set(later))}
    if fields["glide"] not in GLIDES:
        raise ValueError(f"glide {fields['glide']!r}")
    if fields["kind"] not in KINDS or fields["rule"] not in RULES:
        raise ValueError(f"kind {fields['kind']!r} or rule {fields['rule']!r}")
    if fields["kind"] == "independent" and fields["rule"] != "outputs":
        raise ValueError("independent points with interpolated weights, which have no meaning in common")
    index = GridIndex(
        kind=fields["kind"],
        rule=fields["rule"],
        axes=items(fields["axes"], _axis, 1, AXIS_LIMIT),
        held={name: number(value) for name, value in mapping(fields["held"]).items()},
        state=items(fields["state"], read_state_tensor),
        weights=items(fields["weights"], lambda name: matching(f"(?!$){TEXT}", name), most=TENSOR_LIMIT),
        points=items(fields["points"], _point, 2, POINT_LIMIT),
        preroll_samples=count(fields["preroll_samples"], most=SETTLE_LIMIT_SAMPLES),
        crossfade_samples=count(fields["crossfade_samples"], most=SETTLE_LIMIT_SAMPLES),
        error=mapping(fields["error"]),
        cost=mapping(fields["cost"]),
        size_bytes=count(fields["size_bytes"], most=1 << 40),
        glide=fields["glide"],
        smoothing_samples=None
        if version < 3
        else count(fields["smoothing_samples"], 1, SETTLE_LIMIT_SAMPLES),
    )
    distinct(index.weights)
    distinct([tensor.name for tensor in index.state])
    return index


def _axis(value: Any) -> GridAxis:
    fields = fields_of(value, ["control", "positions", "values", "unit", "default", "curve"])
    positions = items(fields["positions"], lambda position: float(number(position, 0, 1)), 2, POINT_LIMIT)
    values = items(fields["values"], lambda found: float(number(found)), 2, POINT_LIMIT)
    control = matching(f"(?!$){TEXT}", fields["control"])
    if len(positions) != len(values) or not all(low < high for low, high in pairwise(positions)):
        raise ValueError(
            f"the positions of axis {control!r}, which do not rise or are not as many as its values"
        )
    told = matching(TEXT, fields["unit"]), float(number(fields["default"])), matching(TEXT, fields["curve"])
    return GridAxis(control, positions, values, *told)


def _point(value: Any) -> GridPoint:
    fields = fields_of(value, ["index", "sha256", "max_abs_error", "settle_samples", "source"])
    return GridPoint(
        index=items(fields["index"], count, 1, AXIS_LIMIT),
        sha256=matching(SHA256, fields["sha256"]),
        max_abs_error=number(fields["max_abs_error"], 0),
        settle_samples=count(fields["settle_samples"], most=SETTLE_LIMIT_SAMPLES),
        source=matching(r"(?s).{0,4096}", fields["source"]),
    )


def _check_axes(index: GridIndex, manifest: Manifest) -> None:
    controls = {control.name: control for control in manifest.controls}
    names = [axis.control for axis in index.axes] + list(index.held)
    if sorted(names) != sorted(controls):
        raise ValueError(f"the controls {', '.join(names)}, other than the manifest's")
    for name, value in index.held.items():
        controls[name].normalize(value)
    for axis in index.axes:
        control = controls[axis.control]
        if (axis.unit, axis.default, axis.curve) != (control.unit, control.default, control.curve):
            raise ValueError(f"unit, default or curve of {axis.control!r}, other than the manifest's")
        for position, value in zip(axis.positions, axis.values, strict=True):
            if abs(control.denormalize(position) - value) > 1e-6 * (control.max - control.min):
                raise ValueError(f"{axis.control} = {value:g}, which is not at position {position:g}")
    if prod(index.shape) != len(index.points) or any(
        point.index != found for point, found in zip(index.points, np.ndindex(*index.shape), strict=True)
    ):
        raise ValueError("points that are not those of the axes")
