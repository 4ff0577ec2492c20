"""Lightning callbacks: what surrounds a training and is no part of any model."""

from tapezoo.callbacks.checkpointing import BestAndLast
from tapezoo.callbacks.clips import ClipTable, WritePredictions
from tapezoo.callbacks.data_report import DataReport
from tapezoo.callbacks.progress import Progress
from tapezoo.callbacks.recorder import RunRecorder

__all__ = ["BestAndLast", "ClipTable", "DataReport", "Progress", "RunRecorder", "WritePredictions"]
