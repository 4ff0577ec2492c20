"""manifest.json: what a bundle holds and how to play it; every field is checked on reading."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from tapezoo.bundle.errors import BundleError, MalformedFileError, UnknownSchemaError
from tapezoo.controls import Control
from tapezoo.errors import TapezooError

SCHEMA_VERSION = 2
# what version 1 did not have; its bundles are read as if it said so
SINCE_2: dict[str, Any] = {"losses": [], "grid": None, "max_block_samples": None}
MANIFEST = "manifest.json"
REST_STATE = "rest_state.npz"
GOLDEN_INPUT = "golden/input.npz"
MANIFEST_LIMIT_BYTES = 1 << 26
COUNT_LIMIT = 1 << 30  # samples, and values of one state tensor: above it something is wrong
CASE_LIMIT = 1000

# relative, forward slashes, no hidden parts: leaves no way to write "..", a drive or an absolute path
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DTYPES = ("float32", "float64", "int32", "int64")
T = TypeVar("T")


@dataclass(frozen=True)
class StateTensor:
    """One state tensor; `shape` is without the batch dimension."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class GoldenCase:
    """One replay: `file` holds `controls` (blocks or 1, rows, num_controls) and `output` (rows, samples)."""

    name: str
    file: str
    block_samples: int
    samples: int
    rows: int


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
        cost: Measured speed, see `tapezoo.export.cost`.
        provenance: Versions and where the weights come from.
        losses: One row per target that is not the net to float tolerance, such as int8: "target", "esr" and
            "max_abs_error" against the net, "max_esr" it was accepted under, "size_bytes".
        grid: "grid/index.json" where the bundle holds a sampled grid, see `tapezoo.bundle.grid`.
        max_block_samples: The longest block that is sensible where memory grows faster than the block; None: any.
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
    losses: tuple[dict[str, Any], ...] = ()
    grid: str | None = None
    max_block_samples: int | None = None

    @property
    def state_names(self) -> list[str]:
        """In graph order."""
        return [tensor.name for tensor in self.state]

    def to_json(self) -> str:
        """The text of manifest.json."""
        return (
            json.dumps({"schema_version": SCHEMA_VERSION, **asdict(self)}, indent=2, allow_nan=False) + "\n"
        )


def read_manifest(root: Path) -> Manifest:
    """Reads and checks `root`/manifest.json.

    Raises:
        UnknownSchemaError: Another schema version.
        MalformedFileError: Anything else that is not as `Manifest` says.
    """
    path = root / MANIFEST
    try:
        if path.stat().st_size > MANIFEST_LIMIT_BYTES:
            raise _malformed(root, f"{path.stat().st_size} bytes", f"at most {MANIFEST_LIMIT_BYTES} bytes")
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _malformed(root, f"no readable JSON ({error})", "the manifest of a bundle") from error
    if not isinstance(document, dict) or not isinstance(document.get("schema_version"), int):
        raise _malformed(root, "no schema_version", "the manifest of a bundle")
    version = document.pop("schema_version")
    if version == 1:
        document = {**SINCE_2, **document}
    elif version != SCHEMA_VERSION:
        raise UnknownSchemaError(
            root,
            MANIFEST,
            found=f"schema version {version}",
            expected=f"a version from 1 to {SCHEMA_VERSION}",
            fix="Install a tapezoo that knows this version, or export the bundle again.",
        )
    try:
        return _checked(document)
    except (ValueError, TypeError, KeyError, OverflowError, TapezooError) as error:
        raise _malformed(root, str(error), "the fields of a bundle's manifest") from error


