"""Lightning callbacks: what surrounds a training and is no part of any model."""

from tapezoo.callbacks.checkpointing import make_checkpointing
from tapezoo.callbacks.clips import ClipTable, WritePredictions
from tapezoo.callbacks.data_report import DataReport
from tapezoo.callbacks.progress import Progress
from tapezoo.callbacks.recorder import RunRecorder

__all__ = ["ClipTable", "DataReport", "Progress", "RunRecorder", "WritePredictions", "make_checkpointing"]
