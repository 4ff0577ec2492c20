"""TorchScript, by tracing."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.jit._trace import TracerWarning

from tapezoo.bundle import StateArrays, Step
from tapezoo.bundle.play import Audio
from tapezoo.bundle.targets import TARGETS
from tapezoo.export.targets.target import Graph, Target


class TorchScriptTarget(Target):
    """A traced module, callable as `(input, controls, *state) -> (output, *next_state)`.

    Traced, not scripted: the scripting compiler refuses variable arguments.
    """

    spec = TARGETS["torchscript"]

    def write(self, graph: Graph, path: Path) -> None:
        """See `Target.write`."""
        with _quiet(), torch.no_grad():
            # the tracer's own check repeats the traced length; the parity gate runs other ones
            traced = torch.jit.trace(graph.net, graph.example, check_trace=False)  # type: ignore[no-untyped-call]
            torch.jit.save(traced, str(path), _extra_files=dict(graph.metadata))


def open_torchscript(path: Path, state_names: Sequence[str]) -> Step:
    """Opens a traced module; of an untrusted file no pickle is run, but the graph's operators are."""
    with _quiet():
        module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]

    def step(input: Audio, controls: Audio, state: StateArrays) -> tuple[Audio, StateArrays]:
        tensors = [
            torch.from_numpy(array) for array in (input, controls, *(state[name] for name in state_names))
        ]
        with torch.no_grad():
            output, *after = (tensor.numpy() for tensor in module(*tensors))
        return output, dict(zip(state_names, after, strict=True))

    return step


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # torch.jit is deprecated, with nothing yet that as many C++ hosts load; the Python conditions the
        # tracer warns of are checks of shapes, and one that is not is found by the parity gate
        warnings.filterwarnings("ignore", r"`?torch\.jit", DeprecationWarning)
        warnings.filterwarnings("ignore", category=TracerWarning)
        yield
