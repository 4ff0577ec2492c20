"""The gate of a grid: every point, read back from its files, against the net it was folded from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch

from tapezoo.blocks import allowed_block
from tapezoo.bundle.golden import tolerance_of
from tapezoo.bundle.grid.golden import GridCase, write_grid_golden
from tapezoo.bundle.grid.index import GridIndex
from tapezoo.bundle.grid.play import play_mix
from tapezoo.bundle.grid.tensors import read_tensors
from tapezoo.bundle.play import Audio
from tapezoo.export.errors import ExportError, ParityError
from tapezoo.export.grid.error import mix_at
from tapezoo.export.grid.refine import Cell
from tapezoo.export.grid.sample import Held, Sample, play_rows
from tapezoo.export.parity import STEADY_TOLERANCES
from tapezoo.export.rounding import ROUNDING, perturb_weights, rounding_of
from tapezoo.runtime.grid.graph import GridGraph

BLOCKS_SAMPLES = (64, 333)
GOLDEN_SAMPLES = 1 << 13  # of the excerpt: two of its pieces
CORNER_AXES = 3  # golden files hold the corners of so many axes, the others at their first point


def pass_gate(root: Path, index: GridIndex, held: Held, samples: Sequence[Sample]) -> GridIndex:
    """Plays the excerpt at every point, in blocks and in one piece.

    Args:
        root: Folder with the grid's graph and tensors.
        index: Of the grid.
        held: The conditioned net.
        samples: Of all points, in their order.

    Returns:
        The index with `max_abs_error` of every point: of the graph, against the conditioned net held there.

    Raises:
        ParityError: A folded net that is not the net held there, or a graph that is not the folded net.
        ExportError: The same, where nothing could be: the net blows up rounding errors at that point.
    """
    player, tensors = GridGraph(root, index), read_tensors(root, index)
    net = held.net
    blocks = [
        allowed_block(block, net.hop_samples, net.max_block_samples)
        for block in (*BLOCKS_SAMPLES, len(held.excerpt))
    ]
    none = torch.zeros(1, 0)
    points = []
    for number, (point, sample) in enumerate(zip(index.points, samples, strict=True)):
        folded = play_rows(sample.folded, held.excerpt, none, sample.folded.initial_state(none))[0]
        allowed = tolerance_of(sample.heard)
        errors = {"folded": _distance(folded, sample.heard)}
        outputs = [play_mix(player, index, tensors, held.excerpt, {number: 1.0}, block) for block in blocks]
        errors["in the grid's graph"] = max(_distance(output, folded) for output in outputs)
        if not max(errors.values()) <= allowed:
            allowed = tolerance_of(sample.heard, rounding_at(sample, folded, held.excerpt))
        for what, error in errors.items():
            if not error <= allowed:  # not for NaN either
                place = _place(index, number)
                check_steady(sample, held.excerpt, place)
                raise _error(place, f"an error of {error:.3g} {what}", allowed)
        error = max(_distance(output, sample.heard) for output in outputs)
        points.append(replace(point, max_abs_error=error))
    return replace(index, points=tuple(points))


def write_golden_cases(
    root: Path, index: GridIndex, held: Held, samples: Sequence[Sample], worst: Cell
) -> None:
    """Writes grid/golden.npz: the corners, the middle point, and the middle of the worst cell.

    Between points a player is allowed what the grid itself is away from the conditioned net there.
    """
    player, tensors = GridGraph(root, index), read_tensors(root, index)
    input = held.excerpt[: GOLDEN_SAMPLES // held.net.hop_samples * held.net.hop_samples]
    cases = []
    for number in _choose_points(index.shape):
        heard_there = samples[number].heard
        allowed = max(
            tolerance_of(heard_there), 2 * index.points[number].max_abs_error
        )  # the gate let that pass
        cases.append(GridCase((number,), (1.0,), heard_there[: len(input)], allowed))
    wanted = next(held.settle_at([worst.middle])).heard[: len(input)]
    mix = mix_at(index.axes, worst.middle)
    block = allowed_block(BLOCKS_SAMPLES[0], held.net.hop_samples, held.net.max_block_samples)
    distance = _distance(play_mix(player, index, tensors, input, mix, block), wanted)
    cases.append(GridCase(tuple(mix), tuple(mix.values()), wanted, distance + tolerance_of(wanted)))
    write_grid_golden(root, input, cases)


def rounding_at(sample: Sample, output: Audio, excerpt: Audio) -> float:
    """How far the folded net's output at a point is from its own in double precision, see `rounding_of`."""
    none = np.zeros((1, 1, 0), np.float32)
    net = sample.folded
    block = allowed_block(BLOCKS_SAMPLES[0], net.hop_samples, net.max_block_samples)
    return rounding_of(net, output[np.newaxis], excerpt[np.newaxis], none, sample.rest, block)


def _choose_points(shape: Sequence[int]) -> list[int]:
    ends = [(0, count - 1) if axis < CORNER_AXES else (0,) for axis, count in enumerate(shape)]
    indices = [*product(*ends), tuple(count // 2 for count in shape)]
    return list(dict.fromkeys(int(np.ravel_multi_index(index, tuple(shape))) for index in indices))


def _place(index: GridIndex, number: int) -> str:
    steps = zip(index.axes, index.points[number].index, strict=True)
    return "the grid's point at " + ", ".join(
        f"{axis.control} = {axis.values[step]:g}" for axis, step in steps
    )


def _error(place: str, found: str, allowed: float) -> ParityError:
    return ParityError(
        place,
        found=found,
        expected=f"at most {allowed:.3g} from the net held there",
        fix="No bundle was written. Run `tapezoo check`; the net's `folded` must equal the net with held controls.",
    )


def check_steady(sample: Sample, excerpt: Audio, place: str) -> None:
    """Distinguishes a net that no graph could reproduce from a graph that is wrong.

    Args:
        sample: The point.
        excerpt: What it heard, (samples,).
        place: What to call it.

    Raises:
        ExportError: The folded net is another one when its weights are moved by `ROUNDING`.
    """
    none = torch.zeros(1, 0)
    as_it_is, as_moved = (
        play_rows(net, excerpt, none, net.initial_state(none))[0]
        for net in (sample.folded, perturb_weights(sample.folded))
    )
    distance = _distance(as_moved, as_it_is)
    allowed = STEADY_TOLERANCES * tolerance_of(sample.heard)
    if distance > allowed:  # NaN passes here: it has another cause
        raise ExportError(
            place,
            found=f"an output that moves by {distance:.3g} when the net's weights move by {ROUNDING:g}",
            expected=f"at most {allowed:.3g}",
            fix="No bundle was written: it would sound different on every processor. The net is not steady at these "
            "settings, perhaps because they are outside its training range: leave them out of the grid.",
        )


def _distance(output: Audio, wanted: Audio) -> float:
    with np.errstate(invalid="ignore"):  # infinity from infinity is NaN, and no distance is small enough then
        return float(np.abs(output - wanted).max())
