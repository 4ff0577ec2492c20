"""Export: a trained net becomes a sealed bundle, or an error says why not."""

from tapezoo.export.build import export_bundle, settled_copy
from tapezoo.export.degradation import MAX_DEGRADATION_ESR, LossError
from tapezoo.export.golden import GoldenAudioError
from tapezoo.export.parity import ParityError, UnsteadyNetError
from tapezoo.export.targets import (
    DEFAULT_TARGETS,
    NoOnnxTargetError,
    UnknownTargetError,
    check_playable,
    load_target,
    load_targets,
    openers,
)
from tapezoo.export.targets.target import Graph, Part, Target, UnexportableError
from tapezoo.export.trained import export_checkpoint
from tapezoo.staging import NotReplaceableError

__all__ = [
    "DEFAULT_TARGETS",
    "MAX_DEGRADATION_ESR",
    "GoldenAudioError",
    "Graph",
    "LossError",
    "NoOnnxTargetError",
    "NotReplaceableError",
    "ParityError",
    "Part",
    "Target",
    "UnexportableError",
    "UnknownTargetError",
    "UnsteadyNetError",
    "check_playable",
    "export_bundle",
    "export_checkpoint",
    "load_target",
    "load_targets",
    "openers",
    "settled_copy",
]
