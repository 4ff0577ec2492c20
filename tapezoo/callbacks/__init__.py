"""Lightning callbacks: everything around a training that is not part of a model."""

from tapezoo.callbacks.budget import AudioBudget
from tapezoo.callbacks.cells import CellReport
from tapezoo.callbacks.checkpointing import BestAndLast
from tapezoo.callbacks.clips import ClipTable, WritePredictions
from tapezoo.callbacks.data_report import DataReport
from tapezoo.callbacks.history import HISTORY, History
from tapezoo.callbacks.metrics import MetricTable
from tapezoo.callbacks.packed import PackedScores
from tapezoo.callbacks.progress import Progress
from tapezoo.callbacks.recorder import RunRecorder
from tapezoo.callbacks.register import Register
from tapezoo.callbacks.settings import SettingsReport
from tapezoo.callbacks.steadiness import SteadinessCheck
from tapezoo.callbacks.stopping import StopAfterBatch
from tapezoo.callbacks.time_limit import TimeLimit

__all__ = [
    "HISTORY",
    "AudioBudget",
    "BestAndLast",
    "CellReport",
    "ClipTable",
    "DataReport",
    "History",
    "MetricTable",
    "PackedScores",
    "Progress",
    "Register",
    "RunRecorder",
    "SettingsReport",
    "SteadinessCheck",
    "StopAfterBatch",
    "TimeLimit",
    "WritePredictions",
]
