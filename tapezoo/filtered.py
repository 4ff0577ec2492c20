"""Any net with a long linear filter in parallel or in series: most of what a tape machine does is such a filter."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture, Convolution, Dense, SkipStack
from tapezoo.layers.long_filter import LongFilter
from tapezoo.layers.responses import Explained, Response, fir_magnitude
from tapezoo.net import Net, State, UndescribableError
from tapezoo.noisy import Noisy


class Filtered(Net):
    """A net and a filter, each with its own part of the state.

    The filter is the same at all settings of the controls; only the net follows them.

    Args:
        net: Any net; its state tensors keep their names.
        filter: In parallel with the net, or before it.
        receptive_field: Of net and filter together, in samples.
        past: Name of the filter's left context in the state.
    """

    place: ClassVar[str]
    """Where the filter is, for titles."""

    def __init__(self, net: Net, filter: LongFilter, receptive_field: int | None, past: str) -> None:
        super().__init__(net.num_controls, receptive_field, smoothing_samples=0)  # the net has the controls
        self.smoothing_samples = net.smoothing_samples
        self.latency_samples, self.hop_samples = net.latency_samples, net.hop_samples
        self.own_phase = net.own_phase
        self.max_block_samples, self.remains = net.max_block_samples, net.remains
        self.net, self.filter, self.past = net, filter, past
        self.register_rest(past, torch.zeros(1, filter.past_samples))
        dead = {f"net.{name}": reason for name, reason in net.dead_parameters.items()}
        vars(self).update(cannot_keep=net.cannot_keep, dead_parameters=dead)

    @property
    def state_names(self) -> tuple[str, ...]:
        """See `Net.state_names`."""
        return (*self.net.state_names, self.past)

    @property
    def endless_states(self) -> tuple[str, ...]:
        """See `Net.endless_states`."""
        return self.net.endless_states

    def initial_state(self, controls: Tensor) -> State:
        """See `Net.initial_state`."""
        return {**self.net.initial_state(controls), **super().rest_state(controls.shape[0])}

    def rest_state(self, rows: int) -> State:
        """See `Net.rest_state`."""
        return {**self.net.rest_state(rows), **super().rest_state(rows)}

    def store_rest(self, state: State) -> None:
        """See `Net.store_rest`."""
        self.net.store_rest(state)
        super().store_rest(state)

    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: the folded net and the filter as it is."""
        held = copy.deepcopy(self)
        held.net = self.net.folded(controls)
        held.num_controls = 0
        return held

    def responses(self, sample_rate: int, controls: Tensor) -> list[Response]:
        """The filter's response, then the net's responses; see `tapezoo.layers.responses.Explained`."""
        own = fir_magnitude(f"filter {self.place} the net", self.filter.coefficients(), sample_rate)
        return [own, *(self.net.responses(sample_rate, controls) if isinstance(self.net, Explained) else [])]

    def _split(self, state: State) -> tuple[State, Tensor]:
        """The net's part of the state, and the filter's."""
        return {name: value for name, value in state.items() if name != self.past}, state[self.past]

    def _described_net(self) -> Architecture:
        """The net's own description, with the tensor names they have here."""
        described = self.net.described()
        # a filter before the net and one in parallel have different inputs
        if described.beside is not None or (self.place == "before" and described.before is not None):
            raise UndescribableError(self, "a filter around another filter")
        prefixed = _prefixed(described, frozenset(described.shapes()), "net.")
        left_out = {f"net.{name}": reason for name, reason in described.left_out.items()}
        named: Architecture = dataclasses.replace(prefixed, state=self.state_names, left_out=left_out)
        return named

    def _describe_filter(self) -> Convolution:
        bias = None if self.filter.offset is None else "filter.offset"
        taps = self.filter.taps.shape[-1]
        return Convolution(1, 1, taps, "filter.taps", bias, state=self.past)


