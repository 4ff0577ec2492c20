"""Optional dependencies of distributions, and which of them are not installed."""

from __future__ import annotations

import re
from importlib import metadata

NAME = re.compile(r"[A-Za-z0-9._-]+")
EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


def missing_packages(distribution: str) -> dict[str, list[str]]:
    """The extras of an installed distribution, each with those of its packages that are not installed."""
    try:
        required = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return {}
    missing: dict[str, list[str]] = {}
    for line in required:
        extra, name = EXTRA.search(line), NAME.match(line)
        if extra is not None and name is not None:
            missing.setdefault(extra[1], [])
            if installed_version(name[0]) is None:
                missing[extra[1]].append(name[0])
    return missing


def installed_version(name: str) -> str | None:
    """Of a distribution; None: it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
