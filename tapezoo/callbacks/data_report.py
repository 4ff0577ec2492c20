"""The report on the data before the first epoch: findings, and the linear floor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tapezoo.data.least_squares import LINEAR_FLOOR_TAPS
from tapezoo.measure.floor import LinearFloor, fit_floor
from tapezoo.screen import Screen
from tapezoo.training.effect import EffectModel


class DataReport(Callback):
    """Shows the checks' findings, and fits the linear floor (`tapezoo.measure.floor`), scored on validation.

    It has 257 taps; where the model has a longer filter, there is one of that length too. `floors` holds them
    afterwards, by length, and `linear_floors` their scores. For a net with a phase of its own there is none.

    Args:
        console: Where to show it.
    """

    def __init__(self, console: Screen) -> None:
        self.console = console
        self.floors: dict[int, LinearFloor] = {}
        self.linear_floors: dict[int, float] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Describes, fits and logs `linear_floor`, and `linear_floor_long` where there is one."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        self._say(data.describe())
        if isinstance(pl_module, EffectModel) and pl_module.net.own_phase:
            self._say(f"no linear floor, which is an error of waveforms, and {pl_module.net.own_phase}")
            return
        train, val = data.split_arrays("train"), data.split_arrays("val")
        own = pl_module.filter_taps if isinstance(pl_module, EffectModel) else None
        names = {(LINEAR_FLOOR_TAPS, 0): "linear_floor"}
        if own is not None and max(own.beside, own.before) > LINEAR_FLOOR_TAPS:
            names[max(own.beside, own.before), own.lead] = "linear_floor_long"
        for (taps, lead_samples), name in names.items():
            floor = self.floors[taps] = fit_floor(train, taps, lead_samples)
            self.linear_floors[taps] = floor.esr(val, data.burn_in_samples)
            for logger in trainer.loggers:
                logger.log_metrics({name: self.linear_floors[taps]}, step=0)
        each = f" of each of the {len(floor.filters)} settings" if len(floor.filters) > 1 else ""
        self._say(f"linear floor, the val_esr of the best filter{each}: {floors_text(self.linear_floors)}")
        longest = max(self.linear_floors)
        if self.linear_floors[longest] > self.linear_floors[LINEAR_FLOOR_TAPS]:
            self._say(
                f"warning: {longest} taps fit the training split and not the validation split: the filter would "
                "overfit the training audio. Record more, or shorten --model.filter_beside_taps and "
                "--model.filter_before_taps; recipes/lstm.yaml has no filter."
            )

    def _say(self, text: str) -> None:
        self.console.say(*text.splitlines())


def floors_text(floors: Mapping[int, float]) -> str:
    """Linear floors by length, shortest first."""
    return ", ".join(f"{taps} taps {floor:.5f}" for taps, floor in sorted(floors.items()))
