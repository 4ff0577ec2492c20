"""What listeners answered: CSV files of the page, or of webMUSHRA, for one test."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tapezoo.listening.design import REFERENCE, VERSION, ListeningTest
from tapezoo.listening.errors import ResultsError
from tapezoo.listening.scales import CATEGORIES
from tapezoo.listening.webmushra import LISTENER, REPEAT, test_id
from tapezoo.terminal import shown

MOST_BYTES = 20_000_000  # of a file: thousands of listeners
OWN = {"test", "version", "kind", "listener", "trial"}  # columns that tell the page's files
WEBMUSHRA = "session_test_id"
WEBMUSHRA_COLUMNS = {  # of its file for each kind of test, and that file's name
    "mushra": ({"rating_stimulus", "rating_score"}, "mushra.csv"),
    "abx": ({"choice_non_reference", "choice_answer"}, "paired_comparison.csv"),
    "dmos": ({"stimuli_rating", "stimuli"}, "lss.csv"),
}
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


def read_answers(test: ListeningTest, files: Sequence[Path]) -> list[Answer]:
    """The answers in all files together.

    Args:
        test: What they are answers to.
        files: Of the page or of webMUSHRA, in any mixture.

    Raises:
        ResultsError: A file of another test, version or kind; one that was changed by hand; two answers of one listener
            to the same question.
    """
    found: dict[tuple[str, str, str, int], Path] = {}
    answers = []
    for file in files:
        for answer in _answers(test, file):
            key = (answer.listener, answer.trial, answer.system, answer.repeat)
            if key in found:
                where = "twice in it" if found[key] == file else f"also in {found[key]}"
                raise ResultsError(
                    str(file),
                    found=f"an answer of {shown(answer.listener)} that is {where}",
                    expected="each listener once",
                    fix="Leave out one of the two; if they are two people, give them two names in the column listener.",
                )
            found[key] = file
            answers.append(answer)
    return answers


def _answers(test: ListeningTest, file: Path) -> Iterator[Answer]:
    text = _text(file)
    heading = text.partition("\n")[0]
    # a spreadsheet writes semicolons where its language has the decimal comma
    rows = csv.DictReader(
        io.StringIO(text), delimiter=";" if heading.count(";") > heading.count(",") else ","
    )
    columns = set(rows.fieldnames or ())
    read: Callable[[ListeningTest, Mapping[str, str]], Answer]
    if columns >= OWN:
        read = _own_answer
    elif WEBMUSHRA in columns:
        wanted, name = WEBMUSHRA_COLUMNS[test.kind]
        if not columns >= wanted:
            raise _wrong_kind(file, "a file of webMUSHRA for another kind of test", f"its {name}")
        read = _webmushra_answer
    else:
        raise _wrong_kind(
            file, f"a CSV file with the columns {shown(', '.join(sorted(columns)), 80)}", "answers"
        )
    any_row = False
    for row in rows:
        any_row = True
        try:
            yield read(test, row)
        except (ResultsError, KeyError, ValueError, TypeError, AttributeError) as error:
            if isinstance(error, ResultsError):
                raise ResultsError(
                    str(file),
                    found=f"{error.found} in line {rows.line_num}",
                    expected=error.expected,
                    fix=error.fix,
                ) from error
            raise ResultsError(
                str(file),
                found=f"something that is no answer in line {rows.line_num} ({type(error).__name__}: {error})",
                expected="the file as the page wrote it",
                fix="Ask the listener for the file again.",
            ) from error
    if not any_row:
        raise _wrong_kind(file, "no answers", "at least one")


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise _wrong_kind(
                file, f"{file.stat().st_size / 1e6:.0f} MB", f"at most {MOST_BYTES / 1e6:.0f} MB of answers"
            )
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong_kind(file, f"a file that cannot be read ({error})", "a CSV file with answers") from error


def _own_answer(test: ListeningTest, row: Mapping[str, str]) -> Answer:
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


def _webmushra_answer(test: ListeningTest, row: Mapping[str, str]) -> Answer:
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


def _wrong_kind(file: Path, found: str, expected: str) -> ResultsError:
    return ResultsError(
        str(file),
        found=found,
        expected=f"{expected}: what the page saved, or webMUSHRA wrote to its folder of results",
        fix="Name another file.",
    )
