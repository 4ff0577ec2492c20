"""`python -P -m tapezoo.runtime.replay_process TASK`: one bundle verified under limits; see `tapezoo.runtime.apart`.

TASK is an object in JSON. Answers are objects in JSON on standard output, one a line: {"at": FILE} as work on a file
begins, and at the end the verification, a fault, or that memory ended.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tapezoo.bundle import BundleError, Manifest, OpenTarget, replay_bundle, verify_hashes
from tapezoo.errors import TapezooError
from tapezoo.runtime.apart import ANSWER_LIMIT_BYTES
from tapezoo.runtime.as_json import error_to_json, verification_to_json
from tapezoo.runtime.grid.graph import GridGraph
from tapezoo.runtime.verification import installed_openers

GRACE_S = 5  # between the signal that ends the time and the one that cannot be caught
OF_MEMORY = re.compile(
    r"bad.?alloc|failed to allocate|out of memory|not enough memory|MemoryError", re.IGNORECASE
)


def main() -> int:
    """Does the task that the command line names."""
    task = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii")
    os.dup2(
        sys.stderr.fileno(), sys.stdout.fileno()
    )  # keeps output of libraries from mixing with the answers

    def say(**answer: Any) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        say(**_verify(task, lambda file: say(at=file)))
    except MemoryError:
        say(memory=True)
    return 0


def _verify(task: Mapping[str, Any], at: Callable[[str], None]) -> dict[str, Any]:
    root = Path(task["root"])
    _bound_time(task["seconds"])
    _bound_memory(task["memory_bytes"])
    try:
        manifest, seal_sha256 = verify_hashes(root, task["seal_sha256"])
        openers = _find_openers(manifest, task["openers"])
        _bound_memory(task["memory_bytes"])  # anew: libraries are not the bundle's
        done = replay_bundle(root, manifest, seal_sha256, openers, GridGraph, at)
    except BundleError as error:
        return {"memory": True} if _is_memory_error(error) else {"fault": error_to_json(error)}
    except TapezooError as error:
        return {"fault": error_to_json(error)}
    return {"verification": verification_to_json(done)}


def _find_openers(manifest: Manifest, others: str) -> Mapping[str, OpenTarget]:
    openers = installed_openers()
    if not others or set(manifest.targets) <= set(openers):
        return openers
    _bound_memory(None)
    module, _, function = others.partition(":")
    found: Mapping[str, OpenTarget] = getattr(importlib.import_module(module), function)()
    return found


def _bound_time(seconds: int) -> None:
    with suppress(ImportError, ValueError, OSError):  # Windows has none; a lower limit may be set already
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (ANSWER_LIMIT_BYTES, ANSWER_LIMIT_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + GRACE_S))


def _bound_memory(beside_bytes: int | None) -> None:
    """Limits the address space, which the system can bound, to its present size plus this; None: no limit."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if beside_bytes is None:
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
            return
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + beside_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))


def _is_memory_error(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError) or OF_MEMORY.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


if __name__ == "__main__":
    sys.exit(main())
