"""The contract of every architecture: an effect is a pure function of signal, controls and state."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture, Layer
from tapezoo.errors import TapezooError
from tapezoo.layers.conditioner import State as State
from tapezoo.layers.smoothing import fill_history, glide, moves

KNOBS = "control_history"  # in the state of a net whose controls glide
KNOBS_BEFORE = ("control_targets", "controls", "control_ramp")  # earlier names of it in checkpoints
# 23 ms at 44.1 kHz: long enough for a jump of a gain not to click, short under a hand
SMOOTHING_SAMPLES = 1024


class UnfoldableError(TapezooError):
    """The controls of a net cannot be folded into its weights."""


class UndescribableError(TapezooError):
    """A net cannot be described as the layers of an `Architecture`."""

    def __init__(self, net: Net, found: str) -> None:
        super().__init__(
            type(net).__name__,
            found=found,
            expected="a net that describes itself as layers and their weights",
            fix="Export the targets onnx and torchscript, which can represent every net.",
        )


class Net(nn.Module, ABC):
    """An audio effect: `output, state = net(input, controls, state)`, for blocks of any length.

    A subclass sets the three fields below in its `__init__`, declares each state tensor with
    `register_rest`, and writes `forward`. It never keeps anything between two calls of `forward`.

    Controls glide to a new value over `smoothing_samples`, and follow moving ones (`smoothing_samples` - 1) / 2
    samples late, whatever the block length and however often they are given (`tapezoo.layers.smoothing.glide`). A
    net with controls has a state tensor for that, "control_history", and its `forward` begins with `smoothed`:

        trajectory, knobs = self.smoothed(controls, state, input.shape[-1])
        ...
        return output, {**after, **knobs}

    Args:
        num_controls: Number of knobs, K.
        receptive_field: See the field.
        smoothing_samples: Samples a control takes to a new value, 0 or more. 0 for a net that needs no glide or has
            its own: it has no such state, and uses `controls` directly.
    """

    receptive_field: int | None
    """Input samples one output sample depends on; None: unbounded (recurrent)."""
    latency_samples: int = 0
    """Delay of the output against the input; 0 for a causal net without lookahead."""
    hop_samples: int = 1
    """Block lengths must be multiples of it; 1 for all but block-based nets."""
    max_block_samples: int | None = None
    """The longest block that is sensible where memory grows faster than the block; None: any."""
    remains: bool = False
    """In silence the output stays at its last value, as a magnetisation does; a constant output is then memory."""
    own_phase: str = ""
    """Why the waveform is not the target's although the sound is to be, such as a vocoder's; empty: waveforms agree.
    Such a net is trained and judged by spectra; what compares waveforms (ESR, linear floor, delay) refuses it."""
    num_controls: int
    cannot_keep: ClassVar[dict[str, str]] = {}
    """Laws of `tapezoo.testing` that this architecture cannot keep by design: name of the law -> reason."""
    cannot_follow: ClassVar[str] = ""
    """Why its controls cannot follow the signal (`follow`), as the rest of a sentence; empty: they can."""
    num_followed: int = 0
    """The last so many controls come as a value for every sample, and do not glide; see `follow`."""
    dead_parameters: ClassVar[dict[str, str]] = {}
    """Parameters that by construction receive no gradient: name -> reason."""

    def __init__(
        self, num_controls: int, receptive_field: int | None, smoothing_samples: int = SMOOTHING_SAMPLES
    ) -> None:
        super().__init__()
        if smoothing_samples < 0:
            raise ValueError(f"smoothing_samples is {smoothing_samples}; 0 or more")
        self.num_controls = num_controls
        self.receptive_field = receptive_field
        self.smoothing_samples = smoothing_samples
        self._state_names: list[str] = []
        self._endless_states: list[str] = []
        self._glides = bool(num_controls and smoothing_samples)
        if self._glides:
            self.register_rest(KNOBS, torch.zeros(num_controls, smoothing_samples))

    @abstractmethod
    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """Processes one block.

        Shape:
            input: (batch, 1, samples), full scale is +-1.
            controls: (batch, num_controls) in 0..1.
            output: as input; the new state has the names and shapes of the old one.
        """

    def folded(self, controls: Tensor) -> Net:
        """A net without controls that is equal to this one with its controls held at `controls`.

        The effect of the controls becomes constants in the weights: a smaller and faster net. At every point the result
        has the same class, with the same tensor names, shapes and graph. Its state has the names, shapes and meaning
        of this net's state less the knobs, so points of one net share their state. Its rest state is this net's
        as stored; `settle` carries it to the point.

        Args:
            controls: (num_controls,) positions in 0..1.

        Raises:
            UnfoldableError: The controls cannot be folded; the default of a net that does not implement this.
        """
        raise UnfoldableError(
            type(self).__name__,
            found="no `folded`: the net does not implement how its controls become constants",
            expected="a net that can be sampled at points of its controls",
            fix="Implement `folded` (see tapezoo.net.Net), or export without a grid.",
        )

    def described(self) -> Architecture:
        """The layers of the net, as data. Formats that list layers and weights are written from it and the state dict.

        Raises:
            UndescribableError: It cannot be described; the default of a net that does not implement this.
        """
        raise UndescribableError(self, "no `described`: the net does not describe its layers")

    def describe_layers(
        self, *layers: Layer, controls_at: Literal["input", "modulation", "weights"] | None, **parts: Any
    ) -> Architecture:
        """A description with these layers and the fields that every net has, for use in `described`.

        Args:
            layers: In series.
            controls_at: Where the controls enter, if there are any; see `Architecture`.
            parts: Further arguments of `Architecture`.
        """
        return Architecture(
            layers,
            state=self.state_names,
            num_controls=self.num_controls,
            smoothing_samples=self.smoothing_samples,
            controls_at=controls_at if self.num_controls else None,
            **parts,
        )

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the state tensors, without that of the control glide."""
        return tuple(name for name in self._state_names if name != KNOBS)

    def without_knobs(self) -> Self:
        """A copy without controls and without their state, as a start for `folded`."""
        net = copy.deepcopy(self)
        net.num_controls = 0
        if self._glides:
            net._drop_history()
        return net

    def register_rest(self, name: str, rest: Tensor) -> None:
        """Declares the state tensor `name` with its value at rest, without the batch dimension."""
        self.register_buffer(f"rest_{name}", rest)
        self._state_names.append(name)

    def register_endless(self, name: str, rest: Tensor) -> None:
        """Declares a state tensor that runs on for ever, such as the place in a loop: nobody waits until it settles.

        Settling leaves it at its value at rest. It says where the net is, not what it has heard.

        Args:
            name: Of the state tensor.
            rest: See `register_rest`; int64 counts samples exactly, float32 only up to 2^24 (6 minutes at 44.1 kHz).
        """
        self.register_rest(name, rest)
        self._endless_states.append(name)

    @property
    def endless_states(self) -> tuple[str, ...]:
        """Names of the state tensors that were declared with `register_endless`."""
        return tuple(self._endless_states)

    def initial_state(self, controls: Tensor) -> State:
        """The stored rest state with the knobs at `controls` (batch, num_controls), one copy per row.

        Training settles it at the controls' defaults (`store_rest`) before each validation; `tapezoo.play.settle`
        settles it at any other controls.
        """
        state = self.rest_state(controls.shape[0])
        if self._glides:
            state[KNOBS] = fill_history(controls, self.smoothing_samples)
        return state

    def follow(self, num_followed: int) -> None:
        """Makes the last `num_followed` controls values for every sample, such as features of the signal.

        `forward` then takes its controls as (batch, num_controls, samples), the knobs constant over the block. The
        knobs alone glide and have a history; `initial_state` takes them alone. A net whose `forward` uses controls
        otherwise than by `smoothed` says so in `cannot_follow`.
        """
        self.num_followed = num_followed
        knobs = self.num_controls - num_followed
        if self._glides and knobs:
            self.register_buffer(f"rest_{KNOBS}", torch.zeros(knobs, self.smoothing_samples))
        elif self._glides:
            self._drop_history()

    def _drop_history(self) -> None:
        self._glides = False
        self._state_names.remove(KNOBS)
        delattr(self, f"rest_{KNOBS}")

    def rest_state(self, rows: int) -> State:
        """The stored rest state, including the controls, one copy per row."""
        state = {}
        for name in self._state_names:
            rest = self.get_buffer(f"rest_{name}")
            state[name] = rest.unsqueeze(0).expand(rows, *rest.shape).clone()
        return state

    def smoothed(self, controls: Tensor, state: State, samples: int) -> tuple[Tensor, State]:
        """The path of the controls over a block, and their part of the state after it.

        Args:
            controls: (batch, K), target positions of the knobs; (batch, K, samples) where some `follow` the signal.
            state: State of the net before the block.
            samples: Length of the block.

        Shape:
            path: (batch, K, samples); (batch, K, 1) where no row moves, except in a graph being traced.
        """
        if self.num_followed:
            knobs = self.num_controls - self.num_followed
            path, after = self._glided(controls[:, :knobs, 0], state, samples)
            return torch.cat([path.expand(-1, -1, samples), controls[:, knobs:]], dim=1), after
        return self._glided(controls, state, samples)

    def _glided(self, controls: Tensor, state: State, samples: int) -> tuple[Tensor, State]:
        """`smoothed` of the knobs alone."""
        if not self._glides:
            return controls.unsqueeze(-1), {}
        tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        if not tracing and not moves(state[KNOBS], controls):
            return controls.unsqueeze(-1), {KNOBS: state[KNOBS]}
        path, history = glide(state[KNOBS], controls, samples)
        return path, {KNOBS: history}

    def store_rest(self, state: State) -> None:
        """Stores the first row of `state` as the rest state that `initial_state` returns."""
        for name in self._state_names:
            self.get_buffer(f"rest_{name}").copy_(state[name][0])

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        """Also loads weights saved before `KNOBS` existed: at rest, the old and the new glide state mean the same."""
        told, *others = (f"{prefix}rest_{name}" for name in KNOBS_BEFORE)
        if self._glides and told in state_dict:
            at = state_dict.pop(told)
            for name in others:
                state_dict.pop(name, None)
            state_dict[f"{prefix}rest_{KNOBS}"] = fill_history(at.unsqueeze(0), self.smoothing_samples)[0]
        super()._load_from_state_dict(state_dict, prefix, *rest)
