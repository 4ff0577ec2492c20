"""The nets of a grid whose points were trained apart, loaded and checked against each other."""

from __future__ import annotations

import copy
import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch

from tapezoo.bundle.play import Audio
from tapezoo.checkpoint import best_checkpoint, load_model, read_checkpoint
from tapezoo.errors import TapezooError
from tapezoo.export.errors import GridError
from tapezoo.export.grid.checkpoints.index_file import PointFile
from tapezoo.export.grid.graph import split_graph
from tapezoo.export.grid.sample import Sample, play_rows
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.net import Net
from tapezoo.play import settle

LOUD = 0.5  # sample value: what a net is brought out of its rest with


@dataclass(frozen=True)
class TrainedPoint:
    """One point, loaded.

    Args:
        file: Where it is and comes from.
        net: In evaluation mode.
        architecture: Its registered name.
        sample_rate: Hz.
        metrics: What its training measured.
        provenance: Of its checkpoint.
        sha256: Of the checkpoint's file.
    """

    file: PointFile
    net: Net
    architecture: str
    sample_rate: int
    metrics: dict[str, float]
    provenance: dict[str, Any]
    sha256: str


def load_points(files: Sequence[PointFile]) -> list[TrainedPoint]:
    """Loads every checkpoint and checks that all are one kind of net.

    Raises:
        GridError: The first point at fault, with its file.
    """
    points: list[TrainedPoint] = []
    for file in files:
        point = _load(file)
        _check_alike(point, points[0] if points else point)
        points.append(point)
    return points


def sample_checkpoints(
    points: Sequence[TrainedPoint],
    excerpt: Audio,
    metadata: dict[str, str],
    progress: Callable[[str], None],
) -> list[Sample]:
    """Settles, listens to and exports every point, as `tapezoo.export.grid.sample.sampled` does for folded nets.

    `settle_samples` of a point is the silence after which nothing is left of a loud passage.

    Args:
        points: One per point of the grid.
        excerpt: What they play, (samples,), whole hops.
        metadata: Of the graph.
        progress: Called with each step's name.
    """
    samples = []
    none = torch.zeros(1, 0)
    for number, point in enumerate(points, 1):
        progress(f"exporting point {number} of {len(points)}")
        net = copy.deepcopy(point.net).cpu().eval().requires_grad_(False)
        state, _ = settle(net, none)
        net.store_rest(state)
        rest = net.initial_state(none)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "point.onnx"
            OnnxTarget().write(graph_of(net, metadata), path)
            graph = split_graph(onnx.load(path))
        samples.append(
            Sample(
                place=point.file.place,
                folded=net,
                graph=graph,
                rest={name: value[0].numpy().copy() for name, value in rest.items()},
                settle_samples=_measure_memory(net, excerpt),
                heard=play_rows(net, excerpt, none, rest)[0],
            )
        )
    return samples


@torch.no_grad()
def _measure_memory(net: Net, excerpt: Audio) -> int:
    """Of silence until the net stands still, from where a loud passage leaves it; see `settle`."""
    none = torch.zeros(1, 0)
    loud = torch.from_numpy(excerpt * (LOUD / max(float(abs(excerpt).max()), 1e-9))).reshape(1, 1, -1)
    moved = copy.deepcopy(net)
    _, state = moved(loud, none, moved.initial_state(none))
    moved.store_rest(state)
    return settle(moved, none)[1]


def _load(file: PointFile) -> TrainedPoint:
    path = best_checkpoint(file.checkpoint)
    subject = f"the point at {file.name}, {path}"
    try:
        model = load_model(path)
        own = read_checkpoint(path)["tapezoo"]
    except TapezooError as error:
        raise GridError(subject, found=error.found, expected=error.expected, fix=error.fix) from error
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return TrainedPoint(
        file,
        model.net,
        own["architecture"],
        model.sample_rate,
        dict(own["metrics"]),
        dict(own["provenance"]),
        sha256,
    )


def _check_alike(point: TrainedPoint, first: TrainedPoint) -> None:
    if point.net.num_controls:
        raise GridError(
            f"the point at {point.file.name}, {point.file.checkpoint}",
            found=f"a net with {point.net.num_controls} controls",
            expected="nets without controls, one per point",
            fix="Sample it with `tapezoo export --grid`, or train each point on its own setting.",
        )
    sizes, wanted = (
        {name: tuple(tensor.shape) for name, tensor in each.net.state_dict().items()}
        for each in (point, first)
    )
    differing = sorted(name for name in {*sizes, *wanted} if sizes.get(name) != wanted.get(name))
    name = differing[0] if differing else ""
    for what, own, other in (
        ("the architecture", point.architecture, first.architecture),
        ("the sample rate", f"{point.sample_rate} Hz", f"{first.sample_rate} Hz"),
        (f"the weights {name}", str(sizes.get(name)), str(wanted.get(name))),
        ("the hop", f"{point.net.hop_samples} samples", f"{first.net.hop_samples} samples"),
        ("the latency", f"{point.net.latency_samples} samples", f"{first.net.latency_samples} samples"),
    ):
        if own != other:
            raise GridError(
                f"the point at {point.file.name}, {point.file.checkpoint}",
                found=f"{what} {own}",
                expected=f"{other}, as at {first.file.name}",
                fix="Train all points with one recipe.",
            )
