"""What a run stands on: versions, and the commit of the working directory."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

VERSIONED = ("tapezoo", "torch", "lightning", "mlflow", "numpy", "numba")


def versions(directory: Path) -> dict[str, str]:
    """Versions of what a run stands on; in a git checkout also its commit, and whether it was changed."""
    found = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # a slim environment
    commit = _git(directory, "rev-parse", "HEAD")
    if commit:
        found["git_commit"] = commit
        found["git_dirty"] = str(
            bool(_git(directory, "status", "--porcelain", "--untracked-files=no"))
        ).lower()
    return found


def _git(directory: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=directory, capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""  # no git, or no checkout
    return done.stdout.strip()
