"""What verifying a bundle found, as values."""

from __future__ import annotations

from dataclasses import dataclass

from tapezoo.bundle.golden import CaseResult, overall_esr
from tapezoo.bundle.manifest import Manifest


@dataclass(frozen=True)
class TargetResult:
    """What replaying one target gave.

    Args:
        target: Its name.
        file: Its bundle path.
        results: Of all golden cases; empty where its runtime is not installed.
        max_esr: Limit for a lossy target, see `Manifest.degradation`; None: each case has its own tolerance.
    """

    target: str
    file: str
    results: tuple[CaseResult, ...]
    max_esr: float | None = None

    @property
    def status(self) -> str:
        """Either "ok" or "not replayed"."""
        return "ok" if self.results else "not replayed"

    @property
    def max_abs_error(self) -> float:
        """The largest error of all golden cases; 0 where nothing was replayed."""
        return max((result.max_abs_error for result in self.results), default=0.0)

    @property
    def esr(self) -> float:
        """Of all golden cases together; 0 where nothing was replayed."""
        return overall_esr(self.results) if self.results else 0.0


@dataclass(frozen=True)
class Verification:
    """A bundle that passed: the hashes of all files are right, and what was replayed gave what it should.

    Args:
        manifest: Of the bundle.
        seal_sha256: Of SHA256SUMS.
        targets: One by one.
        grid: Of the sampled grid; None: the bundle has none.
    """

    manifest: Manifest
    seal_sha256: str
    targets: tuple[TargetResult, ...]
    grid: TargetResult | None = None

    @property
    def parts(self) -> tuple[TargetResult, ...]:
        """The targets, and the grid where there is one: everything that could be replayed."""
        return self.targets if self.grid is None else (*self.targets, self.grid)
