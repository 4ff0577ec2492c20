"""A recurrent net in which all weights follow the controls."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture, ControlledRecurrent
from tapezoo.layers.convolution import controlled_fir, identity_taps
from tapezoo.layers.hyper import CODES, BlendCode, ControlCode, HyperRecurrence, HyperTensors, mix
from tapezoo.layers.smoothing import samples_left, steps
from tapezoo.models.arguments import (
    DEEPEST,
    INPUT_SCALES,
    LONGEST_SAMPLES,
    WIDEST,
    ModelArgumentError,
    require_number,
    require_one_of,
    require_whole,
)
from tapezoo.net import KNOBS, Net, State, UndescribableError

Conditioning = Literal["concat", "film", "film_glu", "temporal_film", "hyper", "hyper_blend"]
"""The ways in which controls reach a recurrent net."""

STEP_SAMPLES = 32  # between two updates of the cell's weights while controls move
FRESH = 2.0  # placeholder memory_samples for a net whose weights are set afterwards
REACH = 0.01  # of the initial weights around their start, see `HyperTensors`


class HyperNet(Net):
    """`y[n] = w(p) . h[n] + b(p) + sum_k g_k(p) x[n - k]`, h from a cell with weights W(p).

    Ha, Dai, Le, "HyperNetworks", ICLR 2017; Yeh, Hsiao, Yang, "Hyper recurrent neural network: condition
    mechanisms for black-box audio effect modeling", DAFx 2024. Their hyper-network may be recurrent; this one is affine
    in the controls and in tanh units. Each corner of a hybrid has a net of its own; between corners all weights are
    blended. `weights` gives those of a plain net at fixed controls. Where all controls are 0, a fresh net passes the
    signal, and continues to do so if nothing is trained there.

    While controls move, the output layer and the linear path follow sample by sample, and the cell in steps of 32
    samples from each new target on. A single change takes 32 small steps; each step costs a product of all the cell's
    weights. Batch rows at the same controls run together, so training costs little more than without controls as long
    as a batch holds few settings.

    A subclass implements `cell`.

    Args:
        num_controls, hidden_size, num_layers, linear_taps, memory_samples: As `RecurrentNet`'s.
        hyper_units: Tanh units between controls and weights, U, 0 or more.
        conditioning: "hyper", or "hyper_blend" for controls that choose among machines (`BlendCode`).
        input_scale: As `RecurrentNet`'s.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    cannot_follow: ClassVar[str] = (
        "whose weights follow the controls in steps of 32 samples from each new target on"
    )

    def __init__(
        self,
        num_controls: int,
        hidden_size: int,
        num_layers: int,
        linear_taps: int,
        memory_samples: float,
        hyper_units: int,
        conditioning: Conditioning = "hyper",
        input_scale: float = 1.0,
    ) -> None:
        require_one_of("conditioning", conditioning, list(CODES))
        require_whole("hidden_size", hidden_size, 1, WIDEST)
        require_whole("num_layers", num_layers, 1, DEEPEST)
        require_whole("linear_taps", linear_taps, 0, LONGEST_SAMPLES)
        require_number("memory_samples", memory_samples, 2, LONGEST_SAMPLES)
        require_number("input_scale", input_scale, *INPUT_SCALES)
        require_whole("hyper_units", hyper_units, 0, WIDEST)
        super().__init__(num_controls, receptive_field=None)
        code = CODES[conditioning](num_controls, hyper_units)
        recurrence = self.cell(code, hidden_size, num_layers, memory_samples)
        self.code, self.recurrence = code, recurrence
        with torch.no_grad():
            recurrence.tensors.corners["weight_ih_l0"] *= input_scale
        head = nn.Linear(hidden_size, 1)
        start = {"weight": head.weight[0], "bias": head.bias[0]}
        if linear_taps:
            start["taps"] = identity_taps(0, linear_taps)[0, 0]
        self.readout = HyperTensors(start, code, REACH)
        if num_controls:
            with torch.no_grad():
                for name in ("weight", "bias"):
                    self.readout.corners[name][..., 0] = 0.0
        for name in recurrence.memory:
            self.register_rest(name, torch.zeros(recurrence.num_layers, recurrence.hidden_size))
        if linear_taps > 1:
            self.register_rest("past", torch.zeros(1, linear_taps - 1))
        if num_controls:
            self.register_rest("step_controls", torch.zeros(num_controls))

    @staticmethod
    @abstractmethod
    def cell(code: ControlCode, hidden_size: int, num_layers: int, memory_samples: float) -> HyperRecurrence:
        """The recurrent layers, with initial weights."""

    def weights(self, controls: Tensor) -> dict[str, Tensor]:
        """All weights at fixed controls (K,): a plain cell's, and "weight", "bias" and "taps" around it."""
        code = self.code(controls.reshape(1, -1, 1))[..., 0]
        return {
            name: value[0]
            for tensors in (self.recurrence.tensors, self.readout)
            for name, value in tensors(code).items()
        }

    @abstractmethod
    def plain(self, weights: dict[str, Tensor]) -> Net:
        """The net without controls that has these `weights`."""

    def described(self) -> Architecture:
        """See `Net.described`; a hyper-network without controls serves no purpose, and is not described."""
        if not self.num_controls:
            raise UndescribableError(self, "a hyper-network without controls")
        readout, cell, memory = self.readout.corners, self.recurrence, self.recurrence.memory
        corners = {name: f"readout.corners.{name}" for name in readout}
        corners |= {name: f"recurrence.tensors.corners.{name}" for name in cell.tensors.corners}
        taps = len(readout["taps"]) if "taps" in readout else 0
        layer = ControlledRecurrent(
            cell="lstm" if "cell" in memory else "gru",
            layers=cell.num_layers,
            units=cell.hidden_size,
            taps=taps,
            controls=self.num_controls,
            bent=self.code.size - 1 - self.num_controls,
            blend=isinstance(self.code, BlendCode),
            corners=corners,
            bend=() if self.code.bend is None else ("code.bend.weight", "code.bend.bias"),
            state=memory,
            past="past" if taps > 1 else None,
            held="step_controls",
            step_samples=STEP_SAMPLES,
        )
        state = (*memory, *(["past"] if taps > 1 else []), "step_controls")
        return Architecture((layer,), state, self.num_controls, self.smoothing_samples, "weights")

    @torch.no_grad()
    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: the plain net with the weights at that point."""
        weights = self.weights(controls)
        with torch.random.fork_rng(devices=[]):  # keeps the random state unchanged
            net = self.plain(weights).to(weights["weight"].device).train(self.training)
        net.store_rest(self.rest_state(1))
        return net

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        path, after = self.smoothed(controls, state, input.shape[-1])
        code = self.code(path)  # (batch, D, 1 or samples)
        in_steps = code
        if self.num_controls:
            left = samples_left(state[KNOBS], controls)
            stepped = steps(path, state["step_controls"], left, self.smoothing_samples, STEP_SAMPLES)
            after["step_controls"] = stepped[..., -1]
            in_steps = self.code(stepped)
        memory = [state[name].transpose(0, 1).contiguous() for name in self.recurrence.memory]
        features, memory = self.recurrence(input.transpose(1, 2), in_steps, memory)  # (batch, samples, H)
        after.update(zip(self.recurrence.memory, (part.transpose(0, 1) for part in memory), strict=True))
        readout = self.readout.apart
        apart = torch.matmul(features, readout["weight"]) + readout["bias"]
        output = mix(apart.transpose(1, 2), code)
        if "taps" in readout:
            taps = readout["taps"].t().unsqueeze(1)  # (D, 1, taps)
            linear, past = controlled_fir(input, code[:, 1:], state.get("past", input[..., :0]), taps)
            output = output + linear
            after.update({"past": past} if "past" in state else {})
        return output, after


def load_readout(weights: dict[str, Tensor], head: nn.Linear, linear_path: Tensor | None) -> None:
    """Gives the output layer and the linear path of a plain net their `HyperNet.weights`."""
    head.weight.copy_(weights["weight"].unsqueeze(0))
    head.bias.copy_(weights["bias"])
    if linear_path is not None:
        linear_path.copy_(weights["taps"].reshape(linear_path.shape))


def refuse_units_without_hyper(hyper_units: int, conditioning: Conditioning) -> None:
    """Raises ModelArgumentError if units of a hyper-network are requested without a hyper-network."""
    if hyper_units:
        raise ModelArgumentError(
            "hyper_units", f"{hyper_units} beside conditioning {conditioning!r}", "0, or hyper"
        )