class FilterBeside(Filtered):
    """`y[n] = c + sum_k g[k] x[n - L - k] + a net(x)[n - lead]`, L the net's latency; total latency L + lead.

    The net models what the filter leaves. It adds nothing at the start, so a training that takes g and c from least
    squares starts at the linear floor: the net's output layer and its own linear path are 0, and a is 1. If the net
    does not describe these layers, a is 0 (Bachlechner et al., "ReZero is all you need", UAI 2021), which trains more
    slowly.

    Args:
        net: Any net.
        taps: Length of g, 2 to 65536 samples.
        lead_samples: How many taps lie ahead of the output, 0 to `taps` - 1; the model's latency grows by as many. The
            net's input is delayed by as much, so that it has no delay to learn.
    """

    place = "beside"

    def __init__(self, net: Net, taps: int, lead_samples: int = 0) -> None:
        reach = taps + net.latency_samples
        field = None if net.receptive_field is None else max(net.receptive_field + lead_samples, reach)
        past = "past_beside" if "past" in net.state_names else "past"
        super().__init__(net, LongFilter(taps, net.latency_samples, has_offset=True), field, past)
        self.lead_samples = lead_samples
        self.latency_samples = net.latency_samples + lead_samples
        last = _output_tensors(net)
        with torch.no_grad():
            for name in last:
                net.get_parameter(name).zero_()
        self.gain = nn.Parameter(torch.full((1,), 1.0 if last else 0.0))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        of_net, past = self._split(state)
        bent, after = self.net(self._wait(input, past), controls, of_net)
        linear, past = self.filter(input, past)
        return linear + self.gain * bent, {**after, self.past: past}

    def _wait(self, input: Tensor, past: Tensor) -> Tensor:
        """The input delayed by `lead_samples`."""
        if not self.lead_samples:
            return input
        return torch.cat([past[..., past.shape[-1] - self.lead_samples :], input], dim=-1)[
            ..., : -self.lead_samples
        ]

    def described(self) -> Architecture:
        """See `Net.described`."""
        if self.latency_samples:
            raise UndescribableError(self, f"a filter and a net that are {self.latency_samples} samples late")
        return dataclasses.replace(self._described_net(), gain="gain", beside=self._describe_filter())


class FilterBefore(Filtered):
    """`y = net(v)`, `v[n] = sum_k g[k] x[n - k]`.

    Args:
        net: Any net.
        taps: Length of g, 2 to 65536 samples.
    """

    place = "before"

    def __init__(self, net: Net, taps: int) -> None:
        field = None if net.receptive_field is None else net.receptive_field + taps - 1
        super().__init__(net, LongFilter(taps, has_offset=False), field, "past_before")

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        of_net, past = self._split(state)
        filtered, past = self.filter(input, past)
        output, after = self.net(filtered, controls, of_net)
        return output, {**after, self.past: past}

    def described(self) -> Architecture:
        """See `Net.described`."""
        return dataclasses.replace(self._described_net(), before=self._describe_filter())


def long_filters(net: Net) -> list[LongFilter]:
    """The filters around a net, the outermost first."""
    found = []
    net = net.net if isinstance(net, Noisy) else net
    while isinstance(net, Filtered):
        found.append(net.filter)
        net = net.net
    return found


def _output_tensors(net: Net) -> tuple[str, ...]:
    """The weights that scale the net's output; empty if the net does not describe them."""
    try:
        described = net.described()
    except UndescribableError:
        return ()
    last = described.layers[-1]
    last = last.head if isinstance(last, SkipStack) else last
    if not isinstance(last, Dense | Convolution):
        return ()
    path = described.linear_path
    names = (last.weight, last.bias, None if path is None else path.weight)
    return tuple(name for name in names if name is not None)


def _prefixed(part: Any, names: frozenset[str], prefix: str) -> Any:
    """The same, with a prefix before every tensor name."""
    if isinstance(part, str):
        return prefix + part if part in names else part
    if isinstance(part, tuple):
        return tuple(_prefixed(each, names, prefix) for each in part)
    if isinstance(part, dict):
        return {_prefixed(key, names, prefix): _prefixed(value, names, prefix) for key, value in part.items()}
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        changed = {
            field.name: _prefixed(getattr(part, field.name), names, prefix)
            for field in dataclasses.fields(part)
            if field.name not in ("state", "kind", "left_out")
        }
        return dataclasses.replace(part, **changed)
    return part
