"""The gate at the end of export: every target, read back from its file, against the net."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tapezoo.bundle import BundleError, Manifest, Step, open_target, replay
from tapezoo.errors import TapezooError
from tapezoo.export.golden import net_step
from tapezoo.export.target import Target
from tapezoo.net import Net

NET_ADVICE = "The output depends on how the signal is cut into blocks, or is not finite: run `tapezoo check`."
TARGET_ADVICE = "The graph lost something: look for Python conditions and fixed lengths in the net's forward."


class ParityError(TapezooError):
    """A target that does not sound like the net; nothing was exported."""


def parity_table(
    root: Path, manifest: Manifest, net: Net, targets: Sequence[Target]
) -> tuple[dict[str, Any], ...]:
    """Replays all golden cases, in the net itself ("net") and in every target.

    Returns:
        Rows with target, case, max_abs_error, tolerance.

    Raises:
        ParityError: The first case over its tolerance, or a target that does not run.
    """
    # the net first: if blocks of 64 differ from one long block in the net itself, no target is to blame
    rows = _rows("net", net_step(net), root, manifest, "the net", NET_ADVICE)
    for target in targets:
        subject = f"export target {target.name!r}"
        try:
            step = open_target(target.open, root, manifest, target.name)
            rows += _rows(target.name, step, root, manifest, subject, TARGET_ADVICE)
        except BundleError as error:
            raise _failed(subject, error.found, "a target that plays", TARGET_ADVICE) from error
    return tuple(rows)


def _rows(
    name: str, step: Step, root: Path, manifest: Manifest, subject: str, advice: str
) -> list[dict[str, Any]]:
    rows = []
    for result in replay(step, root, manifest, name):
        if not result.passed:
            found = f"an error of {result.max_abs_error:.3g} in golden case {result.case}"
            raise _failed(subject, found, f"at most {result.tolerance:.3g}", advice)
        row = {"target": name, "case": result.case, "max_abs_error": result.max_abs_error}
        rows.append({**row, "tolerance": result.tolerance})
    return rows


def _failed(subject: str, found: str, expected: str, advice: str) -> ParityError:
    return ParityError(subject, found=found, expected=expected, fix=f"No bundle was written. {advice}")
