"""The gate at the end of export: every target, read back from its file, against the net."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tapezoo.bundle import BundleError, CaseResult, Manifest, Step, open_target, replay
from tapezoo.export.errors import ExportError, ParityError
from tapezoo.export.rounding import ROUNDING, net_step, perturb_weights
from tapezoo.export.targets.target import Target
from tapezoo.net import Net

NET_ADVICE = "The output depends on how the signal is cut into blocks, or is not finite: run `tapezoo check`."
TARGET_ADVICE = "The graph is incomplete: look for Python conditions and fixed lengths in the net's forward."


STEADY_TOLERANCES = 5  # moving all weights at once does more than roundings do


def measure_parity(
    root: Path, manifest: Manifest, net: Net, targets: Sequence[Target]
) -> tuple[tuple[dict[str, Any], ...], dict[str, tuple[CaseResult, ...]]]:
    """Replays all golden cases, in the net itself ("net") and in every target that is not lossy.

    Returns:
        Rows with target, case, max_abs_error, tolerance; and what each target played, other builds of it left out.

    Raises:
        ParityError: The first case over its tolerance, or a target that does not run.
        ExportError: The net fails by itself when its weights are moved by rounding errors.
    """
    try:
        # the net first: if blocks of 64 differ from one long block in the net itself, no target is to blame
        rows, played = _replay_net(net, root, manifest), {}
        for target in targets:
            if not target.lossy:
                worst, played[target.name] = _replay_target(target, root, manifest)
                rows += worst
    except ParityError as error:
        _check_steady(net, root, manifest, error)
        raise
    return tuple(rows), played


def _replay_net(net: Net, root: Path, manifest: Manifest) -> list[dict[str, Any]]:
    try:
        return _rows("net", _replay_step("net", net_step(net), root, manifest, "the net", NET_ADVICE))
    except BundleError as error:  # golden output that is not finite
        raise _error("the net", error.found, "a net that plays", NET_ADVICE) from error


def _replay_target(
    target: Target, root: Path, manifest: Manifest
) -> tuple[list[dict[str, Any]], tuple[CaseResult, ...]]:
    subject = f"export target {target.name!r}"
    try:
        step = open_target(target.open, root, manifest, target.name)
        played = _replay_step(target.name, step, root, manifest, subject, TARGET_ADVICE)
        rows = _rows(target.name, played)
        for build, other in target.other_builds(root / target.file, manifest.state_names).items():
            others = _rows(
                target.name,
                _replay_step(target.name, other, root, manifest, f"{subject}, {build},", TARGET_ADVICE),
            )
            rows = [
                max(pair, key=lambda row: row["max_abs_error"]) for pair in zip(rows, others, strict=True)
            ]
        return rows, played
    except BundleError as error:
        raise _error(subject, error.found, "a target that plays", TARGET_ADVICE) from error


def _replay_step(
    name: str, step: Step, root: Path, manifest: Manifest, subject: str, advice: str
) -> tuple[CaseResult, ...]:
    results = replay(step, root, manifest, name)
    for result in results:
        if not result.passed:
            found = f"an error of {result.max_abs_error:.3g} in golden case {result.case}"
            raise _error(subject, found, f"at most {result.tolerance:.3g}", advice)
    return results


def _rows(name: str, results: Sequence[CaseResult]) -> list[dict[str, Any]]:
    fields = ("case", "max_abs_error", "tolerance")
    return [{"target": name, **{field: getattr(result, field) for field in fields}} for result in results]


def _error(subject: str, found: str, expected: str, advice: str) -> ParityError:
    return ParityError(subject, found=found, expected=expected, fix=f"No bundle was written. {advice}")


def _check_steady(net: Net, root: Path, manifest: Manifest, error: ParityError) -> None:
    """Raises if the net fails the gate too when its weights are moved by `ROUNDING`: then no graph is to blame."""
    try:
        results = replay(net_step(perturb_weights(net)), root, manifest, "net")
    except BundleError:  # golden output that is not finite has another cause
        return
    # not at the defaults alone: a net may be chaotic where its controls go; but only blocks the net itself was
    # recorded in, for a net that depends on blocks is another fault
    held = [case for case in manifest.golden if case.name.startswith("held_")]
    other_blocks = {case.name for case in held} - {max(held, key=lambda case: case.block_samples).name}
    worst = max(
        (result for result in results if result.case not in other_blocks),
        key=lambda result: result.max_abs_error / result.tolerance,
    )
    if worst.max_abs_error > STEADY_TOLERANCES * worst.tolerance:
        raise ExportError(
            "the trained net",
            found=f"an output that moves by {worst.max_abs_error:.3g} in golden case {worst.case} when its weights "
            f"move by {ROUNDING:g}",
            expected=f"at most {STEADY_TOLERANCES * worst.tolerance:.3g}",
            fix="No bundle was written: it would sound different on every processor. Train longer, with a lower "
            "learning rate or another seed, or export another checkpoint.",
        ) from error
