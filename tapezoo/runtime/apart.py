"""Verifying a stranger's bundle in a separate process, whose memory and time are limited.

How much a graph needs shows only while it runs. So `replay_process` runs it under limits that depend on the size of the
bundle, and answers in plain data: whatever happens to that process, this one continues.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tapezoo.bundle import BundleError, Manifest, Verification, read_manifest
from tapezoo.bundle.documents import FAULTS
from tapezoo.runtime.as_json import error_from_json, verification_from_json

MEBIBYTE = 1 << 20
# beside what python and its libraries take themselves
MEMORY_BYTES = 2048 * MEBIBYTE
COPIES = (
    6  # times the files' size: as read, as parsed, as laid out by the runtime, and partial copies of each
)
# of processor time; a net that needs 100 us per sample is four times slower than real time at 44.1 kHz
SECONDS, SECONDS_PER_MEBIBYTE = 60, 0.125
SECONDS_PER_SAMPLE, SECONDS_PER_BLOCK = 1e-4, 1e-3
GRID_SAMPLES = 1 << 22  # assumed length of a grid's golden cases, which the manifest does not hold
BUSY = 4  # number of such processes that may share one processor
ANSWER_LIMIT_BYTES = 1 << 27
CHILD = "tapezoo.runtime.replay_process"


@dataclass(frozen=True)
class Apart:
    """Makes `verify` use a separate process.

    Args:
        openers: "module:function" that returns openers by target name, for bundles with a target that
            `installed_openers` does not cover; "": none.
    """

    openers: str = ""


@dataclass(frozen=True)
class Limits:
    """Of that process: bytes beside its own at start, and seconds of processor time."""

    memory_bytes: int
    seconds: int

    @property
    def patience_s(self) -> int:
        """How long to wait for it, on a busy machine."""
        return SECONDS + BUSY * self.seconds

    def __str__(self) -> str:
        return f"{self.seconds} s of processor time and {self.memory_bytes // MEBIBYTE} MiB of memory"


def limits_of(root: Path) -> Limits:
    """What verifying a bundle may take, by the size of its files and the length of its golden audio."""
    try:
        manifest = read_manifest(root)
    except (BundleError, OSError, ValueError):  # the process reports what is wrong with it
        return Limits(MEMORY_BYTES, SECONDS)
    size_bytes = sum(_size(root / file) for file in manifest.files)
    rows = max((case.rows for case in manifest.golden), default=1)
    memory_bytes = MEMORY_BYTES + COPIES * (size_bytes + 8 * manifest.state_values * rows)
    return Limits(
        memory_bytes, SECONDS + int(_playing_s(manifest) + SECONDS_PER_MEBIBYTE * size_bytes / MEBIBYTE)
    )


def verify_apart(bundle: Path, openers: str, seal_sha256: str | None) -> Verification:
    """Does what `verify` does, in another process.

    Raises:
        BundleError: It went over its limits, or ended without an answer.
        TapezooError: See `verify`.
    """
    root = Path(os.path.abspath(bundle))  # noqa: PTH100 - links are for the reader to find
    limits = limits_of(root)
    task = {"root": str(root), "openers": openers, "seal_sha256": seal_sha256, **vars(limits)}
    # -P: the working folder may hold anything, a `json.py` too
    command = [sys.executable, "-P", "-m", CHILD, json.dumps(task)]
    with tempfile.TemporaryFile() as answers, tempfile.TemporaryFile() as complaints:
        code = _run(command, answers, complaints, limits.patience_s)
        said = _read_answers(answers)
        last = said[-1] if said else {}
        with suppress(*FAULTS, BundleError):  # an unreadable answer counts as none
            if "verification" in last:
                return verification_from_json(bundle, last["verification"])
        fault = None
        with suppress(*FAULTS):
            fault = error_from_json(bundle, last["fault"])
        if fault is not None:
            raise fault
        complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - 4096))
        complaint = complaints.read().decode(errors="replace")
    file = next((line["at"] for line in reversed(said) if "at" in line), "")
    found = (
        "more memory than that"
        if "memory" in last or "bad_alloc" in complaint
        else _describe_end(code, complaint)
    )
    raise BundleError(
        bundle,
        str(file),
        found=f"{found}, as it was verified in a process of its own",
        expected=f"at most {limits}, which is ample for its size and its golden audio",
        fix="Ask whoever made it. If you trust them, tapezoo.runtime.verify replays it without limits.",
    )


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.lstat().st_size
    return 0


def _playing_s(manifest: Manifest) -> float:
    once = SECONDS_PER_SAMPLE * manifest.golden_samples + SECONDS_PER_BLOCK * manifest.golden_blocks
    return len(manifest.targets) * once + (
        0.0 if manifest.grid is None else SECONDS_PER_SAMPLE * GRID_SAMPLES
    )


def _run(command: list[str], answers: Any, complaints: Any, patience_s: float) -> int | None:
    """Its exit code; None: it did not end."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=answers, stderr=complaints, start_new_session=True
    )
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
        return None
    finally:  # Ctrl-C too
        process.kill()
        process.wait()


def _read_answers(answers: Any) -> list[dict[str, Any]]:
    """Its answers, one on each line; what is none ends them."""
    answers.seek(0)
    said = []
    with suppress(ValueError):
        for line in answers.read(ANSWER_LIMIT_BYTES).splitlines():
            found = json.loads(line)
            if isinstance(found, dict):
                said.append(found)
    return said


def _describe_end(code: int | None, complaint: str) -> str:
    if code is None:
        return "no result in time"
    if code >= 0:
        last = (complaint.strip() or "no error message").splitlines()[-1]
        return f"an end with code {code} ({last[:200]})"
    if -code == getattr(signal, "SIGXCPU", 0):
        return "more time than that"
    if -code == getattr(signal, "SIGKILL", 0):
        return "a forced end, as when a machine runs out of memory"
    return f"a crash ({signal.Signals(-code).name})"
