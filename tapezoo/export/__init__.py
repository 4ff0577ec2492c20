"""Export: a trained net becomes a sealed bundle, or an error says why not."""

from tapezoo.export.golden import GoldenAudioError
from tapezoo.export.make import TARGETS, UnexportableError, export_bundle, openers, settled_copy
from tapezoo.export.parity import ParityError, UnsteadyNetError
from tapezoo.export.target import Graph, Target
from tapezoo.export.trained import export_checkpoint
from tapezoo.staging import NotReplaceableError

__all__ = [
    "TARGETS",
    "GoldenAudioError",
    "Graph",
    "NotReplaceableError",
    "ParityError",
    "Target",
    "UnexportableError",
    "UnsteadyNetError",
    "export_bundle",
    "export_checkpoint",
    "openers",
    "settled_copy",
]
