"""Assembles a bundle: whatever its files are, they are staged, described, sealed and verified here."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tapezoo.bundle import (
    GoldenCase,
    Manifest,
    OpenTarget,
    StateTensor,
    Verification,
    file_hashes,
    is_bundle,
    seal,
    verify_bundle,
)
from tapezoo.controls import Control
from tapezoo.export.played import Played
from tapezoo.net import Net
from tapezoo.report.card import model_card
from tapezoo.runtime.grid.graph import GridGraph
from tapezoo.staging import staged_folder

CARD = "MODEL_CARD.md"
PACKAGES = ("tapezoo", "torch", "onnx", "onnxruntime", "numpy")


def assemble(
    out: Path,
    overwrite: bool,
    write: Callable[[Path], tuple[Manifest, Played]],
    openers: Mapping[str, OpenTarget],
    progress: Callable[[str], None],
) -> Verification:
    """Makes the folder `out`, which appears only when the finished bundle was verified.

    Args:
        out: The bundle's folder; its parent must exist.
        overwrite: Replace a bundle at `out`.
        write: Writes everything but card, manifest and seal into a folder, passes the gates, and returns the manifest
            and what they played: that is judged again, and played again only where a file changed since.
        openers: By target name, to verify with.
        progress: Called with each step's name.

    Raises:
        OutputExistsError, NotReplaceableError, UnwritableOutputError: See `staged_folder`.
        BundleError: The finished bundle does not verify.
    """
    with staged_folder(out, overwrite, is_bundle, "bundle") as folder:
        manifest, played = write(folder)
        (folder / CARD).write_text(model_card(manifest, folder), encoding="utf-8")
        hashes = file_hashes(folder)
        seal(folder, replace(manifest, files=hashes))
        progress("verifying the bundle")
        return verify_bundle(folder, openers, open_grid=GridGraph, played=played.unless_changed(hashes))


def describe_bundle(
    net: Net,
    *,
    architecture: str,
    sample_rate: int,
    controls: Sequence[Control],
    settle_samples: int,
    state: Sequence[StateTensor],
    metrics: Mapping[str, float],
    provenance: Mapping[str, Any],
    targets: Mapping[str, str] | None = None,
    golden: Sequence[GoldenCase] = (),
    grid: str | None = None,
) -> Manifest:
    """The manifest before anything was measured or hashed; versions and the time are added to the provenance.

    Args:
        net: What the bundle plays, or one of the nets.
        architecture: See `Manifest`, as for all that follow.
        sample_rate: Hz.
        controls: As many as the bundle has.
        settle_samples: Silence after which a player stands still.
        state: Of the net, at rest.
        metrics: By name; figures that are not finite become None.
        provenance: Where the weights come from.
        targets: File by name.
        golden: What `verify` replays.
        grid: The grid's index.
    """
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    return Manifest(
        architecture=architecture,
        sample_rate=sample_rate,
        controls=tuple(controls),
        receptive_field=net.receptive_field,
        latency_samples=net.latency_samples,
        hop_samples=net.hop_samples,
        settle_samples=settle_samples,
        state=tuple(state),
        targets=dict(targets or {}),
        golden=tuple(golden),
        files={},
        metrics={name: float(value) if math.isfinite(value) else None for name, value in metrics.items()},
        parity=(),
        cost={},
        provenance={
            **provenance,
            "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": versions,
        },
        grid=grid,
        max_block_samples=net.max_block_samples,
        endless_states=net.endless_states,
    )
