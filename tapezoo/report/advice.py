"""What holds a trained model back, and what to do about it, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tapezoo.data.findings import Finding

ENOUGH_S = 120.0  # neural models of tape and preamps are trained on two minutes and more
APART = 3.0  # validation and test errors that differ by a larger factor point to different material
OVERFIT = 10.0  # val_loss over train_loss; quiet and loud passages alone make less difference
GAINED = 0.05  # of the error, over the last fifth of the updates
LIMITS = (
    "dc",
    "noise_floor",
    "drift",
    "unaligned",
    "clipping",
    "over_full_scale",
)  # kinds of findings, the gravest first
MOST_LIMITS = 2
LEAST_DC_SHARE = 0.05  # of the energy of a target: more flatters every error by so much
ACTIONS = {  # where the finding itself does not say what to do
    "over_full_scale": (
        "play and record with more headroom, or, if the file was made louder afterwards, use it as recorded"
    ),
}


@dataclass(frozen=True)
class Outcome:
    """The results of a training that ended.

    Args:
        train_s: Audio to train on, s.
        val_esr: Best error energy over target energy on the validation split.
        test_esr: Of the same model on the test split; NaN: not known.
        linear_floor: The val_esr of the best linear filter; NaN: not known.
        updates: Optimizer steps at each validation.
        val_errors: The val_esr of each.
        findings: Of the checks of the audio.
        is_cut_short: Whether the training ended before its planned epochs: where the learning rate falls to its end,
            the last epochs of a whole one improve most.
        train_loss: Of the last epoch; NaN: not known.
        val_loss: The same loss on the validation split.
    """

    train_s: float
    val_esr: float
    test_esr: float
    linear_floor: float
    updates: Sequence[int]
    val_errors: Sequence[float]
    findings: Sequence[Finding]
    is_cut_short: bool
    train_loss: float = math.nan
    val_loss: float = math.nan


def advice(outcome: Outcome) -> Iterator[str]:
    """One sentence or two for each thing that matters, the most important first."""
    if outcome.val_esr >= outcome.linear_floor:
        yield (
            "this model has learned nothing that an equaliser cannot do: train longer, or try recipes/fir.yaml; for a "
            "recorded tape machine recipes/tape.yaml"
        )
    if outcome.train_s < ENOUGH_S:
        yield (
            f"there were only {outcome.train_s:.0f} s of audio to train on: recording {ENOUGH_S / 60:.0f} to 10 "
            "minutes would help more than any setting (`tapezoo excitation` writes what to play)"
        )
    if outcome.train_loss > 0 and outcome.val_loss > OVERFIT * outcome.train_loss:
        yield (
            f"it fits the passages it was trained on {outcome.val_loss / outcome.train_loss:.0f} times better than "
            "others (overfitting): record more, and more varied, material; until then try a smaller net"
        )
    if outcome.is_cut_short and _is_still_improving(outcome):
        yield "it was still improving when it ended: a longer training would get further"
    if outcome.test_esr > APART * outcome.val_esr:
        yield (
            f"the test passages are {outcome.test_esr / outcome.val_esr:.1f} times harder for it than those it was "
            "chosen on: more, and more varied, recordings would bring the two together"
        )
    for finding in _limits(outcome.findings):
        same = [
            one.subject for one in outcome.findings if (one.severity, one.kind) == ("warning", finding.kind)
        ]
        others = ", ".join(dict.fromkeys(subject for subject in same if subject != finding.subject))
        others = f" (also {others})" if others else ""
        action = f": {ACTIONS[finding.kind]}" if finding.kind in ACTIONS else ""
        yield f"{finding.subject}: {finding.text}{others}{action}"


def _is_still_improving(outcome: Outcome) -> bool:
    known = [
        (step, value)
        for step, value in zip(outcome.updates, outcome.val_errors, strict=True)
        if math.isfinite(value)
    ]
    if len(known) < 5:
        return False
    early = [value for step, value in known if step <= 0.8 * known[-1][0]]
    late = [value for step, value in known if step > 0.8 * known[-1][0]]
    return bool(early) and min(late) < (1 - GAINED) * min(early)


def _limits(findings: Sequence[Finding]) -> list[Finding]:
    """The gravest warnings of what limits any model of these recordings, one of a kind."""
    first: dict[str, Finding] = {}
    for finding in sorted(findings, key=lambda one: -one.share):  # stable: others keep their order
        is_slight = finding.kind == "dc" and finding.share < LEAST_DC_SHARE
        if finding.severity == "warning" and finding.kind in LIMITS and not is_slight:
            first.setdefault(finding.kind, finding)
    return [first[kind] for kind in LIMITS if kind in first][:MOST_LIMITS]
