"""WienerHammerstein: a static nonlinearity between two linear filters; the nonlinear baseline."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture, ControlledFilter, Convolution, Curve
from tapezoo.layers.conditioner import Conditioner
from tapezoo.layers.conditioning import FiLM
from tapezoo.layers.convolution import controlled_fir, fold_taps, identity_taps
from tapezoo.layers.described import describe_modulation
from tapezoo.layers.nonlinearities import CURVES
from tapezoo.layers.responses import Response, fir_magnitude
from tapezoo.models.arguments import LONGEST_SAMPLES, WIDEST, require_one_of, require_whole
from tapezoo.models.modulation import hold_conditioner
from tapezoo.net import Net, State, UndescribableError
from tapezoo.training.effect import EffectModel

CURVE_REACH = 1.5  # input range of the displayed static curve, in units of full scale
CURVE_POINTS = 301
CURVE_PAST = "curve_past"  # in the state: the last w, if the curve is antialiased


class ControlledFIR(nn.Module):
    """A `controlled_fir` with its taps; starts as the identity.

    Args:
        num_controls: Number of knobs, K.
        taps: Length in samples, 2 or more; `taps (1 + K)` parameters.
    """

    def __init__(self, num_controls: int, taps: int) -> None:
        super().__init__()
        self.taps = nn.Parameter(identity_taps(num_controls, taps))

    def forward(self, input: Tensor, controls: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """The filtered block, and the `past` for the next one; see `controlled_fir`."""
        return controlled_fir(input, controls, past, self.taps)

    @torch.no_grad()
    def hold(self, controls: Tensor) -> None:
        """Fixes the controls at (num_controls,), which leaves one filter."""
        self.taps = nn.Parameter(fold_taps(self.taps, controls))

    def at(self, controls: Tensor) -> Tensor:
        """The filter at one setting, (taps,): the current sample's coefficient first."""
        return (self.taps[0, 0] + controls[0] @ self.taps[1:, 0]).flip(0)


class WienerHammersteinNet(Net):
    """Linear, static, linear:

        v[n] = sum_k g[k] x[n - k]
        w[n] = v[n] gamma(controls) + beta(controls)
        z[n] = l w[n] + sum_i a_i (tanh(c_i w[n] + b_i) - tanh(b_i))
        y[n] = sum_k h[k] z[n - k]

    with g, gamma, beta and h at the controls of sample n, also while the controls move.

    Billings, Fakhouri, "Identification of systems containing linear dynamic and static nonlinear elements",
    Automatica 18, 1982; Schetzen, "The Volterra and Wiener theories of nonlinear systems", 1980. Fitted by gradient
    descent instead of by correlation. All taps are affine in the controls; gamma and beta are a FiLM. How the gain is
    shared among g, the curve and h is arbitrary; the output does not depend on it.

    With `curve` "antialiased" z[n] is the mean of that curve over the straight line from w[n-1] to w[n]
    (`tapezoo.layers.nonlinearities.AntialiasedTanhSum`), half a sample late. The net then declares a latency of 1
    sample, of which h has the other half to reach back.

    Receptive field: `2 taps - 1` samples, antialiased `2 taps`. Latency: 0, antialiased 1 sample. Parameters with K
    controls, U tanh units: `2 taps (1 + K) + 3 U + 1`, plus `2 (1 + K)` for the FiLM if K > 0; 539 at taps = 257,
    U = 8, K = 0.

    Args:
        num_controls: Number of knobs, K.
        taps: Length of each of the two filters in samples, 2 or more.
        units: Tanh units of the static curve, 1 or more.
        curve: "tanh_sum", or "antialiased".

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(self, num_controls: int, taps: int = 257, units: int = 8, curve: str = "tanh_sum") -> None:
        require_whole("taps", taps, 2, LONGEST_SAMPLES // 2)
        require_whole("units", units, 1, WIDEST)
        require_one_of("curve", curve, [*CURVES])
        super().__init__(num_controls, receptive_field=2 * taps - 1 + CURVES[curve].past_samples)
        self.first = ControlledFIR(num_controls, taps)
        self.drive: Conditioner = FiLM(num_controls, channels=1)
        self.curve = CURVES[curve](units)
        self.latency_samples = self.curve.latency_samples
        self.second = ControlledFIR(num_controls, taps)
        self.register_rest("first_past", torch.zeros(1, taps - 1))
        self.register_rest("second_past", torch.zeros(1, taps - 1))
        if self.curve.past_samples:
            self.register_rest(CURVE_PAST, torch.zeros(1, self.curve.past_samples))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        trajectory, knobs = self.smoothed(controls, state, input.shape[-1])
        v, first_past = self.first(input, trajectory, state["first_past"])
        w, _ = self.drive(v, trajectory, {})
        z, curve_past = self.curve.play(w, state.get(CURVE_PAST, w[..., :0]))
        y, second_past = self.second(z, trajectory, state["second_past"])
        after = {"first_past": first_past, "second_past": second_past, **knobs}
        return y, after | ({CURVE_PAST: curve_past} if CURVE_PAST in state else {})

    def described(self) -> Architecture:
        """See `Net.described`; an antialiased curve cannot be described."""
        if self.curve.past_samples:
            raise UndescribableError(self, "a curve that is averaged between the samples")
        modulation = describe_modulation("drive", self.drive, 1)
        units = self.curve.amount.shape[0]
        curve = Curve(units, "curve.linear", "curve.amount", "curve.slope", "curve.offset")
        middle = (curve,) if modulation is None else (modulation, curve)
        first, second = self._describe_filter("first"), self._describe_filter("second")
        return self.describe_layers(first, *middle, second, controls_at="weights")

    def _describe_filter(self, name: str) -> Convolution | ControlledFilter:
        weight, taps = f"{name}.taps", self.get_parameter(f"{name}.taps").shape[-1]
        if self.num_controls:
            return ControlledFilter(self.num_controls, taps, weight, f"{name}_past")
        return Convolution(1, 1, taps, weight, state=f"{name}_past")

    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: two filters, and the curve's gain and offset as two constants."""
        net = self.without_knobs()
        net.first.hold(controls)
        net.second.hold(controls)
        net.drive = hold_conditioner(self.drive, controls)
        return net

    @torch.no_grad()
    def responses(self, sample_rate: int, controls: Tensor) -> list[Response]:
        """Both filters and the curve, at these controls; see `tapezoo.layers.responses.Explained`."""
        level = torch.linspace(-CURVE_REACH, CURVE_REACH, CURVE_POINTS, device=controls.device)
        driven, _ = self.drive(level.reshape(1, 1, -1), controls.unsqueeze(-1), {})
        bent = self.curve(driven).reshape(-1)
        x, y = (values.cpu().double().numpy() for values in (level, bent))
        return [
            fir_magnitude("first filter", self.first.at(controls), sample_rate),
            Response("static curve", "output over input", "curve", x, y),
            fir_magnitude("second filter", self.second.at(controls), sample_rate),
        ]


class WienerHammerstein(EffectModel):
    """Trains a `WienerHammersteinNet`."""

    net_class = WienerHammersteinNet
