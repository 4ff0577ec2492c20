"""A grid's graph, which takes the weights as inputs, as a function of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle import BundleError, StateArrays
from tapezoo.bundle.grid.index import GRAPH, GridIndex
from tapezoo.bundle.play import Audio
from tapezoo.runtime.onnx_step import open_session

Feeds = Mapping[str, NDArray[Any]]  # weights by the names of the graph's inputs


class GridGraph:
    """(rows, state, weights) -> (rows, next state).

    Args:
        root: The bundle's folder.
        index: Of its grid.

    Raises:
        BundleError: onnxruntime refuses the file, or it has other inputs and outputs than the index says.
    """

    def __init__(self, root: Path, index: GridIndex) -> None:
        self._states = [tensor.name for tensor in index.state]
        self._outputs = ["output", *(f"next_{name}" for name in self._states)]
        inputs = {"input", *(f"state_{name}" for name in self._states)}
        inputs |= {f"weight_{name}" for name in index.weights}
        try:
            self._session = open_session(root / GRAPH)
            found = {value.name for value in self._session.get_inputs()}
            if found != inputs:
                raise ValueError(
                    f"the inputs {sorted(found ^ inputs)} are in only one of the graph and the index"
                )
            if missing := set(self._outputs) - {value.name for value in self._session.get_outputs()}:
                raise ValueError(f"no output {', '.join(sorted(missing))}")
        except Exception as error:  # onnxruntime has exceptions of its own
            raise BundleError.about(
                root, GRAPH, f"a file that its runtime rejects ({error})", "the graph of the grid"
            ) from error

    def feeds(self, weights: Feeds) -> Feeds:
        """Weights by name -> by the graph's input."""
        return {f"weight_{name}": np.ascontiguousarray(value) for name, value in weights.items()}

    def run(self, rows: Audio, state: StateArrays, feeds: Feeds) -> tuple[Audio, StateArrays]:
        """One block.

        Shape:
            rows, result: (channels, samples); state: (channels, ...).
        """
        given = {"input": np.ascontiguousarray(rows[:, np.newaxis]), **feeds}
        given |= {f"state_{name}": state[name] for name in self._states}
        output, *after = self._session.run(self._outputs, given)
        return output[:, 0], dict(zip(self._states, after, strict=True))