def _checked(document: dict[str, Any]) -> Manifest:
    unknown = set(document) ^ set(Manifest.__dataclass_fields__)
    if unknown:
        raise ValueError(f"fields missing or unknown: {', '.join(sorted(unknown))}")
    manifest = Manifest(
        architecture=_string(document, "architecture"),
        sample_rate=_count(document, "sample_rate", 1),
        controls=_tuple(document, "controls", _control),
        receptive_field=None
        if document["receptive_field"] is None
        else _count(document, "receptive_field", 1),
        latency_samples=_count(document, "latency_samples", 0),
        hop_samples=_count(document, "hop_samples", 1),
        settle_samples=_count(document, "settle_samples", 0),
        state=_tuple(document, "state", _state_tensor),
        targets={
            _match(_NAME, name): _match(_FILE, file) for name, file in _mapping(document, "targets").items()
        },
        golden=_tuple(document, "golden", _golden_case),
        files={
            _match(_FILE, file): _match(_SHA256, sha) for file, sha in _mapping(document, "files").items()
        },
        metrics={
            name: None if value is None else float(value)
            for name, value in _mapping(document, "metrics").items()
        },
        parity=_tuple(document, "parity", dict),
        cost=_mapping(document, "cost"),
        provenance=_mapping(document, "provenance"),
        losses=_tuple(document, "losses", dict),
        grid=None if document["grid"] is None else _match(_FILE, document["grid"]),
        max_block_samples=None
        if document["max_block_samples"] is None
        else _count(document, "max_block_samples", 1),
    )
    for names in (manifest.state_names, [control.name for control in manifest.controls]):
        if len(set(names)) != len(names):
            raise ValueError(f"a name that stands twice among {names}")
    if not manifest.targets and manifest.grid is None:
        raise ValueError("no target and no grid")
    if not (1 if manifest.targets else 0) <= len(manifest.golden) <= CASE_LIMIT:
        raise ValueError("no golden case, or too many of them")
    used = {*manifest.targets.values(), *(case.file for case in manifest.golden)}
    used |= {REST_STATE, GOLDEN_INPUT} if manifest.targets else set()
    used |= {manifest.grid} if manifest.grid else set()
    if unlisted := used - set(manifest.files):
        raise ValueError(f"files without a hash: {', '.join(sorted(unlisted))}")
    if bad := [case.name for case in manifest.golden if case.block_samples % manifest.hop_samples]:
        raise ValueError(f"golden cases whose blocks are not multiples of the hop: {', '.join(bad)}")
    return manifest


def _control(fields: Any) -> Control:
    for name in ("min", "max", "default"):
        if isinstance(fields[name], bool) or not isinstance(fields[name], int | float):
            raise ValueError(f"a control whose {name} is {fields[name]!r}")
    if not all(isinstance(fields[name], str) for name in ("name", "unit", "curve")):
        raise ValueError("a control whose name, unit or curve is not text")
    return Control(**fields)


def _state_tensor(fields: Any) -> StateTensor:
    shape = tuple(_count({"shape": size}, "shape", 0) for size in fields["shape"])
    values = 1
    for size in shape:
        values *= max(size, 1)
    if values > COUNT_LIMIT or len(shape) > 8 or fields["dtype"] not in _DTYPES:
        raise ValueError(f"a state tensor of shape {shape} and type {fields['dtype']!r}")
    return StateTensor(_match(_NAME, fields["name"]), shape, fields["dtype"])


def _golden_case(fields: Any) -> GoldenCase:
    return GoldenCase(
        name=_match(_NAME, fields["name"]),
        file=_match(_FILE, fields["file"]),
        block_samples=_count(fields, "block_samples", 1),
        samples=_count(fields, "samples", 1),
        rows=_count(fields, "rows", 1),
    )


def _match(pattern: re.Pattern[str], value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"the name {value!r}, which does not look like {pattern.pattern}")
    return value


def _count(document: Mapping[str, Any], name: str, least: int) -> int:
    value = document[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= COUNT_LIMIT:
        raise ValueError(f"{name} {value!r}, which is not a whole number from {least} to {COUNT_LIMIT}")
    return value


def _string(document: Mapping[str, Any], name: str) -> str:
    if not isinstance(document[name], str):
        raise ValueError(f"{name} {document[name]!r}, which is not text")
    return str(document[name])


def _mapping(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    if not isinstance(document[name], dict):
        raise ValueError(f"{name}, which is not an object")
    return dict(document[name])


def _tuple(document: Mapping[str, Any], name: str, read: Callable[[Any], T]) -> tuple[T, ...]:
    if not isinstance(document[name], list):
        raise ValueError(f"{name}, which is not a list")
    return tuple(read(item) for item in document[name])


def _malformed(root: Path, found: str, expected: str) -> BundleError:
    return MalformedFileError.about(root, MANIFEST, found, expected)
