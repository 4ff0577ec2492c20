"""Which runtimes this machine has for replaying a bundle's targets."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

from tapezoo import runtime
from tapezoo.bundle import OpenTarget

# for bundles from strangers: the same, but in a process whose memory and time are bounded
APART = runtime.Apart("tapezoo.cli.installed:installed_openers")


def installed_openers() -> Mapping[str, OpenTarget]:
    """Every target's opener where torch and onnx are installed, else of those that need neither."""
    if not all(importlib.util.find_spec(name) is not None for name in ("torch", "onnx")):
        return runtime.installed_openers()
    import torch

    from tapezoo.export import openers

    torch.set_num_threads(1)  # small nets in small blocks: a second thread only waits
    return openers()
