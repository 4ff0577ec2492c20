"""Safe terminal output: every character is shown or escaped, and none can move the cursor or change the line."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable

SHOWN_CHARACTERS = 40  # of a value from a file: enough to find it, too little to reveal the file


def plain(text: str) -> str:
    r"""The text with everything that is not printable as a Python escape.

    >>> plain("a\x1b[2J")
    'a\\x1b[2J'
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text
    )


def shown(value: object, most: int = SHOWN_CHARACTERS) -> str:
    """The beginning of a value from somebody's file, as a Python literal, for a message.

    >>> shown("x" * 100, most=8)
    "'xxxxxxx..."
    """
    text = plain(repr(value))
    return text if len(text) <= most else f"{text[:most]}..."


def shell(*parts: object) -> str:
    r"""A command to copy and paste: parts are quoted where a shell would split or expand them.

    >>> shell("tapezoo", "verify", "Amp [ch 1]")
    "tapezoo verify 'Amp [ch 1]'"
    >>> shell("cat", "a\nb")
    "cat $'a\\x0ab'"
    """
    return " ".join(_quote(str(part)) for part in parts)


def say(*lines: str) -> None:
    """Writes lines to standard output."""
    sys.stdout.write(_join(lines))


def complain(*lines: str) -> None:
    """Writes lines to standard error."""
    sys.stderr.write(_join(lines))


def passing(step: str) -> None:
    """Shows a progress step on the last line of standard error, replacing the previous one; an empty one clears it."""
    sys.stderr.write(f"\r\x1b[K{plain(step)}")
    sys.stderr.flush()


def _join(lines: Iterable[str]) -> str:
    return "".join(f"{plain(line)}\n" for line in lines)


def _quote(part: str) -> str:
    if part.isprintable():
        return shlex.quote(part)
    raw = os.fsencode(part)  # bytes of a name that is not UTF-8 appear as they are on disk
    safe = (chr(b) if 0x20 <= b < 0x7F and chr(b) not in "'\\" else f"\\x{b:02x}" for b in raw)
    return f"$'{''.join(safe)}'"
