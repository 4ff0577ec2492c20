"""Reading manifest.json: every field is checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tapezoo import __version__
from tapezoo.bundle import documents
from tapezoo.bundle.documents import FAULTS, NAME, SHA256, TEXT, count, fields_of, file_name, items, number
from tapezoo.bundle.errors import BundleError
from tapezoo.bundle.limits import (
    CASE_LIMIT,
    CONTROL_LIMIT,
    GOLDEN_LIMIT_BLOCKS,
    GOLDEN_LIMIT_SAMPLES,
    HOP_LIMIT_SAMPLES,
    MANIFEST_LIMIT_BYTES,
    RATE_LIMIT_HZ,
    ROW_LIMIT,
    ROWS_LIMIT_VALUES,
    SETTLE_LIMIT_SAMPLES,
    STATE_LIMIT_VALUES,
)
from tapezoo.bundle.manifest import (
    GOLDEN_INPUT,
    GRID_INDEX,
    KEYS,
    MANIFEST,
    OPTIONAL,
    REST_STATE,
    SCHEMA_VERSION,
    GoldenCase,
    Manifest,
    StateTensor,
)
from tapezoo.controls import Control
from tapezoo.errors import TapezooError

# fields that version 1 lacks, with the values that its bundles are read with
SINCE_2: dict[str, Any] = {"losses": [], "grid": None, "max_block_samples": None}
DTYPES = ("float32", "float64", "int32", "int64")


def read_manifest(root: Path) -> Manifest:
    """Reads and checks `root`/manifest.json.

    Raises:
        BundleError: Another schema version. Anything else that is not as `Manifest` says.
    """
    document = documents.read_document(root, MANIFEST, "the manifest of a bundle", MANIFEST_LIMIT_BYTES)
    return manifest_of(root, document)


def manifest_of(root: Path, document: dict[str, Any]) -> Manifest:
    """The manifest in a document, checked as `read_manifest` does; changes the document."""
    version = document.pop("schema_version", None)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise BundleError.about(root, MANIFEST, "no schema_version", "the manifest of a bundle")
    if version > SCHEMA_VERSION:
        raise BundleError(
            root,
            MANIFEST,
            found=f"schema version {version}",
            expected=f"a version from 1 to {SCHEMA_VERSION}, which tapezoo {__version__} reads",
            fix=_release_to_install(document),
        )
    try:
        names = {KEYS.get(name, name) for name in Manifest.__dataclass_fields__} - set(OPTIONAL)
        fields = (
            fields_of(document, names - set(SINCE_2))
            if version == 1
            else fields_of(document, names, optional=OPTIONAL)
        )
        return _read_fields({**SINCE_2, **fields})
    except (*FAULTS, TapezooError) as error:
        raise BundleError.about(root, MANIFEST, str(error), "the fields of a bundle's manifest") from error


def _read_fields(document: dict[str, Any]) -> Manifest:
    targets = documents.mapping(document["targets"], 100)
    files = documents.mapping(document["files"])
    manifest = Manifest(
        architecture=documents.matching(TEXT, document["architecture"]),
        sample_rate=count(document["sample_rate"], 1, RATE_LIMIT_HZ),
        controls=items(document["controls"], _control, most=CONTROL_LIMIT),
        receptive_field=_optional_count(document["receptive_field"]),
        latency_samples=count(document["latency_samples"]),
        hop_samples=count(document["hop_samples"], 1, HOP_LIMIT_SAMPLES),
        settle_samples=count(document["settle_samples"], 0, SETTLE_LIMIT_SAMPLES),
        state=items(document["state"], read_state_tensor),
        targets={documents.matching(NAME, name): file_name(file) for name, file in targets.items()},
        golden=items(document["golden"], _golden_case, most=CASE_LIMIT),
        files={file_name(file): documents.matching(SHA256, sha) for file, sha in files.items()},
        metrics={
            documents.matching(TEXT, name): None if value is None else number(value)
            for name, value in documents.mapping(document["metrics"]).items()
        },
        parity=items(document["parity"], _parity_row, most=100 * CASE_LIMIT),
        cost=_cost(document["cost"]),
        provenance=documents.mapping(document["provenance"]),
        degradation=items(document["losses"], _degradation_row, most=100),
        grid=None if document["grid"] is None else documents.matching(GRID_INDEX, document["grid"]),
        max_block_samples=_optional_count(document["max_block_samples"]),
        endless_states=items(document.get("endless_states", []), lambda name: documents.matching(NAME, name)),
    )
    _check_consistent(manifest)
    return manifest


def _check_consistent(manifest: Manifest) -> None:
    documents.distinct(manifest.state_names)
    documents.distinct([control.name for control in manifest.controls])
    documents.distinct([case.name for case in manifest.golden])
    documents.distinct([row["target"] for row in manifest.degradation])
    documents.distinct([file.lower() for file in manifest.files])  # one file where the system ignores case
    documents.distinct(manifest.endless_states)
    if strangers := set(manifest.endless_states) - set(manifest.state_names):
        raise ValueError(f"the endless state {', '.join(sorted(strangers))}, which is no state")
    if not manifest.targets and manifest.grid is None:
        raise ValueError("no target and no grid")
    if manifest.targets and not manifest.golden:
        raise ValueError("targets without a golden case")
    if strangers := {row["target"] for row in manifest.degradation} - set(manifest.targets):
        raise ValueError(f"losses of {', '.join(sorted(strangers))}, which is not a target")
    used = {*manifest.targets.values(), *(case.file for case in manifest.golden)}
    used |= {REST_STATE, GOLDEN_INPUT} if manifest.targets else set()
    used |= {manifest.grid} if manifest.grid else set()
    if unlisted := used - set(manifest.files):
        raise ValueError(f"files without a hash: {', '.join(sorted(unlisted))}")
    work = (
        ("values of state", manifest.state_values, STATE_LIMIT_VALUES),
        (
            "values of state in the rows of a golden case",
            manifest.state_values * max((case.rows for case in manifest.golden), default=1),
            ROWS_LIMIT_VALUES,
        ),
        ("golden samples", manifest.golden_samples, GOLDEN_LIMIT_SAMPLES),
        ("blocks of golden samples", manifest.golden_blocks, GOLDEN_LIMIT_BLOCKS),
    )
    for what, found, most in work:
        if found > most:
            raise ValueError(f"{found} {what} altogether, over {most}")
    if bad := [case.name for case in manifest.golden if case.block_samples % manifest.hop_samples]:
        raise ValueError(f"golden cases whose blocks are not multiples of the hop: {', '.join(bad)}")


def _control(value: Any) -> Control:
    fields = fields_of(value, ("name", "min", "max", "default", "unit", "curve"))
    documents.matching(f"(?!$){TEXT}", fields["name"])
    documents.matching(TEXT, fields["unit"])
    for name in ("min", "max", "default"):
        number(fields[name])
    return Control(**fields)


def read_state_tensor(value: Any) -> StateTensor:
    """One entry of `state`, also of a grid's.

    Raises:
        ValueError: It is not as `StateTensor` says.
    """
    fields = fields_of(value, ("name", "shape", "dtype"))
    shape = items(fields["shape"], lambda size: count(size, 0, STATE_LIMIT_VALUES), most=8)
    values = 1
    for size in shape:
        values *= max(size, 1)
    if values > STATE_LIMIT_VALUES or fields["dtype"] not in DTYPES:
        raise ValueError(f"a state tensor of shape {shape} and type {fields['dtype']!r}")
    return StateTensor(documents.matching(NAME, fields["name"]), shape, fields["dtype"])


def _golden_case(value: Any) -> GoldenCase:
    names = {"name", "file", "block_samples", "samples", "rows"}
    names |= {"rounding", "reach"} & set(value if isinstance(value, dict) else ())
    fields = fields_of(value, names)
    return GoldenCase(
        rounding=documents.number(fields.get("rounding", 0.0), 0),
        reach=documents.number(fields.get("reach", 1.0), 0, 1),
        name=documents.matching(NAME, fields["name"]),
        file=file_name(fields["file"]),
        block_samples=count(fields["block_samples"], 1),
        samples=count(fields["samples"], 1),
        rows=count(fields["rows"], 1, ROW_LIMIT),
    )


def _cost(value: Any) -> dict[str, Any]:
    rows = documents.mapping(value)
    for row in rows.values():
        for factor in documents.mapping(documents.mapping(row).get("real_time_factor", {})).values():
            documents.number(factor, 0)
    return rows


def _parity_row(value: Any) -> dict[str, Any]:
    known = ("target", "case", "max_abs_error", "tolerance")
    row = fields_of(value, known, optional=documents.mapping(value))
    for name in ("target", "case"):
        documents.matching(NAME, row[name])
    for name in ("max_abs_error", "tolerance"):
        number(row[name], 0)
    return row


def _degradation_row(value: Any) -> dict[str, Any]:
    known = ("target", "esr", "max_abs_error", "max_esr", "size_bytes")
    row = fields_of(value, known, optional=documents.mapping(value))  # further figures, such as speed
    if documents.matching(NAME, row["target"]) == "onnx":
        raise ValueError("losses of the target onnx, which must equal the net")
    number(row["esr"], 0, number(row["max_esr"], 0, 1))  # 1 is the error of silence
    number(row["max_abs_error"], 0)
    count(row["size_bytes"], 1, 1 << 40)
    return row


def _optional_count(value: Any) -> int | None:
    return None if value is None else count(value, 1)


def _release_to_install(document: Mapping[str, Any]) -> str:
    """The release that wrote the file, from the field that all versions have; "" where it is missing."""
    provenance = document.get("provenance")
    versions = provenance.get("versions") if isinstance(provenance, dict) else None
    release = versions.get("tapezoo") if isinstance(versions, dict) else None
    if isinstance(release, str) and re.fullmatch(r"[0-9A-Za-z.+-]{1,40}", release):
        return f'It was made by tapezoo {release}: pip install "tapezoo>={release}", or export it with this release.'
    return "Install a newer tapezoo (pip install --upgrade tapezoo), or export the bundle with this release."
