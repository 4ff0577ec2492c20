"""Training by spectra alone, for nets whose output has a phase of its own."""

from __future__ import annotations

from typing import Any, Literal

from tapezoo.losses import Loss
from tapezoo.losses.mel import MelSTFT
from tapezoo.losses.mrstft import MRSTFT
from tapezoo.losses.weighted_sum import WeightedSum
from tapezoo.training.arguments import require
from tapezoo.training.supervised import Supervised

JUDGES = {"lsd": "min", "mcd": "min", "mrstft": "min", "mushra": "max"}
MEL_WEIGHT = 0.1  # per dB: as large a gradient as the multi-resolution STFT has


class Spectral(Supervised):
    """Trains as `Supervised`, by a loss of spectra, and takes the epoch that is best by a metric of spectra.

    For nets that make a waveform anew (`Net.own_phase`), and for machines whose recordings cannot be laid over one
    another to the sample.

    Args:
        judge: The metric that selects the best epoch: "mcd", "lsd", "mrstft" or "mushra" (3 s rows).
        loss: The loss; None: `MRSTFT("hybrid")` plus a tenth of `MelSTFT`; chunks have 2048 samples at least.
        supervised: The rest of the training, see `Supervised`.

    Raises:
        TrainingError: Another judge; or see `Supervised`.
    """

    def __init__(
        self,
        judge: Literal["lsd", "mcd", "mrstft", "mushra"] = "mcd",
        loss: Loss | None = None,
        **supervised: Any,
    ) -> None:
        super().__init__(loss or WeightedSum([MRSTFT("hybrid"), MelSTFT()], [1.0, MEL_WEIGHT]), **supervised)
        require("judge", judge, judge in JUDGES, f"one of {', '.join(JUDGES)}")
        self.monitor = f"val_{judge}"
        self.mode = "max" if JUDGES[judge] == "max" else "min"
