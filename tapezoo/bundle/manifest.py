"""manifest.json: what a bundle holds and how to play it.

`schema/manifest-2.json` describes the same for other programs; tests compare the two.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

from tapezoo.controls import Control

SCHEMA_VERSION = 2
MANIFEST = "manifest.json"
REST_STATE = "rest_state.npz"
GOLDEN_INPUT = "golden/input.npz"
GRID_INDEX = "grid/index.json"
OPTIONAL = ("endless_states",)  # left out where they are empty
KEYS = {"degradation": "losses"}  # attributes of `Manifest` that have another name in the file


@dataclass(frozen=True)
class StateTensor:
    """One state tensor; `shape` is without the batch dimension."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class GoldenCase:
    """One replay: `file` holds `controls` (blocks or 1, rows, num_controls) and `output` (rows, samples).

    `rounding` is how far rounding takes the net's output here, sample value: its distance from double precision, or
    half of what a few roundings of all its weights do, whichever is more. Bundles of version 1 have 0. `reach` is how
    far the controls go from their defaults towards the ends of their ranges, 1 all the way: less for a net that blows
    up rounding farther out.
    """

    name: str
    file: str
    block_samples: int
    samples: int
    rows: int
    rounding: float = 0.0
    reach: float = 1.0


@dataclass(frozen=True)
class Manifest:
    """Everything a player needs to know, and what a person wants to know.

    Args:
        architecture: The registered name of the model.
        sample_rate: Hz.
        controls: In the order of the graph's `controls` input.
        receptive_field: Samples; None: unbounded.
        latency_samples: Delay of the output against the input.
        hop_samples: Block lengths are multiples of it.
        settle_samples: Silence after which a player stands still, from the rest state, at any controls.
        state: In the order of the graph's state inputs, called `state_<name>`; their results `next_<name>`.
        targets: Target name -> file, for example "onnx" -> "model.onnx".
        golden: What `verify` replays.
        files: Every file but manifest.json and SHA256SUMS -> sha256.
        metrics: What training measured; None for a figure that is not finite.
        parity: One row per target and golden case, as measured at export.
        cost: Measured speed by target, and of one point of a "grid"; see `tapezoo.export.cost`.
        provenance: Versions and where the weights come from.
        degradation: One row per target that is not the net to float tolerance, such as int8: "target", "esr" and
            "max_abs_error" against the net, "max_esr" it was accepted under, "size_bytes".
        grid: "grid/index.json" where the bundle holds a sampled grid, see `tapezoo.bundle.grid.index`.
        max_block_samples: The longest practical block, where memory grows faster than the block; None: any length.
        endless_states: Names of state tensors that run on for ever, such as the place in a loop of noise: a player
            that settles leaves them as they are at rest. In the file only where there are some.
    """

    architecture: str
    sample_rate: int
    controls: tuple[Control, ...]
    receptive_field: int | None
    latency_samples: int
    hop_samples: int
    settle_samples: int
    state: tuple[StateTensor, ...]
    targets: dict[str, str]
    golden: tuple[GoldenCase, ...]
    files: dict[str, str]
    metrics: dict[str, float | None]
    parity: tuple[dict[str, Any], ...]
    cost: dict[str, Any]
    provenance: dict[str, Any]
    degradation: tuple[dict[str, Any], ...] = ()
    grid: str | None = None
    max_block_samples: int | None = None
    endless_states: tuple[str, ...] = ()

    @property
    def state_values(self) -> int:
        """Of one row's state, all tensors."""
        return sum(prod(tensor.shape) for tensor in self.state)

    @property
    def golden_samples(self) -> int:
        """Of all golden cases and their rows."""
        return sum(case.samples * case.rows for case in self.golden)

    @property
    def golden_blocks(self) -> int:
        """How often a runtime is called for all golden cases."""
        return sum(-(-case.samples // case.block_samples) for case in self.golden)

    @property
    def reach(self) -> float:
        """How far from the controls' defaults the targets were compared with the net, 1: everywhere."""
        return min((case.reach for case in self.golden), default=1.0)

    @property
    def state_names(self) -> list[str]:
        """In graph order."""
        return [tensor.name for tensor in self.state]

    def to_json(self) -> str:
        """The text of manifest.json."""
        controls = [
            replace(control, switch=None).to_dict() for control in self.controls
        ]  # no part of the schema
        fields = {KEYS.get(name, name): value for name, value in asdict(self).items()}
        document: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **fields, "controls": controls}
        for name in OPTIONAL:
            if not document[name]:
                del document[name]
        return json.dumps(document, indent=2, allow_nan=False) + "\n"
