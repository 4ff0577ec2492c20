"""File and folder names made from other names: of a recording, a setting, a block, a recipe."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence

MOST_BYTES = (
    120  # in UTF-8, so that a prefix and an ending still fit the 255 (some systems: 143) of a file's name
)
MARK_LETTERS = 8
OTHERS_KEPT = "-._+=,@~"  # safe in shells, in URLs and on every file system
DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)))
)  # reserved on Windows, whatever the suffix


def unique_file_names(names: Sequence[str], taken: Collection[str] = ()) -> list[str]:
    """One file or folder name for each of `names`, in order, all different on every file system.

    Letters and digits of any script stay; every run of other characters becomes `_`. If two names would then be equal
    (also if only case or Unicode composition differs), or a name would be too long, it gets a suffix that is a hash of
    the whole original; a name that needed no change gets none. So a name does not depend on the order of the others.
    Equal names are numbered from the second on.

    Args:
        names: Any text.
        taken: File names that are in use already.

    >>> unique_file_names(["gain +5.wav", "drums", "Größe 3"])
    ['gain_+5.wav', 'drums', 'Größe_3']
    >>> unique_file_names(["gain +5.wav", "gain_+5.wav", "gain (5).wav"])
    ['gain_+5.wav-0af42218', 'gain_+5.wav', 'gain_5_.wav']
    """
    numbered = _add_numbers(names)
    plain = {name: _replace_odd(name) for name in numbered}
    wanted_by = Counter(_key(text) for text in plain.values())
    unchanged = Counter(_key(text) for name, text in plain.items() if text == name)
    used = {_key(name) for name in taken}
    found: dict[str, str] = {}
    for name, text in plain.items():
        key = _key(text)
        alone = wanted_by[key] == 1 or (text == name and unchanged[key] == 1)
        if alone and key not in used and _fits(text):
            found[name] = text
    used |= {_key(text) for text in found.values()}
    for name in sorted(
        set(plain) - set(found)
    ):  # not in their order: what gives way to what must not depend on it
        found[name] = _add_mark(name, plain[name], used)
        used.add(_key(found[name]))
    return [found[name] for name in numbered]


def _add_numbers(names: Sequence[str]) -> list[str]:
    """The names, with repeated ones as `name 2`, `name 3`, skipping any that another name already has."""
    known, seen, result = set(names), set(), []
    for name in names:
        number, unique = 2, name
        while unique in seen or (unique != name and unique in known):
            unique, number = f"{name} {number}", number + 1
        seen.add(unique)
        result.append(unique)
    return result


def _replace_odd(name: str) -> str:
    text = "".join(
        letter if letter.isalnum() or letter in OTHERS_KEPT or unicodedata.category(letter)[0] == "M" else "_"
        for letter in unicodedata.normalize("NFC", name)
    )
    text = re.sub("_+", "_", text).strip("_")
    # a leading dot hides a file, a leading dash reads as an option, Windows drops a final dot
    text = re.sub(r"^[-.~]+", "_", text).rstrip(".")
    if text.partition(".")[0].casefold() in DEVICES:
        text = f"_{text}"
    return text or "_"


def _fits(text: str) -> bool:
    return len(text.encode("utf-8", "surrogatepass")) <= MOST_BYTES


def _add_mark(name: str, text: str, used: Collection[str]) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    for letters in range(MARK_LETTERS, len(digest) + 1):
        mark = f"-{digest[:letters]}"
        cut = text.encode("utf-8", "surrogatepass")[: MOST_BYTES - len(mark)].decode("utf-8", "ignore")
        if _key(f"{cut}{mark}") not in used:
            return f"{cut}{mark}"
    raise AssertionError("two different names with one SHA-256")


def _key(name: str) -> str:
    """Equal for names that some file system treats as the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())
