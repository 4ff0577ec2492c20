"""What listeners answered: CSV files of the page, or of webMUSHRA, for one test."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tapezoo.listening.answer_rows import WEBMUSHRA, Answer, own_answer, webmushra_answer
from tapezoo.listening.design import ListeningTest
from tapezoo.listening.errors import ResultsError
from tapezoo.terminal import shown

MOST_BYTES = 20_000_000  # of a file: thousands of listeners
OWN = {"test", "version", "kind", "listener", "trial"}  # columns that tell the page's files
WEBMUSHRA_COLUMNS = {  # of its file for each kind of test, and that file's name
    "mushra": ({"rating_stimulus", "rating_score"}, "mushra.csv"),
    "abx": ({"choice_non_reference", "choice_answer"}, "paired_comparison.csv"),
    "dmos": ({"stimuli_rating", "stimuli"}, "lss.csv"),
}


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
    if not text.strip():
        raise _wrong_kind(file, "an empty file", "answers")
    heading = text.partition("\n")[0]
    # a spreadsheet writes semicolons where its language has the decimal comma
    rows = csv.DictReader(
        io.StringIO(text), delimiter=";" if heading.count(";") > heading.count(",") else ","
    )
    columns = set(rows.fieldnames or ())
    read: Callable[[ListeningTest, Mapping[str, str]], Answer]
    if columns >= OWN:
        read = own_answer
    elif WEBMUSHRA in columns:
        wanted, name = WEBMUSHRA_COLUMNS[test.kind]
        if not columns >= wanted:
            raise _wrong_kind(file, "a file of webMUSHRA for another kind of test", f"its {name}")
        read = webmushra_answer
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


def _wrong_kind(file: Path, found: str, expected: str) -> ResultsError:
    return ResultsError(
        str(file),
        found=found,
        expected=f"{expected}: what the page saved, or webMUSHRA wrote to its folder of results",
        fix="Name another file.",
    )
