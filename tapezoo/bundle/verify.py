"""Verifying a bundle: its hashes, then its golden files through whatever runtimes the caller has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tapezoo.bundle.golden import CaseResult, check_golden
from tapezoo.bundle.grid.index import GRAPH
from tapezoo.bundle.grid.play import OpenGrid
from tapezoo.bundle.grid.replay import read_grid, replay_grid
from tapezoo.bundle.grid.tensors import check_grid
from tapezoo.bundle.manifest import GOLDEN_INPUT, Manifest
from tapezoo.bundle.replay import OpenTarget, judge, open_target, replay
from tapezoo.bundle.results import TargetResult, Verification
from tapezoo.bundle.seal import verify_hashes


def verify_bundle(
    root: Path,
    openers: Mapping[str, OpenTarget],
    seal_sha256: str | None = None,
    open_grid: OpenGrid | None = None,
    played: Mapping[str, tuple[CaseResult, ...]] | None = None,
) -> Verification:
    """Checks every hash, then replays the golden files in every target that has an opener.

    A target with a row in `manifest.degradation` is judged by its ESR over all golden cases, every other one by the
    largest error of each.

    Args:
        root: The bundle's folder.
        openers: By target name.
        seal_sha256: See `verify_hashes`.
        open_grid: The runtime for a grid's graph; None: its index and tensors are checked, nothing is played.
        played: Results of targets that were just played from these same files, by name: they are judged, but not played
            again.

    Raises:
        BundleError: The first fault found, with the file at fault.
    """
    manifest, seal = verify_hashes(root, seal_sha256)
    return replay_bundle(root, manifest, seal, openers, open_grid, played=played)


def replay_bundle(
    root: Path,
    manifest: Manifest,
    seal_sha256: str,
    openers: Mapping[str, OpenTarget],
    open_grid: OpenGrid | None = None,
    at: Callable[[str], None] = lambda file: None,
    played: Mapping[str, tuple[CaseResult, ...]] | None = None,
) -> Verification:
    """What `verify_bundle` does once the hashes are right: everything is read first, and then played.

    Args:
        root: The bundle's folder.
        manifest: As `verify_hashes` read it.
        seal_sha256: Likewise.
        openers: By target name.
        open_grid: See `verify_bundle`.
        at: Called with each file before its work begins.
        played: See `verify_bundle`.

    Raises:
        BundleError: The first fault found, with the file at fault.
    """
    grid = None
    if manifest.grid is not None:
        at(manifest.grid)
        if open_grid is None:
            check_grid(root, manifest)
        else:
            grid = read_grid(root, manifest)
    if manifest.targets:
        at(GOLDEN_INPUT)
        check_golden(root, manifest)
    limits = {row["target"]: float(row["max_esr"]) for row in manifest.degradation}
    targets = []
    for target, file in manifest.targets.items():
        cases = (played or {}).get(target, ())
        if target in openers and not cases:
            at(file)
            cases = replay(open_target(openers[target], root, manifest, target), root, manifest, file)
        result = TargetResult(target, file, cases, limits.get(target))
        judge(root, result)
        targets.append(result)
    interpolated = None if manifest.grid is None else TargetResult("grid", manifest.grid, ())
    if grid is not None and open_grid is not None:
        at(GRAPH)
        interpolated = replay_grid(root, manifest, grid, open_grid)
    return Verification(manifest, seal_sha256, tuple(targets), interpolated)
