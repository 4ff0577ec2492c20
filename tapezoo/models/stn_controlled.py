"""A state transition net in which all weights follow the controls: the base of STNGrid and STNPolynomial."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal, Self, get_args

import torch
from torch import Tensor

from tapezoo.architecture import Architecture, ControlledTransition, WeightsOf
from tapezoo.layers.smoothing import samples_left, steps
from tapezoo.layers.transition_controlled import loop_controlled, run_controlled
from tapezoo.layers.transition_fit import Heard
from tapezoo.layers.transition_hearing import Hearing, hear
from tapezoo.layers.transition_inputs import INPUTS, SLOPE_SCALE, STILL
from tapezoo.layers.transition_weights import NetSize, WeightsByControls
from tapezoo.models.arguments import require_number, require_one_of
from tapezoo.models.stn import FASTEST, STEP, StepName, STNNet, at_rate, parse_size
from tapezoo.net import KNOBS, Net, State

PlainInputs = Literal["plain", "mirrored", "sign"]
STEP_SAMPLES = (
    16  # between updates of the weights; at 64, a sweep at 5 Hz causes audible images at their rate
)


class ControlledSTNNet(Net):
    """`M[n] = M[n-1] + step[n] net(H[n], H'[n], H[n-1], H'[n-1], M[n-1])`, see `STNNet`; the net follows the controls.

    While controls glide, the weights change every 16 samples. The output is M itself, which changes only by the steps,
    so it stays continuous however the weights jump, and a moving knob makes no clicks. Outputs are not mixed: each row
    of weights runs alone, so a point between two nets costs as much as one net.

    Args:
        num_controls: K.
        size: See `STNNet`.
        step: See there.
        inputs: See there.
        alpha: See there.
        sample_rate: Hz, of the training.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    cannot_follow: ClassVar[str] = (
        "whose weights follow the controls in steps of 16 samples from each new target on"
    )

    by_controls: WeightsByControls

    def __init__(
        self,
        num_controls: int,
        size: str,
        step: StepName,
        inputs: PlainInputs,
        alpha: float,
        sample_rate: int,
    ) -> None:
        layers, width = parse_size(size)
        require_one_of("step", step, get_args(StepName))
        require_one_of("inputs", inputs, get_args(PlainInputs))
        require_number("alpha", alpha, 0, FASTEST)
        super().__init__(num_controls, receptive_field=None)
        self.plain_arguments = {"size": size, "step": step, "inputs": inputs, "alpha": float(alpha)}
        self.inputs, self.alpha = INPUTS[inputs](), float(alpha)
        self.increment = STEP if step == "increment" else None
        self.trained_rate, self.rise = sample_rate, 1.0
        self.remains = step == "slope"
        self.size = NetSize(self.inputs.count, layers, width)
        self.by_controls = self.make_weights(self.fresh_vectors(1)[0])
        for name in ("field", "slope", "output"):
            self.register_rest(name, torch.zeros(1))
        if num_controls:
            self.register_rest("step_controls", torch.zeros(num_controls))

    @abstractmethod
    def make_weights(self, start: Tensor) -> WeightsByControls:
        """The weights as a function of the controls, initially everywhere those of a fresh net, (P,)."""

    @abstractmethod
    def weights_of(self) -> WeightsOf:
        """The weights as `described` states them."""

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        hearing, stepped, after = self._hear(input, controls, state)
        tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        run = loop_controlled if tracing else run_controlled
        path = run(hearing, stepped, state["output"], self.by_controls)
        output = path.t().unsqueeze(1)
        return output, {**after, "output": output[:, :, -1]}

    def _hear(self, input: Tensor, controls: Tensor, state: State) -> tuple[Hearing, Tensor, State]:
        """The inputs, the controls that the weights follow (batch, K, 1 or samples), and the state after the block."""
        path, after = self.smoothed(controls, state, input.shape[-1])
        stepped = path
        if self.num_controls:
            left = samples_left(state[KNOBS], controls)
            stepped = steps(path, state["step_controls"], left, self.smoothing_samples, STEP_SAMPLES)
            after = {**after, "step_controls": stepped[..., -1]}
        hearing = hear(input, state, self.inputs, self.alpha, self.rise, self.increment)
        return hearing, stepped, {**after, **hearing.after}

    def fitted_weights(self) -> WeightsByControls:
        """The weights as a function of the controls."""
        return self.by_controls

    def fresh_vectors(self, count: int) -> list[Tensor]:
        """Weights of freshly initialised nets, (P,) each."""
        rate = self.trained_rate
        return [STNNet(0, sample_rate=rate, **self.plain_arguments).vector() for _ in range(count)]  # type: ignore[arg-type]

    def heard_rows(self, input: Tensor, controls: Tensor, state: State, target: Tensor) -> Heard:
        """Fitting data from rows whose controls are constant, from the second sample on.

        Each row starts from the true output of its first sample.

        Shape:
            input, target: (batch, 1, samples).
        """
        hearing, _, _ = self._hear(input, controls, state)
        M = torch.zeros_like(hearing.heard[:1])
        inputs = torch.cat([hearing.heard, M]).permute(2, 1, 0)[:, 1:]  # (batch, samples, inputs)
        step, turn = (part.t()[:, 1:].double().contiguous().numpy() for part in hearing[1:3])
        true = target[:, 0].double()
        return Heard(
            inputs.double().contiguous().numpy(),
            self.inputs.count,
            step,
            turn,
            true[:, :-1].contiguous().numpy(),
            true[:, 1:].contiguous().numpy(),
            torch.ones(len(input), dtype=torch.float64).numpy(),
        )

    def at_rate(self, sample_rate: int) -> Self:
        """See `tapezoo.models.stn.at_rate`."""
        return at_rate(self, sample_rate)

    @torch.no_grad()
    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: the plain net with the weights at that point."""
        with torch.random.fork_rng(devices=[]):  # keeps the random state unchanged
            net = STNNet(0, sample_rate=self.trained_rate, **self.plain_arguments)  # type: ignore[arg-type]
        net.rise = self.rise
        net.load_vector(self.by_controls(controls.unsqueeze(0))[0])
        rest = self.rest_state(1)
        net.store_rest({name: rest[name] for name in net.state_names})
        return net.train(self.training)

    def described(self) -> Architecture:
        """See `Net.described`."""
        transition = ControlledTransition(
            layers=self.size.layers,
            width=self.size.width,
            weights=self.weights_of(),
            inputs=self.plain_arguments["inputs"],  # type: ignore[arg-type]
            increment=self.increment,
            alpha=self.alpha,
            rise=self.rise,
            slope_scale=SLOPE_SCALE,
            still=STILL,
            state=("field", "slope", "output"),
            held="step_controls" if self.num_controls else None,
            step_samples=STEP_SAMPLES,
        )
        return self.describe_layers(transition, controls_at="weights")
