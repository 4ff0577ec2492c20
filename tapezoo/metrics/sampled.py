"""Metrics that must know the sample rate, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from torchmetrics import Metric

from tapezoo.errors import TapezooError


class MetricError(TapezooError):
    """A metric that cannot be computed from these signals."""


class SampledMetric(Metric):
    """A metric whose definition has times or frequencies in it.

    Args:
        sample_rate: Of the signals, Hz.

    Raises:
        MetricError: A rate below `least_rate_hz`.
    """

    title: ClassVar[str]
    """What errors call it."""
    least_rate_hz: ClassVar[int]
    least_s: ClassVar[float]
    """The shortest row that it can judge, s."""

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        if sample_rate < self.least_rate_hz:
            raise MetricError(
                f"the metric {self.title}",
                found=f"a sample rate of {sample_rate} Hz",
                expected=f"{self.least_rate_hz} Hz or more, for which it is defined",
                fix="Leave this metric out.",
            )
        self.sample_rate = sample_rate

    @classmethod
    def judged_s(cls, rows_s: Sequence[float]) -> float:
        """What of rows of these lengths, in seconds, is compared with `least_s`: the longest."""
        return max(rows_s, default=0.0)


def refused_for_length(metrics: Iterable[Metric], rows_s: Sequence[float], place: str) -> list[MetricError]:
    """What is to be said of metrics that will find too little to judge: each names what there is and what it needs.

    Args:
        metrics: Those that were asked for.
        rows_s: Length of each row that will be scored, s.
        place: Where the rows come from, for the message.
    """
    return [
        MetricError(
            f"the metric {metric.title}",
            found=f"{metric.judged_s(rows_s):.1f} s in {place}",
            expected=f"{metric.least_s:g} s at least",
            fix="Leave this metric out, or give it more audio.",
        )
        for metric in metrics
        if isinstance(metric, SampledMetric) and metric.judged_s(rows_s) < metric.least_s
    ]
