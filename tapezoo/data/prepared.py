"""One row of a data set, ready to be stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.findings import Finding
from tapezoo.data.splits import Regions

Signal = NDArray[np.float32]


@dataclass(frozen=True)
class PreparedRow:
    """One channel of one pair, ready for training.

    Args:
        name: For reports; unique in a data set.
        input: (samples,) the dry signal; where a wandering delay is removed or given, read along it.
        target: (samples,) the wet signal, aligned.
        controls: Net positions 0..1.
        regions: Where each split lies.
        findings: What the user should know.
        idle: Controls that change nothing in this row (knobs of a machine that is not selected).
        steady_input: (samples,) the dry signal with only a constant delay taken off; None: `input` is that.
        delay: (samples,) delay of `target` against `steady_input`, in samples, at least
            `LEAST_DELAY_SAMPLES`; None: the model is not told.
        spread: Controls with a different value in every row, which are therefore not part of a setting.
    """

    name: str
    input: Signal
    target: Signal
    controls: Sequence[float]
    regions: Regions
    findings: Sequence[Finding]
    idle: Sequence[int] = ()
    steady_input: Signal | None = None
    delay: Signal | None = None
    spread: Sequence[int] = ()

    @property
    def signals(self) -> list[Signal]:
        """What is stored, in the order of `tapezoo.data.cache`."""
        others = [signal for signal in (self.steady_input, self.delay) if signal is not None]
        return [self.input, self.target, *others]
