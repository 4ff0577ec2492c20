"""Replaying one target's golden files, and judging what it played."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from tapezoo.bundle.errors import BundleError
from tapezoo.bundle.golden import CaseResult, read_golden_input, read_rest, replay_case
from tapezoo.bundle.manifest import Manifest
from tapezoo.bundle.play import Step
from tapezoo.bundle.results import TargetResult

OpenTarget = Callable[[Path, Sequence[str]], Step]
"""(file, state names in graph order) -> the runtime's step."""


def judge(root: Path, target: TargetResult) -> None:
    """Compares a target's errors with their limits.

    Raises:
        BundleError: Names the file.
    """
    for result in target.results:
        if not math.isfinite(result.max_abs_error):
            found = f"samples that are not finite in golden case {result.case}: the graph or its weights are broken"
            raise BundleError.about(root, target.file, found, "sound")
        if target.max_esr is None and not result.passed:
            found = f"an error of {result.max_abs_error:.3g} in golden case {result.case}"
            raise BundleError.about(root, target.file, found, f"at most {result.tolerance:.3g}")
    if target.max_esr is not None and not target.esr <= target.max_esr:
        found = f"an ESR of {target.esr:.3g} over all golden cases"
        raise BundleError.about(root, target.file, found, f"at most {target.max_esr:.3g}")


def replay(step: Step, root: Path, manifest: Manifest, file: str) -> tuple[CaseResult, ...]:
    """All golden cases through one step; does not judge the errors.

    Args:
        step: What to replay.
        root: The bundle's folder.
        manifest: Of the bundle.
        file: The target's file, named in errors.

    Raises:
        BundleError: The target fails while it plays. Golden files that do not fit the manifest.
    """
    audio, rest = read_golden_input(root), read_rest(root, manifest)
    results = []
    for case in manifest.golden:
        try:
            results.append(replay_case(step, root, manifest, case, audio, rest))
        except BundleError:
            raise
        except Exception as error:  # every runtime has exceptions of its own
            raise _error(root, file, f"a failure in golden case {case.name}", error) from error
    return tuple(results)


def open_target(opener: OpenTarget, root: Path, manifest: Manifest, target: str) -> Step:
    """Opens a target of a bundle.

    Raises:
        BundleError: The target's runtime refuses the file.
    """
    file = manifest.targets[target]
    try:
        return opener(root / file, manifest.state_names)
    except Exception as error:  # every runtime has exceptions of its own
        raise _error(root, file, "a file that its runtime rejects", error) from error


def _error(root: Path, file: str, what: str, error: Exception) -> BundleError:
    found = f"{what} ({type(error).__name__}: {error})"
    return BundleError(root, file, found=found, expected="a working target", fix="Export the bundle again.")
