"""Metrics on test signals, which model and machine play, instead of on recordings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from tapezoo.metrics.sampled import MetricError, SampledMetric

Play = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""(rows, samples) to the same shape, every row from rest; full scale is +-1."""


class ProbingMetric(SampledMetric):
    """How far a model is from its machine on signals that say one thing each: a sine, two tones, a sweep.

    It needs a machine that can be played: a virtual device. In validation and test it is updated once per pass, with
    the controls of both at their defaults. A subclass has a `measure` and a `title`, and may have a `least_rate_hz`.

    Args:
        sample_rate: Of the signals, Hz.

    Raises:
        MetricError: A rate below `least_rate_hz`.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    title = "on test signals"
    least_rate_hz = 0
    least_s = 0.0
    distance: Tensor

    def __init__(self, sample_rate: int) -> None:
        super().__init__(sample_rate)
        self.add_state("distance", torch.tensor(torch.nan, dtype=torch.float64), dist_reduce_fx="mean")

    @abstractmethod
    def measure(self, model: Play, machine: Play, latency_samples: int) -> float:
        """The distance; NaN where there is nothing to measure.

        Args:
            model: Its latency is taken out.
            machine: What it should be.
            latency_samples: Of the model: what it plays depends on so many samples to come.
        """

    def update(self, model: Play, machine: Play, latency_samples: int = 0) -> None:
        """Plays and measures, see `measure`; NaN where the model plays NaN or infinity, which ends no training."""
        try:
            distance = self.measure(_finite(model), machine, latency_samples)
        except _NotFiniteError:
            distance = float("nan")
        self.distance = torch.as_tensor(distance, dtype=torch.float64, device=self.distance.device)

    def compute(self) -> Tensor:
        """The distance; NaN where nothing was played."""
        return self.distance.float()


class _NotFiniteError(Exception):
    """A model plays NaN or infinity."""


def _finite(model: Play) -> Play:
    def played(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        made = model(rows)
        if not np.isfinite(made).all():
            raise _NotFiniteError
        return made

    return played


def refused_without_machine(metrics: Iterable[Metric]) -> list[MetricError]:
    """What is to be said of metrics where the data are recordings, in which no test signal can be played."""
    return [
        MetricError(
            f"the metric {metric.title}",
            found="recordings, in which test signals cannot be played",
            expected="a virtual device to learn from",
            fix="Leave this metric out; `tapezoo measure` has it for models and for recorded excitations.",
        )
        for metric in metrics
        if isinstance(metric, ProbingMetric)
    ]
