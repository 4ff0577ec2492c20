"""`tapezoo doctor`: what this machine has, in about a second: nothing heavy is imported."""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tapezoo.extras import installed_version, missing_packages
from tapezoo.terminal import say

PACKAGES = (
    "torch",
    "torchaudio",
    "lightning",
    "onnx",
    "onnxruntime",
    "mlflow",
    "numba",
    "numpy",
    "soundfile",
)
WIDTHS = (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX"), ("sse2", "SSE2"), ("asimd", "NEON"))
GIGABYTE = 1 << 30
LEAST_MEMORY_GB, LEAST_DISK_GB = 4, 2


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "doctor", help="list what this machine has, and what each missing part is needed for"
    )
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Prints a line for each thing; returns 1 where something is missing that every training needs."""
    lines = [*_python(), *_machine(), *_places(), *_extras()]
    width = max(len(name) for name, _ in lines)
    say(*(f"{name:<{width}}  {found}" for name, found in lines))
    return 1 if any(installed_version(name) is None for name in PACKAGES) else 0


def _python() -> Iterator[tuple[str, str]]:
    yield "tapezoo", f"{installed_version('tapezoo') or 'not installed'}, {Path(__file__).parents[1]}"
    yield "Python", f"{platform.python_version()}, {sys.executable}"
    for name in PACKAGES:
        yield (
            name,
            installed_version(name) or "not installed: pip install it, or tapezoo with its dependencies",
        )


def _machine() -> Iterator[tuple[str, str]]:
    flags = processor_flags()
    width = next((shown for flag, shown in WIDTHS if flag in flags), "no known vector instructions")
    yield "processor", f"{platform.machine()}, {width}"
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    threads = os.environ.get("OMP_NUM_THREADS")
    yield "cores", f"{allowed} of {os.cpu_count()}" + (f", OMP_NUM_THREADS={threads}" if threads else "")
    if (available := available_bytes()) is not None:
        gigabytes = available / GIGABYTE
        few = f": training needs {LEAST_MEMORY_GB} GB" if gigabytes < LEAST_MEMORY_GB else ""
        yield "memory", f"{gigabytes:.1f} GB available{few}"
    torch = installed_version("torch") or ""
    if shutil.which("nvidia-smi") is None:
        yield "GPU", "no NVIDIA driver (a GPU is optional)"
    elif "+cpu" in torch:
        yield "GPU", f"NVIDIA driver found, but torch {torch} is built for CPU only"
    else:
        yield "GPU", "NVIDIA driver found: add --trainer.accelerator gpu to use it for training"


def _places() -> Iterator[tuple[str, str]]:
    from tapezoo.cache_folder import cache_root
    from tapezoo.runtime.cpp import CompilerError, find_compiler
    from tapezoo.tracking.address import Tracking, tracking_uri

    cache = cache_root(None)
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(there).free / GIGABYTE
    few = f": recordings need {LEAST_DISK_GB} GB" if free < LEAST_DISK_GB else ""
    writable = "" if os.access(there, os.W_OK) else ", not writable: set TAPEZOO_CACHE"
    yield "cache", f"{cache}, {free:.0f} GB free{few}{writable}"
    yield "MLflow store", tracking_uri(Tracking())
    try:
        yield "C++ compiler", " ".join(find_compiler().command)
    except CompilerError as error:
        yield "C++ compiler", f"{error.found} {error.fix}"


def _extras() -> Iterator[tuple[str, str]]:
    for group, names in missing_packages("tapezoo").items():
        yield f"tapezoo[{group}]", f"not installed: {', '.join(names)}" if names else "installed"


def processor_flags() -> set[str]:
    """What the processor can do, as Linux calls it; nothing where it does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    lines = (line.partition(":") for line in text.splitlines())
    found = next((value for name, _, value in lines if name.strip() in ("flags", "Features")), "")
    return set(found.split())


def available_bytes() -> int | None:
    """Memory that a program can have without swapping; None where the system does not tell."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", text, re.MULTILINE)
    return None if found is None else 1024 * int(found[1])
