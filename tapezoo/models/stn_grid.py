"""STNGrid: a table of state transition nets, one for every point of a grid of controls."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tapezoo.architecture import TableWeights
from tapezoo.layers.weight_table import WeightTable
from tapezoo.models.arguments import ModelArgumentError
from tapezoo.models.stn import StepName
from tapezoo.models.stn_controlled import ControlledSTNNet, PlainInputs
from tapezoo.net import Net
from tapezoo.training.effect import EffectModel

MOST_POSITIONS = 64
MOST_NETS = 1 << 15


class STNGridNet(ControlledSTNNet):
    """See `ControlledSTNNet`: between the points of the grid the weights are interpolated multilinearly.

    Chowdhury, "Tape emulation with neural networks", 2020, has 200 nets, 20 saturations by 10 biases, with drive as a
    further input, and plays the nearest net. If nets are trained from one another (`tapezoo.training.
    CellLevenbergMarquardt`), their hidden units correspond, so that interpolated weights form a working net.

    Receptive field: unbounded. Latency: 0. Parameters: those of an `STNNet` (49 at 2x4), plus a layer's width for each
    control that is an input, times the number of nets.

    Args:
        num_controls: Number of knobs, K.
        axes: For each control, in order, the number of positions with a net, evenly spaced over its range, 2 to 64;
            0: the control is an input of every net. Default: 3 for each.
        size: See `STNNet`.
        step: See there.
        inputs: "plain", "mirrored" or "sign", see there.
        alpha: See there.
        sample_rate: Hz, of the training; declared by the data.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(
        self,
        num_controls: int,
        axes: list[int] | None = None,
        size: str = "2x4",
        step: StepName = "slope",
        inputs: PlainInputs = "mirrored",
        alpha: float = 0.75,
        sample_rate: int = 44100,
    ) -> None:
        self.axes = check_axes(axes, num_controls)
        super().__init__(num_controls, size, step, inputs, alpha, sample_rate)

    def make_weights(self, start: Tensor) -> WeightTable:
        """See `ControlledSTNNet.make_weights`."""
        return WeightTable(self.size, self.axes, start)

    def weights_of(self) -> TableWeights:
        """See `ControlledSTNNet.weights_of`."""
        cells, count = self.by_controls.get_parameter("nets").shape
        return TableWeights(
            axes=tuple(self.axes),
            table="by_controls.nets",
            shape=(cells, count),
            limits="by_controls.limits",
            scales="by_controls.scales",
        )


class STNGrid(EffectModel):
    """Trains an `STNGridNet`."""

    net_class = STNGridNet

    def build_net(self, **arguments: Any) -> Net:
        """See `EffectModel.build_net`; the net needs the rate it is trained at."""
        return STNGridNet(self.num_controls, sample_rate=self.sample_rate, **arguments)


def check_axes(axes: list[int] | None, num_controls: int) -> list[int]:
    """The number of positions of each control.

    Raises:
        ModelArgumentError: Not one number per control, a number out of range, or too many nets.
    """
    found = [3] * num_controls if axes is None else list(axes)
    are_counts = all(type(count) is int and (count == 0 or 2 <= count <= MOST_POSITIONS) for count in found)
    if len(found) != num_controls or not are_counts:
        raise ModelArgumentError(
            "axes",
            f"{found} for {num_controls} controls",
            f"one number for each control: 2 to {MOST_POSITIONS} positions, or 0 for an input",
        )
    nets = 1
    for count in found:
        nets *= count or 1
    if nets > MOST_NETS:
        raise ModelArgumentError("axes", f"{found}, {nets} nets", f"at most {MOST_NETS}")
    return found
