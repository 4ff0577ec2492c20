"""STN: a state transition net; one tiny feed-forward net computes each sample of a hysteresis from the previous one."""

from __future__ import annotations

import copy
import re
from typing import Any, ClassVar, Literal, Protocol, TypeVar, get_args

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture, Transition
from tapezoo.layers.described import describe_dense
from tapezoo.layers.transition import HEADROOM, UNLIMITED, Weights, loop_transition, run_transition
from tapezoo.layers.transition_fit import Heard
from tapezoo.layers.transition_hearing import Hearing, hear
from tapezoo.layers.transition_inputs import INPUTS, SLOPE_SCALE, STILL
from tapezoo.models.arguments import (
    DEEPEST,
    WIDEST,
    ModelArgumentError,
    require_number,
    require_one_of,
)
from tapezoo.net import Net, State
from tapezoo.training.effect import EffectModel

InputsName = Literal["plain", "mirrored", "sign", "anhysteretic"]
StepName = Literal["increment", "slope"]
SIZE = re.compile(r"([1-9][0-9]{0,2})x([1-9][0-9]{0,3})")
FASTEST = 0.999
STEP = 0.1  # of full scale per sample at the trained rate: the change of M for an output of 1


class STNNet(Net):
    """`M[n] = M[n-1] + step[n] net(H[n], H'[n], H[n-1], H'[n-1], M[n-1])`, H the input, M the output.

    Parker, Esqueda, Bergner, "Modelling of nonlinear state-space systems using a deep neural network", DAFx 2019, who
    call it a state trajectory network; Chowdhury, "Tape emulation with neural networks", 2020, for hysteresis, whose
    sizes, inputs and derivative these are: H' is the alpha transform's, `(1 + alpha)/T (H - H_1) - alpha H'_1`, here
    in units of the trained rate. A layer is `a = tanh(W x + b)`, the last one has no tanh.

    With the step "increment", the step is the same at every sample, as published. With "slope" it is the mean of H' and
    H'_1: the net is then dM/dH, and M is constant while the field is constant, as in the equation of Jiles and Atherton
    (dM/dt is proportional to dH/dt) and in its integration by the trapezoidal rule.

    **Sample rates.** A net is trained for the time step of its sample rate. `at_rate` gives one for a higher rate: its
    slopes are in the same units, and its step is shorter by the ratio. Below the trained rate such nets oscillate by
    themselves (a published one: ESR 4.5 at half the rate), so lower rates are refused.

    A fresh net pulls M back to a curve of H, whatever its other weights are. Controls are further inputs of the first
    layer.

    Receptive field: unbounded. Latency: 0. Parameters of L layers of W units with I = 5, 6 or 7 inputs and K controls:
    `W (I + K + 1) + (L - 1) W (W + 1) + W + 1`, and 1 of the anhysteretic curve; 49 at 2x4, 129 at 2x8.

    Args:
        num_controls: Number of knobs, K.
        size: Number of layers and units per layer, such as 2x4, 2x8, 3x4.
        step: "increment" or "slope", see above.
        inputs: "plain"; "mirrored": the same inputs with their signs turned while the field falls, which makes the net
            odd, as a hysteresis is (only with the step "slope"); "sign": also the sign of H'; "anhysteretic": also the
            sign and Langevin's function of H. The last two help at turning points (`tapezoo.layers.transition_inputs`).
        alpha: Coefficient of the alpha transform, 0 (a difference) to 0.999.
        sample_rate: Hz, of the training; declared by the data.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    cannot_follow: ClassVar[str] = "which is fitted at settings that hold still"

    limit: Tensor

    def __init__(
        self,
        num_controls: int,
        size: str = "2x4",
        step: StepName = "increment",
        inputs: InputsName = "plain",
        alpha: float = 0.75,
        sample_rate: int = 44100,
    ) -> None:
        layers, width = parse_size(size)
        require_one_of("step", step, get_args(StepName))
        require_one_of("inputs", inputs, get_args(InputsName))
        require_number("alpha", alpha, 0, FASTEST)
        if inputs == "mirrored" and step != "slope":
            raise ModelArgumentError("inputs", f"mirrored beside the step {step!r}", "the step 'slope'")
        super().__init__(num_controls, receptive_field=None)
        self.step, self.inputs_name, self.alpha = step, inputs, float(alpha)
        self.remains = step == "slope"
        self.trained_rate, self.rise = sample_rate, 1.0
        self.inputs = INPUTS[inputs]()
        self.first = nn.Linear(self.inputs.count + 1 + num_controls, width)  # inputs, M_1, controls
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(layers - 1))
        self.head = nn.Linear(width, 1)
        self.register_buffer("limit", torch.full((1,), UNLIMITED))
        for name in ("field", "slope", "output"):
            self.register_rest(name, torch.zeros(1))
        self._draw_back()

    @torch.no_grad()
    def _draw_back(self) -> None:
        """Makes the product of the weights along every path from M_1 to the output negative.

        The output of the fresh net then falls with M_1 and has a zero, so the net cannot run away. Apart from the signs
        of its units, it is a net of positive weights; this leaves its dependence on the field free.
        """
        signs = torch.sign(torch.randn(self.head.in_features))
        column = self.first.weight[:, self.inputs.count]
        column.copy_(-signs * (0.5 + column.abs()))
        for layer in self.layers:
            after = torch.sign(torch.randn(self.head.in_features))
            layer.weight.copy_(torch.outer(after, signs) * layer.weight.abs())
            signs = after
        self.head.weight.copy_(signs * self.head.weight.abs())
        self.head.bias.zero_()

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        sums, hearing, knobs = self._prepare(input, controls, state)
        start, weights = state["output"], self.weights()
        tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        if tracing or input.device.type != "cpu":
            path = loop_transition(sums, hearing.step, hearing.turn, start[:, 0], weights)
        else:
            path = run_transition(sums[None], hearing.step[None], hearing.turn[None], start.t(), weights)[0]
        after = {**hearing.after, **knobs}
        output = path.t().unsqueeze(1)
        return output, {**after, "output": output[:, :, -1]}

    def forced(self, input: Tensor, controls: Tensor, state: State, before: Tensor) -> Tensor:
        """The output if every sample receives the true previous output: all samples at once.

        Shape:
            input, before, output: (batch, 1, samples).
        """
        sums, hearing, _ = self._prepare(input, controls, state)
        M = before[:, 0].t()  # (samples, batch)
        weights = self.weights()
        units = torch.tanh(sums + weights.feedback[0, :, None, None] * (hearing.turn * M)).flatten(
            1
        )  # (W, samples batch)
        for layer in self.layers:
            units = torch.tanh(torch.addmm(layer.bias.unsqueeze(1), layer.weight, units))
        change = (self.head.weight @ units + self.head.bias).reshape(M.shape)
        return (M + hearing.step * change).t().unsqueeze(1)

    def with_output(self, state: State, output: Tensor) -> State:
        """`state` with the last output replaced by `output` (batch, 1)."""
        return {**state, "output": output}

    @torch.no_grad()
    def hold_within(self, peak: float) -> None:
        """Limits M to slightly more than the largest true output seen in training."""
        known = float(self.limit) if float(self.limit) < UNLIMITED else 0.0
        self.limit.fill_(max(HEADROOM * peak, known))

    @property
    def layers(self) -> list[nn.Linear]:
        """The layers between the first one and the head."""
        return [layer for layer in self.hidden if isinstance(layer, nn.Linear)]

    def fitted(self, input: Tensor, controls: Tensor, state: State, before: Tensor, target: Tensor) -> Heard:
        """The data that the net is fitted on, see `tapezoo.training.LevenbergMarquardt`."""
        hearing = self._hear(input, state)
        trajectory, _ = self.smoothed(controls, state, input.shape[-1])
        M = torch.zeros_like(hearing.heard[:1])
        knobs = trajectory.permute(1, 2, 0).expand(-1, *hearing.step.shape)
        inputs = torch.cat([hearing.heard, M, knobs]).permute(2, 1, 0)  # (batch, samples, inputs)
        return Heard(
            inputs.double().contiguous().numpy(),
            self.inputs.count,
            hearing.step.t().double().contiguous().numpy(),
            hearing.turn.t().double().contiguous().numpy(),
            before[:, 0].double().contiguous().numpy(),
            target[:, 0].double().contiguous().numpy(),
            torch.ones(len(input), dtype=torch.float64).numpy(),
        )

    def fitted_limit(self) -> float:
        """The limit of its output."""
        return float(self.limit)

    def fitted_shape(self) -> tuple[int, int]:
        """Width and number of layers."""
        return self.head.in_features, 1 + len(self.hidden)

    def fitted_parameters(self) -> list[nn.Parameter]:
        """All parameters except those of the inputs."""
        return [p for layer in (self.first, *self.layers, self.head) for p in layer.parameters()]

    def vector(self) -> Tensor:
        """All parameters except those of the inputs, see `tapezoo.layers.transition_weights.NetSize`, (P,)."""
        weights = torch.nn.utils.parameters_to_vector(self.fitted_parameters()).detach()
        return torch.cat([weights, self.limit])

    @torch.no_grad()
    def load_vector(self, vector: Tensor) -> None:
        """Loads the values of a `vector`."""
        torch.nn.utils.vector_to_parameters(vector[:-1], self.fitted_parameters())
        self.limit.copy_(vector[-1:])

    def weights(self) -> Weights:
        """The weights in the form that the loops take, for one net."""
        width = self.head.in_features
        return Weights(
            self.first.weight[None, :, self.inputs.count],
            torch.stack([layer.weight for layer in self.layers])[None]
            if len(self.hidden)
            else self.head.weight.new_zeros(1, 0, width, width),
            torch.stack([layer.bias for layer in self.layers])[None]
            if len(self.hidden)
            else self.head.weight.new_zeros(1, 0, width),
            self.head.weight,
            self.head.bias,
            self.limit,
        )

    def _prepare(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, Hearing, State]:
        """The first layer's sums without M (W, samples, batch), the other inputs, and the knobs' state afterwards."""
        hearing = self._hear(input, state)
        trajectory, knobs = self.smoothed(controls, state, input.shape[-1])
        weight, count = self.first.weight, self.inputs.count
        sums = torch.tensordot(weight[:, :count], hearing.heard, dims=1) + self.first.bias[:, None, None]
        if self.num_controls:
            sums = sums + torch.tensordot(weight[:, count + 1 :], trajectory.permute(1, 2, 0), dims=1)
        return sums, hearing, knobs

    def _hear(self, input: Tensor, state: State) -> Hearing:
        increment = STEP if self.step == "increment" else None
        return hear(input, state, self.inputs, self.alpha, self.rise, increment)

    def at_rate(self, sample_rate: int) -> STNNet:
        """See `at_rate`."""
        return at_rate(self, sample_rate)

    @torch.no_grad()
    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: the controls' part of the first layer is folded into its bias."""
        net, heard = self.without_knobs(), self.inputs.count + 1
        net.first = nn.Linear(heard, self.first.out_features, device="meta").to_empty(device="cpu")
        net.first.weight.copy_(self.first.weight[:, :heard])
        net.first.bias.copy_(self.first.bias + self.first.weight[:, heard:] @ controls)
        return net.train(self.training)

    def described(self) -> Architecture:
        """See `Net.described`."""
        transition = Transition(
            first=describe_dense("first", self.first),
            hidden=tuple(describe_dense(f"hidden.{n}", layer) for n, layer in enumerate(self.layers)),
            head=describe_dense("head", self.head),
            limit="limit",
            inputs=self.inputs_name,
            bend="inputs.bend" if self.inputs_name == "anhysteretic" else None,
            increment=STEP if self.step == "increment" else None,
            alpha=self.alpha,
            rise=self.rise,
            slope_scale=SLOPE_SCALE,
            still=STILL,
            state=("field", "slope", "output"),
        )
        return self.describe_layers(transition, controls_at="input")


