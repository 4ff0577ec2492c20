"""Which databases of runs were used from this account: `tapezoo runs` lists them from any folder."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tapezoo.cache_folder import cache_root
from tapezoo.staging import replaced_file
from tapezoo.tracking.address import SQLITE

LIST = "stores.txt"  # an address a line, the latest first
MOST_STORES = 50


def remember_store(uri: str) -> None:
    """Puts a database file first in the list; where the list cannot be written, nothing is remembered.

    Args:
        uri: As `tracking_uri` gives it; servers are not remembered, since their addresses may hold passwords.
    """
    if not uri.startswith(SQLITE):
        return
    with suppress(Exception):  # no home folder, disk space or permission: no training depends on this list
        path = cache_root() / LIST
        uris = list(dict.fromkeys([uri, *_read()]))[:MOST_STORES]
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(path) as part:
            part.write_text("".join(f"{one}\n" for one in uris), encoding="utf-8")


def known_stores() -> list[str]:
    """The databases in the list that are still there, the latest first."""
    return [uri for uri in _read() if Path(uri.removeprefix(SQLITE)).is_file()]


def _read() -> list[str]:
    try:
        lines = (cache_root() / LIST).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError, RuntimeError):
        return []
    return [line for line in lines if line.startswith(SQLITE)]
