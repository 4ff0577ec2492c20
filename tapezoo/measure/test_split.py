"""The error of a trained model on the test split, beside the linear filters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from tapezoo.data.module import PairsDataModule
from tapezoo.esr import esr
from tapezoo.measure.floor import LinearFloor
from tapezoo.training.effect import EffectModel
from tapezoo.training.scoring import error_and_energy


@dataclass(frozen=True)
class TestScore:
    """On all rows of the test split together; NaN where there is none, or only silence.

    Args:
        esr: Error energy over target energy.
        linear_floors: The same of the linear filters, by their length.
    """

    __test__ = False  # no test of pytest's

    esr: float
    linear_floors: Mapping[int, float]


def score_test_split(
    model: EffectModel, data: PairsDataModule, floors: Mapping[int, LinearFloor]
) -> TestScore:
    """Plays the test split.

    Args:
        model: On the CPU.
        data: Prepared and set up.
        floors: Of the training split, by their length.
    """
    rows = data.split_arrays("test")
    found = {taps: floor.esr(rows, data.burn_in_samples) for taps, floor in floors.items()}
    return TestScore(measure_test_esr(model, data), found)


def measure_test_esr(model: EffectModel, data: PairsDataModule) -> float:
    """ESR on the test split; NaN where there is none, or only silence."""
    sums = torch.zeros(2, dtype=torch.float64)
    with torch.no_grad():
        for batch in data.test_dataloader():
            played = model.run(batch.input, batch.controls, batch.delay)
            for output, target in model.scored_rows(played, batch):
                sums += error_and_energy(output, target)
    error, energy = sums.tolist()
    return esr(error, energy)
