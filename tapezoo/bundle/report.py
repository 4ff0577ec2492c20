"""Verifying a bundle: its hashes, then its golden files through whatever runtimes the caller has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tapezoo.bundle.golden import CaseResult
from tapezoo.bundle.grid_golden import OpenGrid, verify_grid
from tapezoo.bundle.grid_tensors import check_grid
from tapezoo.bundle.manifest import Manifest
from tapezoo.bundle.seal import verify_hashes
from tapezoo.bundle.verify import OpenTarget, TargetReport, judge, open_target, replay


@dataclass(frozen=True)
class Report:
    """A bundle that passed: the hashes of all files are right, and what was replayed gave what it should.

    Args:
        manifest: Of the bundle.
        seal_sha256: Of SHA256SUMS.
        targets: One by one.
        grid: Of the sampled grid; None: the bundle has none.
    """

    manifest: Manifest
    seal_sha256: str
    targets: tuple[TargetReport, ...]
    grid: TargetReport | None = None

    @property
    def parts(self) -> tuple[TargetReport, ...]:
        """The targets, and the grid where there is one: everything that could be replayed."""
        return self.targets if self.grid is None else (*self.targets, self.grid)


def verify_bundle(
    root: Path,
    openers: Mapping[str, OpenTarget],
    seal_sha256: str | None = None,
    open_grid: OpenGrid | None = None,
) -> Report:
    """Checks every hash, then replays the golden files in every target that has an opener.

    A target with a row in `manifest.losses` is judged by its ESR over all golden cases, every other one by the
    largest error of each.

    Args:
        root: The bundle's folder.
        openers: By target name.
        seal_sha256: See `verify_hashes`.
        open_grid: The runtime for a grid's graph; None: its index and tensors are checked, nothing is played.

    Raises:
        BundleError: The first fault found, with the file at fault.
    """
    manifest, seal = verify_hashes(root, seal_sha256)
    limits = {row["target"]: float(row["max_esr"]) for row in manifest.losses}
    reports = []
    for target, file in manifest.targets.items():
        results: tuple[CaseResult, ...] = ()
        if target in openers:
            results = replay(open_target(openers[target], root, manifest, target), root, manifest, file)
        report = TargetReport(target, file, results, limits.get(target))
        judge(root, report)
        reports.append(report)
    return Report(manifest, seal, tuple(reports), _grid_report(root, manifest, open_grid))


def _grid_report(root: Path, manifest: Manifest, open_grid: OpenGrid | None) -> TargetReport | None:
    if manifest.grid is None:
        return None
    if open_grid is not None:
        return verify_grid(root, manifest, open_grid)
    check_grid(root, manifest)
    return TargetReport("grid", manifest.grid, ())
