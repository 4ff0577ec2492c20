"""Compiled libraries, kept for the next process in the user's cache folder, by a hash of all that shaped them.

Only its owner may write to the folder, since loading a library runs its code. Where that cannot be ensured, each
process builds its own libraries.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path

from tapezoo.cache_folder import cache_root
from tapezoo.runtime.cpp.compiler import FAST, SHARED, Compiler, find_compiler

MOST_LIBRARIES = 64  # kept; those that were built or used longest ago go first
SUFFIX = ".so"


def built_library(text: str, options: Sequence[str] = FAST) -> tuple[Path, float]:
    """The library of a header that tapezoo has just written, never of one that came with a bundle.

    Args:
        text: The header.
        options: Of the compiler.

    Returns:
        Its path, and the seconds that building it took; 0 where it was there.

    Raises:
        CompilerError: There is no compiler, or it refuses.
    """
    compiler = find_compiler()
    folder = _own_folder()
    path = folder / f"{_key(text, compiler, options)}{SUFFIX}"
    if _is_own_file(path):
        with suppress(OSError):
            os.utime(path)
        return path, 0.0
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="building_", dir=folder) as name:
        (Path(name) / "model.hpp").write_text(text, encoding="utf-8")
        source = Path(name) / "library.cpp"
        source.write_text(_library_source(), encoding="utf-8")
        compiler.compile(source, Path(name) / "library.so", [*options, *SHARED])
        (Path(name) / "library.so").replace(path)
    _forget_oldest(folder, path)
    return path, time.perf_counter() - begin


def library_folder() -> Path:
    """Where libraries are kept."""
    return cache_root() / "cpp"


def _own_folder() -> Path:
    """The cache folder if only this user may write to it, else a temporary one of this process."""
    folder = library_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if _is_own(folder.lstat()) and stat.S_ISDIR(folder.lstat().st_mode) and os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):  # RuntimeError: the user has no home folder
        pass
    return Path(_folder_of_this_process().name)


@cache
def _folder_of_this_process() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="tapezoo_")


def _is_own_file(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and _is_own(found)


def _is_own(found: os.stat_result) -> bool:
    """Whether it is this user's, and nobody else may write to it."""
    mine = os.name != "posix" or found.st_uid == os.getuid()
    return mine and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _key(text: str, compiler: Compiler, options: Sequence[str]) -> str:
    parts = [text, _library_source(), *compiler.command, _version(compiler), *options, *SHARED, _processor()]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)} ".encode() + part.encode())
    return digest.hexdigest()


def _library_source() -> str:
    return (files("tapezoo.runtime.cpp") / "library.cpp").read_text(encoding="utf-8")


@cache
def _version(compiler: Compiler) -> str:
    done = subprocess.run(
        [*compiler.command, "--version"],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    return done.stdout.decode(errors="replace")


@cache
def _processor() -> str:
    """What -march=native compiles for: a cache may be shared by machines."""
    said = f"{platform.system()} {platform.machine()} {platform.processor()}"
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        of_one = [line for line in lines if line.startswith(("model", "vendor", "flags", "Features", "CPU"))]
        said += "\n".join(dict.fromkeys(of_one))
    return said


def _forget_oldest(folder: Path, newest: Path) -> None:
    def used(path: Path) -> float:
        with suppress(OSError):
            return path.stat().st_mtime
        return 0.0

    kept = sorted((path for path in folder.glob(f"*{SUFFIX}") if path != newest), key=used, reverse=True)
    for path in kept[MOST_LIBRARIES - 1 :]:
        with suppress(OSError):  # another process was faster
            path.unlink()
