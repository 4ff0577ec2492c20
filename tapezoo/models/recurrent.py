"""The parts that the LSTM and the GRU share: controls, output layer and linear path around a recurrent layer."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, get_args

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture, Convolution
from tapezoo.layers.conditioning import CONDITIONERS, conditioner
from tapezoo.layers.convolution import identity_taps
from tapezoo.layers.described import describe_dense, describe_modulation, describe_recurrent
from tapezoo.layers.hyper import CODES
from tapezoo.layers.recurrent import add_linear_path, append_controls, fold_controls
from tapezoo.layers.row_blocks import runs_compiled
from tapezoo.models.arguments import (
    DEEPEST,
    INPUT_SCALES,
    LONGEST_SAMPLES,
    WIDEST,
    require_number,
    require_one_of,
    require_whole,
)
from tapezoo.models.hyper import Conditioning, HyperNet, refuse_units_without_hyper
from tapezoo.models.modulation import Modulations, accept_old_names, fold_into_head
from tapezoo.net import Net, State


class RecurrentNet(Net):
    """`y[n] = w . h[n] + b + sum_k g[k] x[n - k]`, h from a recurrent layer that a subclass provides.

    Args:
        num_controls: Number of knobs.
        hidden_size: Units per layer, 1 or more.
        num_layers: Stacked recurrent layers, 1 or more.
        linear_taps: Length of the trained linear path around the net, in samples: 0 none, 1 a gain.
        memory_samples: Longest time constant of a unit at the start of training, in samples, 2 or more.
        conditioning: How controls reach the net. "concat": as further inputs of the first layer. "film",
            "film_glu" and "temporal_film": they modulate h[n] before the output layer
            (`tapezoo.layers.conditioning`). "hyper" and, for the selector of a hybrid, "hyper_blend": a
            hyper-network makes all weights (`tapezoo.models.hyper.HyperNet`).
        input_scale: Factor on the weights of the signal at the start of training, 0.01 to 1000. New units are nearly
            linear at low levels; with a fitted linear filter in parallel, that leaves them nothing to learn.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    layer_name: ClassVar[str]
    """The layer's name among the net's modules."""
    memory: ClassVar[tuple[str, ...]]
    """Names of the state tensors of the layer, each (layers, units)."""

    def __init__(
        self,
        num_controls: int,
        hidden_size: int = 32,
        num_layers: int = 1,
        linear_taps: int = 1,
        memory_samples: float = 1000.0,
        conditioning: Conditioning = "concat",
        input_scale: float = 1.0,
    ) -> None:
        require_one_of("conditioning", conditioning, [*CONDITIONERS])
        require_whole("hidden_size", hidden_size, 1, WIDEST)
        require_whole("num_layers", num_layers, 1, DEEPEST)
        require_whole("linear_taps", linear_taps, 0, LONGEST_SAMPLES)
        require_number("memory_samples", memory_samples, 2, LONGEST_SAMPLES)
        require_number("input_scale", input_scale, *INPUT_SCALES)
        super().__init__(num_controls, receptive_field=None)
        beside_signal = num_controls if conditioning == "concat" else 0
        layer = self.make_layer(1 + beside_signal, hidden_size, num_layers)
        self.add_module(self.layer_name, layer)
        self.conditioner = (
            None if conditioning == "concat" else conditioner(conditioning, num_controls, hidden_size)
        )
        self.head = nn.Linear(hidden_size, 1)
        self.linear_path = nn.Parameter(identity_taps(0, linear_taps)) if linear_taps else None
        self.spread_memories(layer, memory_samples)
        with torch.no_grad():
            layer.get_parameter("weight_ih_l0")[:, 0] *= input_scale
        for name in self.memory:
            self.register_rest(name, torch.zeros(num_layers, hidden_size))
        if linear_taps > 1:
            self.register_rest("past", torch.zeros(1, linear_taps - 1))
        layers = [] if self.conditioner is None else [("head", self.conditioner)]
        self.modulations = Modulations(self, layers)
        accept_old_names(self, "rest_conditioner_", "rest_modulation_head_")

    @staticmethod
    @abstractmethod
    def make_layer(input_size: int, hidden_size: int, num_layers: int) -> nn.LSTM | nn.GRU:
        """The recurrent layers, with initial weights."""

    @staticmethod
    @abstractmethod
    def spread_memories(layer: Any, memory_samples: float) -> None:
        """Gives the units time constants from 2 samples to `memory_samples`."""

    @abstractmethod
    def recur(self, signal: Tensor, memory: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Features (batch, samples, H) of a signal (batch, samples, inputs), and the memory after it.

        Shape:
            memory: (layers, batch, H) for every name in `memory`.
        """

    def plays_compiled(self, signal: Tensor) -> bool:
        """Whether the training loops run this block; blocks that are only played keep PyTorch's operators.

        In double precision, which serves to measure rounding errors, PyTorch's operators take 30 times as long.
        """
        exact = signal.dtype == torch.float64
        return (exact or self.training or torch.is_grad_enabled()) and runs_compiled(signal)

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        path, knobs = self.smoothed(controls, state, input.shape[-1])
        signal = append_controls(input, path if self.conditioner is None else path[:, :0])
        memory = [state[name].transpose(0, 1).contiguous() for name in self.memory]
        features, memory = self.recur(signal, memory)
        after = {name: part.transpose(0, 1) for name, part in zip(self.memory, memory, strict=True)} | knobs
        if self.conditioner is not None:
            own = self.modulations.own_state("head", state)
            features, own = self.conditioner(features.transpose(1, 2), path, own)
            features = features.transpose(1, 2)
            after.update(self.modulations.net_state("head", own))
        output = self._read(features)
        output, past = add_linear_path(output, input, self.linear_path, state)
        return output, {**after, **past}

    def _read(self, features: Tensor) -> Tensor:
        """The output layer: (batch, samples, H) -> (batch, 1, samples)."""
        by_samples = features.transpose(0, 1)
        tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        if tracing or not by_samples.is_contiguous():
            output: Tensor = self.head(features).transpose(1, 2)
        else:  # the layout that recurrent layers leave: nothing has to be copied
            output = self.head(by_samples).permute(1, 2, 0)
        return output

    def described(self) -> Architecture:
        """See `Net.described`."""
        layer, gap = getattr(self, self.layer_name), []
        if self.conditioner is not None:
            own = self.modulations.state_names("head")
            modulation = describe_modulation("conditioner", self.conditioner, layer.hidden_size, own)
            gap = [modulation] if modulation else []
        recurrent = describe_recurrent(self.layer_name, layer, self.memory)
        beside_signal = self.conditioner is None
        return self.describe_layers(
            *recurrent,
            *gap,
            describe_dense("head", self.head),
            controls_at="input" if beside_signal else "modulation",
            linear_path=self._describe_linear_path(),
        )

    def _describe_linear_path(self) -> Convolution | None:
        if self.linear_path is None:
            return None
        taps = self.linear_path.shape[-1]
        return Convolution(1, 1, taps, "linear_path", state="past" if taps > 1 else None)

    @torch.no_grad()
    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: the same layer without controls, followed by the gated unit of "film_glu"."""
        net = self.without_knobs()
        if net.conditioner is None:
            layer = fold_controls(getattr(self, self.layer_name), controls)
            net.add_module(self.layer_name, layer)
        else:
            net.conditioner = fold_into_head(net.conditioner, controls, net.head)
        return net


def make_plain_or_hyper(
    plain: type[RecurrentNet], hyper: type[HyperNet], num_controls: int, hyper_units: int, **arguments: Any
) -> Net:
    """A hyper-net if `conditioning` asks for one, otherwise a plain net.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """
    conditioning = arguments["conditioning"]
    require_one_of("conditioning", conditioning, get_args(Conditioning))
    require_whole("hyper_units", hyper_units, 0, WIDEST)
    if conditioning in CODES:
        return hyper(num_controls, hyper_units=hyper_units, **arguments)
    refuse_units_without_hyper(hyper_units, conditioning)
    return plain(num_controls, **arguments)
