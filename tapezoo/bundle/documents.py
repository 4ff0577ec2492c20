"""JSON from strangers: bounded, strict, and every value taken only as what it should be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

from tapezoo.bundle.errors import BundleError

DOCUMENT_LIMIT_BYTES = 1 << 26
COUNT_LIMIT = 1 << 30  # samples, and values of one state tensor: above it something is wrong
# exceptions that mean here that the document is not as its reader expects
FAULTS = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)

# relative, forward slashes, no hidden parts: leaves no way to write "..", a drive or an absolute path
FILE = r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*"
NAME = r"[A-Za-z_][A-Za-z0-9_]*"
SHA256 = r"[0-9a-f]{64}"
# no control, invisible or bidirectional characters: the text is shown on terminals
TEXT = r"[^\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]{0,200}"
# Windows opens a device under these names, whatever follows the dot
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
T = TypeVar("T")


def read_document(
    root: Path, file: str, what: str, limit_bytes: int = DOCUMENT_LIMIT_BYTES
) -> dict[str, Any]:
    """The object in a JSON file of a bundle: no key twice, no NaN, no number without a value, valid Unicode.

    Args:
        root: The bundle's folder.
        file: Its bundle path.
        what: What it should be, for the error.
        limit_bytes: Largest size of the file; parsed, it may take twenty times as much.

    Raises:
        BundleError: It is not that.
    """
    path = root / file
    try:
        size = path.stat().st_size
        if size > limit_bytes:
            raise ValueError(f"{size} bytes, over {limit_bytes}")
        document = json.loads(
            path.read_bytes().decode("utf-8"),
            object_pairs_hook=_read_object,
            parse_constant=_refuse_constant,
            parse_float=_read_float,
        )
        json.dumps(document, ensure_ascii=False).encode()  # lone surrogates cannot be printed
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError.about(root, file, f"no readable JSON ({error})", what) from error
    if not isinstance(document, dict):
        raise BundleError.about(root, file, "JSON that is not an object", what)
    return document


def fields_of(value: Any, names: Collection[str], optional: Collection[str] = ()) -> dict[str, Any]:
    """An object with exactly these fields, apart from optional ones."""
    if not isinstance(value, dict):
        raise ValueError(f"{_shorten(value)} where an object with {', '.join(names)} should be")
    if wrong := (set(names) - set(value)) | (set(value) - {*names, *optional}):
        raise ValueError(f"fields missing or unknown: {', '.join(sorted(wrong))}")
    return value


def items(value: Any, read: Callable[[Any], T], least: int = 0, most: int = 1000) -> tuple[T, ...]:
    """A list, item by item."""
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise ValueError(f"{_shorten(value)} where a list of {least} to {most} should be")
    return tuple(read(item) for item in value)


def mapping(value: Any, most: int = 10_000) -> dict[str, Any]:
    """Any object."""
    if not isinstance(value, dict) or len(value) > most:
        raise ValueError(f"{_shorten(value)} where an object of at most {most} fields should be")
    return value


def matching(pattern: str, value: Any) -> str:
    """Text of this form."""
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise ValueError(f"{_shorten(value)}, which does not look like {pattern}")
    return value


def file_name(value: Any) -> str:
    """A bundle path that means the same file on every system."""
    name = matching(FILE, value)
    if len(name) > 255 or any(_DEVICE.fullmatch(part) or part.endswith(".") for part in name.split("/")):
        raise ValueError(f"the file {_shorten(name)}, which is not a valid file name on every system")
    return name


def count(value: Any, least: int = 0, most: int = COUNT_LIMIT) -> int:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{_shorten(value)}, which is not a whole number from {least} to {most}")
    return value


def number(value: Any, least: float = -math.inf, most: float = math.inf) -> float:
    """A number, not counting true and false."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{_shorten(value)}, which is not a number")
    if not (math.isfinite(value) and least <= value <= most):
        raise ValueError(f"{_shorten(value)}, which is not a number from {least:g} to {most:g}")
    return value


def distinct(names: Collection[str]) -> None:
    """Refuses a name that occurs twice."""
    if len(set(names)) != len(names):
        raise ValueError(f"a repeated name among {_shorten(sorted(names))}")


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a repeated key")
    return found


def _read_float(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"the number {text[:40]}")
    return value


def _refuse_constant(text: str) -> float:
    raise ValueError(f"the number {text}")


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
