"""What reaches a terminal: every character as it is or as an escape, nothing that moves a cursor or turns a line."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable

SHOWN_CHARACTERS = 40  # of a value from a file: enough to find it, too little to read the file


def plain(text: str) -> str:
    r"""What a terminal shows as it stands: everything else as a Python escape.

    >>> plain("a\x1b[2J")
    'a\\x1b[2J'
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text
    )


def shown(value: object, most: int = SHOWN_CHARACTERS) -> str:
    """A value from somebody's file, for a message: its beginning as Python writes it.

    >>> shown("x" * 100, most=8)
    "'xxxxxxx..."
    """
    text = plain(repr(value))
    return text if len(text) <= most else f"{text[:most]}..."


def shell(*parts: object) -> str:
    r"""A command to be copied: parts are quoted where a shell would take them apart.

    >>> shell("tapezoo", "verify", "Amp [ch 1]")
    "tapezoo verify 'Amp [ch 1]'"
    >>> shell("cat", "a\nb")
    "cat $'a\\x0ab'"
    """
    return " ".join(_quote(str(part)) for part in parts)


def say(*lines: str) -> None:
    """Lines for standard output."""
    sys.stdout.write(_join(lines))


def complain(*lines: str) -> None:
    """Lines for standard error."""
    sys.stderr.write(_join(lines))


def passing(step: str) -> None:
    """A step on the last line of standard error, where the next takes its place; an empty one clears it."""
    sys.stderr.write(f"\r\x1b[K{plain(step)}")
    sys.stderr.flush()


def _join(lines: Iterable[str]) -> str:
    return "".join(f"{plain(line)}\n" for line in lines)


def _quote(part: str) -> str:
    if part.isprintable():
        return shlex.quote(part)
    raw = os.fsencode(part)  # bytes of a name that is no UTF-8 come out as they are on disk
    safe = (chr(b) if 0x20 <= b < 0x7F and chr(b) not in "'\\" else f"\\x{b:02x}" for b in raw)
    return f"$'{''.join(safe)}'"
