"""STNPolynomial: one state transition net for all controls; its weights are polynomials of the controls."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tapezoo.architecture import PolynomialWeights
from tapezoo.layers.weight_polynomial import WeightPolynomial
from tapezoo.models.arguments import require_whole
from tapezoo.models.stn import StepName
from tapezoo.models.stn_controlled import ControlledSTNNet, PlainInputs
from tapezoo.net import Net
from tapezoo.training.effect import EffectModel

HIGHEST_DEGREE = 8


class STNPolynomialNet(ControlledSTNNet):
    """See `ControlledSTNNet`: every weight is a polynomial of all controls together.

    One net for the whole cube of drive, saturation and bias; Chowdhury ("Tape emulation with neural networks", 2020)
    could not train one with the controls as further inputs. It is a hyper-network (Ha, Dai, Le, ICLR 2017) without
    hidden units: only the coefficients are trained, and the weights are linear in them.

    Receptive field: unbounded. Latency: 0. Parameters: those of an `STNNet` (49 at 2x4) times the number of terms,
    `(K + degree)! / (K! degree!)`: 20 terms of degree 3 in 3 controls.

    Args:
        num_controls: Number of knobs, K.
        degree: Highest total power of the controls, 1 to 8.
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
        degree: int = 3,
        size: str = "2x4",
        step: StepName = "slope",
        inputs: PlainInputs = "mirrored",
        alpha: float = 0.75,
        sample_rate: int = 44100,
    ) -> None:
        require_whole("degree", degree, 1, HIGHEST_DEGREE)
        self.degree = degree
        super().__init__(num_controls, size, step, inputs, alpha, sample_rate)

    def make_weights(self, start: Tensor) -> WeightPolynomial:
        """See `ControlledSTNNet.make_weights`."""
        return WeightPolynomial(self.size, self.num_controls, self.degree, start)

    def weights_of(self) -> PolynomialWeights:
        """See `ControlledSTNNet.weights_of`."""
        assert isinstance(self.by_controls, WeightPolynomial)
        coefficients = self.by_controls.coefficients
        return PolynomialWeights(
            exponents=self.by_controls.exponents,
            coefficients="by_controls.coefficients",
            shape=(coefficients.shape[0], coefficients.shape[1]),
            limits="by_controls.limits",
            scales="by_controls.scales",
        )


class STNPolynomial(EffectModel):
    """Trains an `STNPolynomialNet`."""

    net_class = STNPolynomialNet

    def build_net(self, **arguments: Any) -> Net:
        """See `EffectModel.build_net`; the net needs the rate it is trained at."""
        return STNPolynomialNet(self.num_controls, sample_rate=self.sample_rate, **arguments)
