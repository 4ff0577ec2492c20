"""Errors for users: one paragraph that says what was found, what was expected and what to do."""

from __future__ import annotations

import errno

from tapezoo.terminal import plain

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # disk full, quota used up, file too large
PART_CHARACTERS = 2000  # so that no nested cause fills the screen


class TapezooError(Exception):
    """An error that the user can correct, in one paragraph; the command line exits with code 2.

    A package has two or three subclasses, for callers to catch; the message distinguishes the errors.

    Args:
        subject: The file, argument or name that the error is about.
        found: What was found.
        expected: What would have been correct.
        fix: What to do, as a full sentence.
    """

    def __init__(self, subject: str, *, found: str, expected: str, fix: str) -> None:
        # one paragraph, whatever line breaks a parser's message or a file name contains
        subject, found, expected, fix = (_shorten(part) for part in (subject, found, expected, fix))
        super().__init__(f"{subject}: found {found}; expected {expected}. {fix}")
        self.subject, self.found, self.expected, self.fix = subject, found, expected, fix


def _shorten(part: str) -> str:
    text = plain(" ".join(part.split()))
    return text if len(text) <= PART_CHARACTERS else f"{text[:PART_CHARACTERS]}..."


class UsageError(TapezooError):
    """A command line or recipe that cannot be understood."""

    def __init__(self, command: str, found: str) -> None:
        super().__init__(
            command,
            found=found.rstrip("."),
            expected="a command line and a recipe as its help describes them",
            fix=f"Correct it, or the recipe that --config names; `{command} --help` lists all options.",
        )


class ArgumentsError(TapezooError):
    """Arguments of a verb that takes no recipe, which cannot be understood."""

    def __init__(self, command: str, found: str) -> None:
        super().__init__(
            command,
            found=found.rstrip("."),
            expected="arguments as its help describes them",
            fix=f"Correct the command; `{command} --help` lists all options.",
        )


class OutputExistsError(TapezooError):
    """A file or folder is already where the result should go."""

    def __init__(self, path: object) -> None:
        super().__init__(
            str(path),
            found="a file or folder that exists",
            expected="a free name",
            fix="Choose another name or pass --overwrite.",
        )


class UnwritableOutputError(TapezooError):
    """The result cannot be written where it should go: no such place, no permission, or a full disk."""

    def __init__(self, path: object, reason: object) -> None:
        if isinstance(reason, OSError) and reason.errno in FULL:
            super().__init__(
                str(path),
                found=f"a full disk ({reason.strerror})",
                expected="enough free space for the result",
                fix="Free some space, or choose a place on another disk.",
            )
            return
        super().__init__(
            str(path),
            found=f"a location that cannot be written ({reason})",
            expected="an existing, writable folder",
            fix="Create the folder, change its permissions or choose another place.",
        )
