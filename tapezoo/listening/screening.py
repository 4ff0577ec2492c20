"""Which listeners count: those who answered everything, and, in a MUSHRA test, heard what there is to hear."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tapezoo.listening.answer_rows import Answer
from tapezoo.listening.design import MID_ANCHOR, REFERENCE, ListeningTest

# BS.1534-3, 4.1.2
LEAST_REFERENCE, MOST_ANCHOR = 90, 90
TOLERATED_SHARE = 0.15  # of the passages
DOUBTFUL_SHARE = 0.25  # of the listeners who rate an anchor so high that the passage says nothing of them


def exclude(test: ListeningTest, answers: Sequence[Answer]) -> dict[str, str]:
    """The listeners who do not count, and why.

    Args:
        test: The test.
        answers: Of all.

    Returns:
        By listener, half a sentence.
    """
    listeners = list(dict.fromkeys(answer.listener for answer in answers))
    asked = sum(len(trial.stimuli) for trial in test.trials) * test.repeats
    given = Counter(answer.listener for answer in answers)
    excluded = {name: f"answered {given[name]} of {asked}" for name in listeners if given[name] < asked}
    if test.kind == "mushra":
        complete = [answer for answer in answers if answer.listener not in excluded]
        excluded.update(_careless(test, complete))
    return excluded


def _careless(test: ListeningTest, answers: Sequence[Answer]) -> dict[str, str]:
    """BS.1534-3's rules for the hidden reference and the mid-range anchor."""
    passages = [trial.id for trial in test.trials]
    listeners = list(dict.fromkeys(answer.listener for answer in answers))
    value = {(answer.listener, answer.trial, answer.system): answer.value for answer in answers}
    too_high = {
        passage: [name for name in listeners if value[name, passage, MID_ANCHOR] > MOST_ANCHOR]
        for passage in passages
    }
    telling = [passage for passage in passages if len(too_high[passage]) <= DOUBTFUL_SHARE * len(listeners)]
    found = {}
    for name in listeners:
        low = sum(value[name, passage, REFERENCE] < LEAST_REFERENCE for passage in passages)
        high = sum(name in too_high[passage] for passage in telling)
        if low > TOLERATED_SHARE * len(passages):
            found[name] = (
                f"rated the hidden reference below {LEAST_REFERENCE} in {low} of {len(passages)} passages"
            )
        elif high > TOLERATED_SHARE * len(passages):
            found[name] = f"rated the 7 kHz anchor above {MOST_ANCHOR} in {high} of {len(passages)} passages"
    return found
