"""The C++ compiler of this machine: what `CXX` names, `c++`, `clang++`, `g++`, or the one in the wheel ziglang."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tapezoo.bundle.targets import is_installed
from tapezoo.runtime.errors import EngineError

NAMES = ("c++", "clang++", "g++")
STANDARD = ("-std=c++17",)
FAST = ("-O3", "-march=native")
PLAIN = ("-O2",)
SHARED = ("-shared", "-fPIC", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti")  # a library
PATIENCE_S = 600


class CompilerError(EngineError):
    """There is no C++ compiler, or it refuses what it is given."""


@dataclass(frozen=True)
class Compiler:
    """A compiler that takes GCC's options.

    Args:
        command: How it is called.
    """

    command: tuple[str, ...]

    def compile(self, source: Path, output: Path, options: Sequence[str]) -> None:
        """Makes a program, or a library where the options say so.

        Raises:
            CompilerError: It refuses, or does not come to an end.
        """
        command = [*self.command, *STANDARD, *options, str(source), "-o", str(output)]
        try:
            done = subprocess.run(
                command, capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise self._error(source, f"{type(error).__name__}: {error}") from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            first = next((line for line in said if "error" in line), said[-1] if said else "no error message")
            raise self._error(source, f"an end with code {done.returncode} ({first[:300]})")

    def _error(self, source: Path, found: str) -> CompilerError:
        return CompilerError(
            f"{self.command[0]} on {source.name}",
            found=found,
            expected="a program",
            fix="Set CXX to another C++17 compiler (GCC 9, Clang 11 or later).",
        )


def compilers() -> list[Compiler]:
    """All there are, the one to be taken first."""
    named = shlex.split(os.environ.get("CXX", ""))
    found = [Compiler(tuple(named))] if named and shutil.which(named[0]) else []
    found += [Compiler((path,)) for path in map(shutil.which, NAMES) if path is not None]
    if is_installed("ziglang"):
        found.append(Compiler((sys.executable, "-m", "ziglang", "c++")))
    return found


def find_compiler() -> Compiler:
    """The compiler to take.

    Raises:
        CompilerError: There is none.
    """
    for compiler in compilers():
        return compiler
    raise CompilerError(
        "the C++ compiler",
        found=f"none: no {', '.join(NAMES)} on the path, and no working compiler in CXX",
        expected="a compiler that accepts GCC's options",
        fix="Install g++ or clang++, or run pip install 'tapezoo[cpp]', which brings a compiler as a wheel.",
    )
