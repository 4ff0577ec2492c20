"""Long linear filters around a net in training: built, started from least squares, and trained more slowly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import nn

from tapezoo.filtered import FilterBefore, FilterBeside, long_filters
from tapezoo.layers.long_filter import MOST_TAPS
from tapezoo.net import Net
from tapezoo.training.errors import TrainingError


class FilterTaps(NamedTuple):
    """Lengths of the filters around a net, in samples (0: none), and the lead of the parallel one."""

    beside: int
    before: int
    lead: int = 0

    @property
    def filters(self) -> int:
        """How many filters there are."""
        return bool(self.beside) + bool(self.before)


def check_filter_taps(beside: int, before: int, lead: int) -> FilterTaps:
    """Raises TrainingError unless each length is 0, or 2 to 65536, and the lead is shorter than the parallel filter."""
    for place, taps in (("beside", beside), ("before", before)):
        if isinstance(taps, bool) or not (taps == 0 or 2 <= taps <= MOST_TAPS):
            raise TrainingError(
                f"--model.filter_{place}_taps",
                found=str(taps),
                expected=f"2 to {MOST_TAPS} samples, or 0 for no filter",
                fix="Correct it on the line or in the recipe.",
            )
    if isinstance(lead, bool) or not 0 <= lead <= max(0, beside - 1):
        raise TrainingError(
            "--model.filter_lead_samples",
            found=str(lead),
            expected=f"0 to {max(0, beside - 1)} samples, less than --model.filter_beside_taps ({beside})",
            fix="Correct it on the line or in the recipe.",
        )
    return FilterTaps(beside, before, lead)


def check_filter_rate(share: float) -> float:
    """Raises TrainingError unless the rate is 0 to 1."""
    if not 0 <= share <= 1:
        raise TrainingError(
            "--model.filter_learning_rate",
            found=str(share),
            expected="0 to 1, a share of the optimizer's rate",
            fix="Correct it on the line or in the recipe.",
        )
    return share


def add_filters(net: Net, taps: FilterTaps) -> Net:
    """The net with these filters around it."""
    if taps.before:
        net = FilterBefore(net, taps.before)
    if taps.beside:
        net = FilterBeside(net, taps.beside, taps.lead)
    return net


def start_filters(net: Net, taps: FilterTaps, data: Any) -> None:
    """Sets every filter that was never fitted to the least-squares filter of the training split's recordings.

    It is the same for all settings of the controls.

    Args:
        net: The net in training.
        taps: The requested filters.
        data: The DataModule.

    Raises:
        TrainingError: The net lacks the filters, or there are no recordings to fit them to.
    """
    # imported here: playing a trained net fits no filter, and this scipy import takes as long as torch's
    from tapezoo.data.common_filter import fit_common_filter
    from tapezoo.data.module import PairsDataModule

    filters = long_filters(net)
    if len(filters) != taps.filters:
        raise TrainingError(
            "--model.filter_beside_taps, --model.filter_before_taps",
            found=f"a {type(net).__name__} without them: its model builds it in its own constructor",
            expected="a model that names its net (net_class), or passes it through `with_filters`",
            fix="Leave them out, or change the model.",
        )
    for filter in filters:
        if filter.fitted:
            continue
        if not isinstance(data, PairsDataModule):
            raise TrainingError(
                "--model.filter_beside_taps, --model.filter_before_taps",
                found=f"{type(data).__name__} as data",
                expected="a data module of tapezoo, from whose recordings the filter is initialised",
                fix="Train with PairedAudio or VirtualDevices, or leave the filters out.",
            )
        rows = [(row.input, row.target) for row in data.split_arrays("train")]
        lead = taps.lead if taps.beside and filter is filters[0] else 0
        found = fit_common_filter(rows, filter.taps.shape[-1], lead)
        filter.fit(found.taps, found.offset)


def make_optimizer(
    make: Callable[[Any], torch.optim.Optimizer], net: Net, parameters: Iterable[nn.Parameter], share: float
) -> torch.optim.Optimizer:
    """The recipe's optimizer, with long filters at a share of its rate; at 0 they are not optimized.

    In Adam's first step each of thousands of taps would move by the whole rate, which would ruin a fitted filter.
    """
    slow = {parameter for filter in long_filters(net) for parameter in filter.parameters()}
    given = list(parameters)
    fast = [parameter for parameter in given if parameter not in slow]
    held = [parameter for parameter in given if parameter in slow]
    for parameter in held:
        parameter.requires_grad_(share > 0)
    if not held or not share:
        return make(fast)
    optimizer = make([{"params": fast}, {"params": held}])
    optimizer.param_groups[1]["lr"] *= share
    return optimizer