class _HasRates(Protocol):
    trained_rate: int
    rise: float


_N = TypeVar("_N", bound=_HasRates)


def at_rate(net: _N, sample_rate: int) -> _N:
    """A copy of a state transition net that plays at `sample_rate` Hz, the trained one or higher, and sounds the same.

    Raises:
        ModelArgumentError: The rate is lower than the trained one.
    """
    if sample_rate < net.trained_rate:
        raise ModelArgumentError(
            "sample_rate",
            f"{sample_rate} Hz for a state transition net trained at {net.trained_rate} Hz",
            f"{net.trained_rate} Hz or more: below it such a net oscillates by itself",
        )
    risen = copy.deepcopy(net)
    risen.rise = sample_rate / net.trained_rate
    return risen


class STN(EffectModel):
    """Trains an `STNNet`."""

    net_class = STNNet

    def build_net(self, **arguments: Any) -> Net:
        """See `EffectModel.build_net`; the net needs the rate it is trained at."""
        return STNNet(self.num_controls, sample_rate=self.sample_rate, **arguments)


def parse_size(size: object) -> tuple[int, int]:
    """Number of layers and units of a size such as "2x4".

    Raises:
        ModelArgumentError: The size has another form, or exceeds the largest net allowed.
    """
    match = SIZE.fullmatch(size) if isinstance(size, str) else None
    layers, width = (int(part) for part in match.groups()) if match else (0, 0)
    if not (1 <= layers <= DEEPEST and 1 <= width <= WIDEST):
        raise ModelArgumentError(
            "size",
            repr(size),
            f"layers and units of each, such as 2x4, 2x8 or 3x4, up to {DEEPEST}x{WIDEST}",
        )
    return layers, width
