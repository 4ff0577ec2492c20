"""Export: a trained net becomes a sealed bundle, or an error says why not.

The code that writes bundles is imported on first use: opening a TorchScript file needs torch, but not Lightning.
"""

import importlib
from typing import TYPE_CHECKING, Any

from tapezoo.export.errors import ExportError, ParityError
from tapezoo.export.targets import (
    DEFAULT_TARGETS,
    default_targets,
    load_target,
    load_targets,
    openers,
)
from tapezoo.export.targets.target import Graph, Part, Target
from tapezoo.staging import NotReplaceableError

if TYPE_CHECKING:
    from tapezoo.export.build import export_bundle, settle_copy
    from tapezoo.export.degradation import MAX_DEGRADATION_ESR
    from tapezoo.export.trained import export_checkpoint

__all__ = [
    "DEFAULT_TARGETS",
    "MAX_DEGRADATION_ESR",
    "ExportError",
    "Graph",
    "NotReplaceableError",
    "ParityError",
    "Part",
    "Target",
    "default_targets",
    "export_bundle",
    "export_checkpoint",
    "load_target",
    "load_targets",
    "openers",
    "settle_copy",
]
_LATER = {
    "MAX_DEGRADATION_ESR": "degradation",
    "export_bundle": "build",
    "export_checkpoint": "trained",
    "settle_copy": "build",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
