"""One row of a file of answers, the page's or webMUSHRA's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tapezoo.listening.design import REFERENCE, VERSION, ListeningTest
from tapezoo.listening.errors import ResultsError
from tapezoo.listening.scales import CATEGORIES
from tapezoo.listening.webmushra import LISTENER, REPEAT, test_id
from tapezoo.terminal import shown

WEBMUSHRA = "session_test_id"
VERDICTS = {"correct": 1.0, "incorrect": 0.0}  # of webMUSHRA's paired comparison


@dataclass(frozen=True)
class Answer:
    """One answer.

    Args:
        listener: Who gave it.
        trial: Id of the passage.
        system: Name of what was judged.
        repeat: Number of the question, from 1 on.
        value: MUSHRA: 0 to 100. DMOS: 1 to 5. ABX: 1 for right, 0 for wrong.
    """

    listener: str
    trial: str
    system: str
    repeat: int
    value: float


def own_answer(test: ListeningTest, row: Mapping[str, str]) -> Answer:
    """A row of the page's file.

    Raises:
        ResultsError: Of another test, version or kind.
        ValueError, KeyError, TypeError: What is no answer.
    """
    if row["test"] != test.id:
        raise _of_another(f"answers to the test {shown(row['test'])}", f"{test.id}")
    if row["version"] != str(VERSION):
        raise _of_another(f"answers of version {shown(row['version'])}", f"version {VERSION}")
    if row["kind"] != test.kind:
        raise _of_another(f"answers of a {shown(row['kind'])} test", test.kind)
    trial = _trial(test, row["trial"])
    repeat = int(row["repeat"])
    if test.kind == "abx":
        pair, reference = {row["a"], row["b"]}, _reference_of(test, trial)
        if len(pair) != 2 or reference not in pair or not {row["x"], row["answer"]} <= pair:
            raise ValueError("no pair with the reference")
        system = _system(test, trial, (pair - {reference}).pop())
        return Answer(_name(row["listener"]), trial, system, repeat, float(row["x"] == row["answer"]))
    system = _system(test, trial, row["stimulus"])
    return Answer(_name(row["listener"]), trial, system, repeat, _rating(test, row["rating"]))


def webmushra_answer(test: ListeningTest, row: Mapping[str, str]) -> Answer:
    """A row of webMUSHRA's file for the kind of the test.

    Raises:
        As `own_answer`.
    """
    if row[WEBMUSHRA].lower() != test_id(test):
        raise _of_another(f"answers to the test {shown(row[WEBMUSHRA])}", test_id(test))
    listener = _name(row.get(LISTENER) or row.get("session_uuid") or "")
    place, _, number = row["trial_id"].partition(REPEAT)
    trial = _trial(test, place)
    match test.kind:
        case "mushra":
            own = row["rating_stimulus"]
            system = REFERENCE if own == REFERENCE else _system(test, trial, own)
            return Answer(listener, trial, system, 1, _rating(test, row["rating_score"]))
        case "abx":
            system = _system(test, trial, row["choice_non_reference"])
            return Answer(listener, trial, system, int(number), VERDICTS[row["choice_answer"]])
        case _:
            return Answer(
                listener, trial, _system(test, trial, row["stimuli"]), 1, _rating(test, row["stimuli_rating"])
            )


def _rating(test: ListeningTest, text: str) -> float:
    value = float(text)
    if test.kind == "mushra" and not 0 <= value <= 100:
        raise ValueError(f"the rating {value:g}, outside of 0 to 100")
    if test.kind == "dmos" and value not in CATEGORIES:
        raise ValueError(f"the rating {value:g}, none of 1 to 5")
    return value


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError("no name of a listener")
    return text.strip()


def _trial(test: ListeningTest, name: str) -> str:
    if all(trial.id != name for trial in test.trials):
        raise ValueError(f"the passage {shown(name)}, which the test does not have")
    return name


def _reference_of(test: ListeningTest, trial: str) -> str:
    return next(one.reference for one in test.trials if one.id == trial)


def _system(test: ListeningTest, trial: str, stimulus: str) -> str:
    own = next(one for one in test.trials if one.id == trial).stimuli
    names = [one.system for one in own if one.id == stimulus]
    if not names:
        raise ValueError(f"the sound {shown(stimulus)}, which that passage does not have")
    return names[0]


def _of_another(found: str, expected: str) -> ResultsError:
    return ResultsError(
        "",
        found=found,
        expected=expected,
        fix="Leave the file out, or name the folder of the test that it belongs to.",
    )
