"""Where everything that can be regenerated is kept: prepared audio, compiled libraries."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_root(cache_dir: str | None = None) -> Path:
    """`cache_dir`, else the environment's TAPEZOO_CACHE, else the platform's user cache.

    The XDG rules say that a relative or empty XDG_CACHE_HOME does not count.

    Raises:
        RuntimeError: The user has no home folder, and neither argument nor environment names a cache folder.
    """
    if cache_dir:
        return Path(cache_dir).expanduser()
    if from_environment := os.environ.get("TAPEZOO_CACHE"):
        return Path(from_environment).expanduser()
    if sys.platform == "win32":
        base = _absolute("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = _absolute("XDG_CACHE_HOME") or Path.home() / ".cache"
    return base / "tapezoo"


def _absolute(variable: str) -> Path | None:
    folder = Path(os.environ.get(variable, ""))
    return folder if folder.is_absolute() else None
