"""ViSQOL's prediction of a listening test; needs `pip install 'tapezoo[visqol]'`."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor
from visqol import VisqolApi

from tapezoo.metrics.sampled import SampledMetric

RATE_HZ = 48_000
EXCERPT_S, LEAST_EXCERPT_S = 5.0, 3.0  # ViSQOL's authors recommend 3 to 10 s, typically 5
LEAST_SCORE = 1.0


class ViSQOL(SampledMetric):
    """ViSQOL in audio mode: predicted mean opinion score, 1 to 5, mean over excerpts by their length.

    Chinen et al., "ViSQOL v3: an open source production ready objective speech and audio metric", QoMEX 2020, as the
    package visqol-python computes it; both signals at 48 kHz, the output at the target's level, excerpts of 5 s, and a
    last one of 3 s or more. An output equal to the target has 4.73. Costs 0.2 s of CPU per second of audio, and 20 s of
    compilation the first time, so ask for it in `test` and `measure`, hardly in every epoch.

    Args:
        sample_rate: Hz, 32000 or more: ViSQOL listens up to 15 kHz.

    Raises:
        MetricError: A lower rate.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    title = "visqol"
    least_rate_hz = 32_000
    least_s = LEAST_EXCERPT_S
    score: Tensor
    seconds: Tensor

    def __init__(self, sample_rate: int) -> None:
        super().__init__(sample_rate)
        self.add_state("score", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("seconds", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, output: Tensor, target: Tensor) -> None:
        """Adds one row (1, samples); excerpts in which the target is digital silence are left out."""
        made, wanted = (self._resampled(one) for one in (output, target))
        samples, least = (round(seconds * RATE_HZ) for seconds in (EXCERPT_S, LEAST_EXCERPT_S))
        for begin in range(0, len(wanted), samples):
            pair = made[begin : begin + samples], wanted[begin : begin + samples]
            if len(pair[1]) < least:
                break
            if not all(np.isfinite(one).all() for one in pair):
                self.score += torch.nan
            elif pair[1].any():
                seconds = len(pair[1]) / RATE_HZ
                self.score += seconds * _score(*pair)
                self.seconds += seconds

    def compute(self) -> Tensor:
        """The mean so far; NaN if no row has 3 s in which the target sounds, or one is not finite."""
        return (self.score / self.seconds).float()

    def _resampled(self, row: Tensor) -> NDArray[np.float64]:
        signal = row.detach().double().cpu().numpy().reshape(-1)
        return np.asarray(soxr.resample(signal, self.sample_rate, RATE_HZ), dtype=np.float64)


def _score(made: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    if not made.any():
        return LEAST_SCORE  # silence cannot be brought to a level
    return float(_audio_mode().measure_from_arrays(wanted, made, RATE_HZ).moslqo)


@functools.cache
def _audio_mode() -> Any:
    """Read once: it holds a table of weights and nothing of what it was asked."""
    made = VisqolApi()
    made.create(mode="audio")
    return made
