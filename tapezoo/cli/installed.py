"""Which runtimes this machine has for replaying a bundle's targets."""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name

from tapezoo import runtime
from tapezoo.bundle import OpenTarget
from tapezoo.bundle.targets import TARGETS

# for bundles from strangers: the same, but in a process whose memory and time are bounded
APART = runtime.Apart("tapezoo.cli.installed:installed_openers")
# and where the user says that they trust whoever made it: source code in it is compiled and run
COMPILING = runtime.Apart("tapezoo.cli.installed:all_openers")


def installed_openers() -> Mapping[str, OpenTarget]:
    """The openers of all targets whose modules are installed, torch's among them."""
    specs = [spec for spec in TARGETS.values() if "torch" in spec.needs and not spec.missing_modules]
    if specs:
        import torch

        torch.set_num_threads(1)  # small nets in small blocks: a second thread only waits
    # imported now: the limits of `replay_process` are for what the bundle takes
    return {**runtime.installed_openers(), **{spec.name: resolve_name(spec.opener) for spec in specs}}


def all_openers() -> Mapping[str, OpenTarget]:
    """These, and those that compile and run source code from the bundle."""
    return {**installed_openers(), **runtime.compiling_openers()}
