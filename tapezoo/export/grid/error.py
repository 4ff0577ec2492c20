"""How far a grid is from the conditioned net it was sampled from, between its points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tapezoo.blocks import allowed_block
from tapezoo.bundle.grid.index import GridAxis, GridIndex
from tapezoo.bundle.grid.play import play_mix
from tapezoo.bundle.grid.tensors import read_tensors
from tapezoo.bundle.play import Audio
from tapezoo.controls import Control
from tapezoo.esr import comparable_esr
from tapezoo.export.grid.refine import Cell
from tapezoo.export.grid.sample import BLOCK_SAMPLES, Held, Place
from tapezoo.runtime.grid.cells import shares
from tapezoo.runtime.grid.graph import GridGraph


def measure_errors(
    root: Path, index: GridIndex, held: Held, places: Sequence[Place], points: Sequence[Audio]
) -> list[float]:
    """Comparable ESR of the grid held at each place against the conditioned net held there, from rest.

    Args:
        root: Folder with the grid's graph and tensors.
        index: Of the grid.
        held: The conditioned net.
        places: Where.
        points: What is heard at each point of the grid, (samples,): with the rule "outputs" nothing else is.
    """
    player, tensors = GridGraph(root, index), read_tensors(root, index)
    block = allowed_block(BLOCK_SAMPLES, held.net.hop_samples, held.net.max_block_samples)
    found = []
    for rested in held.settle_at(places):
        mix = mix_at(index.axes, rested.place)
        if index.rule == "outputs":
            output = np.sum([np.float32(share) * points[point] for point, share in mix.items()], axis=0)
        else:
            output = play_mix(player, index, tensors, held.excerpt, mix, block)
        found.append(output_esr(output, rested.heard))
    return found


def mix_at(axes: Sequence[GridAxis], place: Place) -> dict[int, float]:
    """The points around a place, and the share of each."""
    return {point: float(share[0]) for point, share in shares(axes, np.array([place])).items()}


def output_esr(output: Audio, target: Audio) -> float:
    """`comparable_esr` of one signal; infinite where it is no number."""
    wanted = target.astype(np.float64)
    return comparable_esr(float(np.square(output - wanted).sum()), float(np.square(wanted).sum()))


def describe_error(
    cells: Sequence[Cell],
    axes: Sequence[GridAxis],
    controls: Mapping[str, Control],
    excerpt_samples: int,
    asked: float | None,
) -> dict[str, Any]:
    """What the index says of the error: every cell, the largest first.

    Args:
        cells: As measured, the largest error first, all finite.
        axes: Of the grid.
        controls: By name.
        excerpt_samples: What was played.
        asked: The error that was asked for.
    """
    rows = [
        {
            "cell": list(cell.index),
            "middle": {
                axis.control: controls[axis.control].denormalize(position)
                for axis, position in zip(axes, cell.middle, strict=True)
            },
            "esr": cell.esr,
        }
        for cell in cells
    ]
    return {
        "reference": "the conditioned net held at the middle of each cell, from rest",
        "audio": f"{excerpt_samples} samples of the parity gate's audio, in pieces from all of it",
        "max_esr": cells[0].esr,
        "mean_esr": float(np.mean([cell.esr for cell in cells])),
        "asked": asked,
        "reached": None if asked is None else cells[0].esr <= asked,
        "cells": rows,
    }
