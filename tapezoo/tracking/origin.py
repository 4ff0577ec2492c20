"""What a run depends on: package versions, and the commit of the working directory."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

VERSIONED = ("tapezoo", "torch", "lightning", "mlflow", "numpy", "numba")


def collect_versions(directory: Path) -> dict[str, str]:
    """Versions of the packages a run depends on; in a git checkout also its commit, and whether it was changed."""
    found = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # a slim environment
    commit = _git(directory, "rev-parse", "HEAD")
    if commit:
        found["git_commit"] = commit
        if not _has_own_programs(directory):
            changes = _git(directory, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules")
            found["git_dirty"] = str(bool(changes)).lower()
    return found


def _has_own_programs(directory: Path) -> bool:
    """Whether a checkout's own settings name programs that `git status` would run: it may be a stranger's."""
    filters = _git(
        directory, "config", "--includes", "--show-scope", "--get-regexp", r"^filter\..*\.(clean|process)$"
    )
    return any(line.split("\t")[0] in ("local", "worktree") for line in filters.splitlines())


def _git(directory: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", *arguments],  # else git runs the checkout's own program
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""  # no git, or no checkout
    return done.stdout.strip()
