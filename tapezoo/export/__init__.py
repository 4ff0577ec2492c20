"""Export: a trained net becomes a sealed bundle, or an error says why not."""

from tapezoo.export.build import export_bundle, settle_copy
from tapezoo.export.degradation import MAX_DEGRADATION_ESR
from tapezoo.export.errors import ExportError, ParityError
from tapezoo.export.targets import DEFAULT_TARGETS, check_playable, load_target, load_targets, openers
from tapezoo.export.targets.target import Graph, Part, Target
from tapezoo.export.trained import export_checkpoint
from tapezoo.staging import NotReplaceableError

__all__ = [
    "DEFAULT_TARGETS",
    "MAX_DEGRADATION_ESR",
    "ExportError",
    "Graph",
    "NotReplaceableError",
    "ParityError",
    "Part",
    "Target",
    "check_playable",
    "export_bundle",
    "export_checkpoint",
    "load_target",
    "load_targets",
    "openers",
    "settle_copy",
]
