"""What an export target is, and the one graph signature all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from tapezoo.blocks import whole_hops
from tapezoo.bundle import Manifest, Step
from tapezoo.bundle.play import Audio
from tapezoo.bundle.targets import TargetSpec
from tapezoo.controls import Control
from tapezoo.net import Net

# neither a length nor a row count of any golden case, so that parity is shown at others than the traced ones
TRACED_ROWS = 3
TRACED_SAMPLES = 97


class Target(ABC):
    """Writes one file format that a net is exported to.

    A new one (a .nam, RTNeural's JSON, C++ source) is one file in this folder with a class like this, and a row in
    `tapezoo.bundle.targets`. Its author writes:

    - `write`. A `Graph` holds the net beside tensors to trace it with: formats that list layers and weights read
      `graph.net.net`, formats that record operations trace `graph.net`. What shows only while writing raises
      `ExportError`.
    - `refusal`, from what the net is made of, never from its name: the user hears within a second why not, and
      which target would do.
    - The row's `opener`, a function of arrays around the format's own runtime. It must play from any state, in blocks
      of any length, rows independent. Export replays the golden files through it, read back from the written file:
      an exact target within 1e-5 of the peak (`parity`), a lossy one within the allowed ESR (`degradation`). A format
      whose runtime is not installed cannot be exported to, since nobody could say that it is right.
    - The row's `engine`, where `Stream` shall play the format; then its cost is measured as well.
    """

    spec: ClassVar[TargetSpec]
    """Its row."""

    @property
    def name(self) -> str:
        """See `TargetSpec`, as for the next two."""
        return self.spec.name

    @property
    def file(self) -> str:
        """Its bundle path."""
        return self.spec.file

    @property
    def lossy(self) -> bool:
        """Whether it is judged by its ESR, not by the parity gate."""
        return self.spec.lossy

    def refusal(self, net: Net) -> tuple[str, str] | None:
        """Why this target cannot express `net`, and what works instead; None where it can, or tracing will show."""
        return None

    @abstractmethod
    def write(self, graph: Graph, path: Path) -> None:
        """Writes `graph` to `path`; may raise anything, which refuses the target."""

    def open(self, path: Path, state_names: Sequence[str]) -> Step:
        """Opens what `write` wrote, or somebody else's file of that kind."""
        return self.spec.open(path, state_names)

    def other_builds(self, path: Path, state_names: Sequence[str]) -> Mapping[str, Step]:
        """What else the file becomes on the way to its users, by a few words each: the gate replays these too."""
        return {}

    def accompany(self, folder: Path, manifest: Manifest) -> None:  # noqa: B027 - most have nothing
        """Writes what stands beside the file, once the bundle's golden files are there: for most nothing.

        Args:
            folder: Of the bundle.
            manifest: After the gate.
        """


class Part(Protocol):
    """Something else a bundle holds, made after its targets and before it is sealed."""

    def check(self, net: Net) -> None:
        """Raises, in no time and before anything is written, where `write` is bound to."""

    def write(
        self,
        folder: Path,
        net: Net,
        manifest: Manifest,
        programme: Audio,
        progress: Callable[[str], None],
    ) -> Manifest:
        """Writes files below `folder`; returns the manifest with what it has to say of them.

        Args:
            folder: Of the bundle.
            net: Frozen, settled at its defaults; not to be changed.
            manifest: As it stands after the gate.
            programme: (2, samples), see `golden_input`.
            progress: Called with each step's name.
        """


class FlatNet(nn.Module):
    """A net with its state as separate tensors: `(input, controls, *state) -> (output, *next_state)`."""

    def __init__(self, net: Net, state_names: Sequence[str]) -> None:
        super().__init__()
        self.net = net
        self.state_names = list(state_names)

    def forward(self, input: Tensor, controls: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """See `Net.forward`."""
        output, after = self.net(input, controls, dict(zip(self.state_names, state, strict=True)))
        return (output, *(after[name] for name in self.state_names))


@dataclass(frozen=True)
class Graph:
    """What a target gets: the net, tensors to trace it with, the names of its inputs and outputs.

    `metadata`, `controls` and `settle_samples` are what the manifest will say of it.
    """

    net: FlatNet
    example: tuple[Tensor, ...]
    inputs: list[str]
    outputs: list[str]
    metadata: dict[str, str]
    controls: tuple[Control, ...] = ()
    settle_samples: int = 0


def graph_of(
    net: Net, metadata: dict[str, str], controls: Sequence[Control] = (), settle_samples: int = 0
) -> Graph:
    """The graph of a net in evaluation mode on the CPU."""
    positions = torch.full((TRACED_ROWS, net.num_controls), 0.5)
    state = net.initial_state(positions)
    samples = whole_hops(TRACED_SAMPLES, net.hop_samples)
    noise = torch.randn(TRACED_ROWS, 1, samples, generator=torch.Generator().manual_seed(0)) * 0.1
    return Graph(
        FlatNet(net, list(state)).eval(),  # torch.onnx.export leaves the net in the mode of what is around it
        (noise, positions, *state.values()),
        ["input", "controls", *(f"state_{name}" for name in state)],
        ["output", *(f"next_{name}" for name in state)],
        metadata,
        tuple(controls),
        settle_samples,
    )
