"""Verifying a bundle: its hashes, then its golden files through whatever runtimes the caller has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tapezoo.bundle.errors import BundleError
from tapezoo.bundle.golden import CaseResult, Step, read_golden_input, read_rest, replay_case
from tapezoo.bundle.manifest import Manifest
from tapezoo.bundle.seal import verify_hashes

OpenTarget = Callable[[Path, Sequence[str]], Step]
"""(file, state names in graph order) -> the runtime's step."""


class BrokenTargetError(BundleError):
    """A target's runtime refuses the file, or fails while it plays."""


class ReplayMismatchError(BundleError):
    """A target that does not give the expected output of a golden file."""


@dataclass(frozen=True)
class TargetReport:
    """What replaying one target gave; `results` is empty where its runtime is not installed."""

    target: str
    file: str
    results: tuple[CaseResult, ...]

    @property
    def status(self) -> str:
        """Either "ok" or "not replayed"."""
        return "ok" if self.results else "not replayed"

    @property
    def max_abs_error(self) -> float:
        """The largest error of all golden cases; 0 where nothing was replayed."""
        return max((result.max_abs_error for result in self.results), default=0.0)


@dataclass(frozen=True)
class Report:
    """A bundle that passed: the hashes of all files are right, and what was replayed gave what it should."""

    manifest: Manifest
    seal_sha256: str
    targets: tuple[TargetReport, ...]


def verify_bundle(root: Path, openers: Mapping[str, OpenTarget], seal_sha256: str | None = None) -> Report:
    """Checks every hash, then replays the golden files in every target that has an opener.

    Args:
        root: The bundle's folder.
        openers: By target name.
        seal_sha256: See `verify_hashes`.

    Raises:
        BundleError: The first fault found, with the file at fault.
    """
    manifest, seal = verify_hashes(root, seal_sha256)
    reports = []
    for target, file in manifest.targets.items():
        results: tuple[CaseResult, ...] = ()
        if target in openers:
            results = replay(open_target(openers[target], root, manifest, target), root, manifest, file)
        for result in results:
            if not result.passed:
                found = f"an error of {result.max_abs_error:.3g} in golden case {result.case}"
                raise ReplayMismatchError.about(root, file, found, f"at most {result.tolerance:.3g}")
        reports.append(TargetReport(target, file, results))
    return Report(manifest, seal, tuple(reports))


def replay(step: Step, root: Path, manifest: Manifest, file: str) -> tuple[CaseResult, ...]:
    """All golden cases through one step; does not judge the errors.

    Args:
        step: What to replay.
        root: The bundle's folder.
        manifest: Of the bundle.
        file: The target's file, named in errors.

    Raises:
        BrokenTargetError: The target fails while it plays.
        MalformedFileError: Golden files that do not fit the manifest.
    """
    audio, rest = read_golden_input(root), read_rest(root, manifest)
    results = []
    for case in manifest.golden:
        try:
            results.append(replay_case(step, root, manifest, case, audio, rest))
        except BundleError:
            raise
        except Exception as error:  # every runtime has exceptions of its own
            raise _broken(root, file, f"a failure in golden case {case.name}", error) from error
    return tuple(results)


def open_target(opener: OpenTarget, root: Path, manifest: Manifest, target: str) -> Step:
    """Opens a target of a bundle.

    Raises:
        BrokenTargetError: The target's runtime refuses the file.
    """
    file = manifest.targets[target]
    try:
        return opener(root / file, manifest.state_names)
    except Exception as error:  # every runtime has exceptions of its own
        raise _broken(root, file, "a file that its runtime refuses", error) from error


def _broken(root: Path, file: str, what: str, error: Exception) -> BrokenTargetError:
    found = f"{what} ({type(error).__name__}: {error})"
    return BrokenTargetError(
        root, file, found=found, expected="a working target", fix="Export the bundle again."
    )
