"""The grid of a bundle as an engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tapezoo.blocks import allowed_block
from tapezoo.bundle import Manifest
from tapezoo.bundle.grid.index import GridIndex
from tapezoo.bundle.grid.tensors import Tensors, check_grid
from tapezoo.bundle.play import Audio
from tapezoo.controls import ControlError
from tapezoo.runtime.engine import SETTLE_BLOCK_SAMPLES
from tapezoo.runtime.glide import Positions
from tapezoo.runtime.grid.cells import SAME_POSITION, clamp_to_grid
from tapezoo.runtime.grid.glide import Stretches
from tapezoo.runtime.grid.graph import GridGraph
from tapezoo.runtime.grid.onsets import InheritState, Preroll
from tapezoo.runtime.grid.players import OutputsPlayer, Player, WeightsPlayer
from tapezoo.runtime.grid.weights import GridWeights


class GridEngine:
    """Plays between the points of a grid, see `Engine`.

    Controls glide as those of the net that the grid was sampled from: to a new place in a straight line, and half of
    it behind moving ones. In a grid of version 1 the line begins anew with every target (`GridIndex.glide`). Beyond an
    axis' ends they are held at the end. A control that is not an axis plays at the value at which the grid holds it,
    and may only be set to that value or to its default.

    Args:
        root: The bundle's folder.
        manifest: Of it; with a grid.

    Raises:
        BundleError: A file of the grid is missing, or they are not as the index says, see `check_grid`.
    """

    preparation = ""

    def __init__(self, root: Path, manifest: Manifest) -> None:
        self._manifest = manifest
        self.index, tensors = check_grid(root, manifest)
        names = [control.name for control in manifest.controls]
        self._moving = [names.index(axis.control) for axis in self.index.axes]
        block = allowed_block(SETTLE_BLOCK_SAMPLES, manifest.hop_samples, manifest.max_block_samples)
        self._player = _player(root, self.index, tensors, block)

    def start(self, channels: int, controls: Audio) -> None:
        """See `Engine.start`.

        Raises:
            ControlError: A control that the grid holds, at another value.
        """
        self._asked = b""
        at = self._target(controls)
        hop = self._manifest.hop_samples
        self._stretches = Stretches(self.index.glide, at, self.index.glide_samples(hop), hop)
        self._player.start(channels, at)

    def play(self, rows: Audio, controls: Audio) -> Audio:
        """See `Engine.play`.

        Raises:
            ControlError: A control that the grid holds, at another value.
        """
        output = np.empty_like(rows)
        for stretch in self._stretches.of_block(self._target(controls), rows.shape[1]):
            output[:, stretch.where] = self._player.play(rows[:, stretch.where], stretch)
        return output

    def _target(self, controls: Audio) -> Positions:
        asked = controls.tobytes()
        if asked != self._asked:  # most blocks have the same controls as the one before
            self._at, self._asked = self._resolve(controls), asked
        return self._at

    def _resolve(self, controls: Audio) -> Positions:
        for control, position in zip(self._manifest.controls, controls, strict=True):
            if control.name not in self.index.held:
                continue
            held = self.index.held[control.name]
            # its default means that the user did not set it: streams fill in defaults
            untouched = (control.normalize(held), control.normalize(control.default))
            if min(abs(float(position) - known) for known in untouched) > SAME_POSITION:
                raise ControlError(
                    f"control {control.name!r}",
                    found=f"{control.shown(float(position))} {control.unit}".rstrip(),
                    expected=f"{held:g} {control.unit}".rstrip() + ", where the grid was sampled",
                    fix="Leave it at that value, or play the bundle's net instead of its grid.",
                )
        return clamp_to_grid(self.index.axes, np.asarray(controls, dtype=np.float64)[self._moving])


def _player(root: Path, index: GridIndex, tensors: Tensors, settle_block_samples: int) -> Player:
    graph, weights = GridGraph(root, index), GridWeights(tensors)
    if index.rule == "weights":
        return WeightsPlayer(index, graph, weights, settle_block_samples)
    if index.kind == "sampled":
        return OutputsPlayer(index, graph, weights, InheritState())
    return OutputsPlayer(index, graph, weights, Preroll(graph, weights, index.preroll_samples))
