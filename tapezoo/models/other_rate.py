"""A trained LSTM or GRU at a higher sample rate than that of its training, with the same weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture, Convolution, DelayedRecurrent
from tapezoo.errors import TapezooError
from tapezoo.layers.affine import Affine
from tapezoo.layers.conditioning import FiLM, FiLMGLU
from tapezoo.layers.convolution import causal_convolution
from tapezoo.layers.delayed_recurrence import delay_taps, run_delayed_gru, run_delayed_lstm, spread_taps
from tapezoo.layers.described import describe_dense, describe_modulation, describe_recurrent
from tapezoo.layers.recurrent import append_controls, fold_controls
from tapezoo.models.modulation import fold_into_head
from tapezoo.models.recurrent import RecurrentNet
from tapezoo.net import Net, State

HIGHEST_RATIO = 16


class OtherRateError(TapezooError):
    """A net cannot play at another sample rate than that of its training."""


class RecurrentAtRate(Net):
    """A `RecurrentNet` at `ratio` times its sample rate: `h[n] = cell(x[n], h(n - ratio))`.

    A recurrent net learns what happens from one sample to the next. At a higher rate the sample of one old period
    ago lies `ratio` samples back, mostly between two samples: h and the LSTM's c are read there by cubic interpolation
    (`tapezoo.layers.delayed_recurrence.delay_taps`), and exactly at whole ratios. The linear path's taps are spread
    alike, and the controls glide over the same time.

    Chowdhury, "Sample-rate agnostic recurrent neural networks", 2022 (the delay in the loop); Carson, Wright,
    Chowdhury, Välimäki, Bilbao, "Sample rate independent recurrent neural networks for audio effects processing",
    DAFx 2024 (cubic interpolation). Above half the old sample rate it does what its weights happen to say, since
    nothing there was trained. At lower rates the state would have to be extrapolated, which amplifies what is fast in
    it inside the loop: they are refused.

    It plays a loop over samples. Receptive field: unbounded. Latency: 0.

    Args:
        net: The trained net, which is copied.
        ratio: New sample rate divided by that of the training, above 1, at most 16.

    Raises:
        OtherRateError: The ratio is out of its range, or the net's memory is counted in samples elsewhere too.
    """

    def __init__(self, net: RecurrentNet, ratio: float) -> None:
        _check(net, ratio)
        super().__init__(net.num_controls, None, round(ratio * net.smoothing_samples))
        own = copy.deepcopy(net)
        self.layer_name, self.memory = own.layer_name, own.memory
        self.recurrent: nn.LSTM | nn.GRU = getattr(own, own.layer_name)
        self.conditioner, self.head = own.conditioner, own.head
        with torch.no_grad():
            spread = None if own.linear_path is None else spread_taps(own.linear_path, ratio)
            if spread is not None and own.linear_path is not None and own.linear_path.shape[-1] == 1:
                spread = own.linear_path.clone()
        self.linear_path = None if spread is None else nn.Parameter(spread)
        self.register_buffer("taps", delay_taps(ratio).float().reshape(1, 1, -1))
        for name in self.memory:
            rest = own.get_buffer(f"rest_{name}").unsqueeze(1)  # (layers, 1, H)
            self.register_rest(name, rest.expand(-1, self.taps.shape[-1], -1).clone())
        if self.linear_path is not None and self.linear_path.shape[-1] > 1:
            self.register_rest("past", torch.zeros(1, self.linear_path.shape[-1] - 1))

    taps: Tensor

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        path, after = self.smoothed(controls, state, input.shape[-1])
        features = append_controls(input, path if self.conditioner is None else path[:, :0])
        memory = [state[name].unbind(1) for name in self.memory]
        ends = []
        for row, before in enumerate(zip(*memory, strict=True)):
            features, *end = self._run(features, row, before)
            ends.append(end)
        after |= {
            name: torch.stack(part, dim=1)
            for name, part in zip(self.memory, zip(*ends, strict=True), strict=True)
        }
        if self.conditioner is not None:
            features = self.conditioner(features.transpose(1, 2), path, {})[0].transpose(1, 2)
        output: Tensor = self.head(features).transpose(1, 2)
        if self.linear_path is None:
            return output, after
        linear, past = causal_convolution(input, state.get("past", input[..., :0]), self.linear_path)
        return output + linear, after | ({"past": past} if "past" in state else {})

    def _run(self, signal: Tensor, row: int, before: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The h of one layer at every sample, and its last values of h and c."""
        W, U, b, c = (
            self.recurrent.get_parameter(f"{kind}_l{row}")
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        if isinstance(self.recurrent, nn.LSTM):
            sums = nn.functional.linear(signal, W, b + c)
            return run_delayed_lstm(sums, before[0], before[1], U.t(), self.taps)
        return run_delayed_gru(nn.functional.linear(signal, W, b), before[0], U.t(), c, self.taps)

    def described(self) -> Architecture:
        """See `Net.described`."""
        gap = []
        if self.conditioner is not None:
            modulation = describe_modulation("conditioner", self.conditioner, self.recurrent.hidden_size)
            gap = [modulation] if modulation else []
        path = None
        if self.linear_path is not None:
            length = self.linear_path.shape[-1]
            path = Convolution(1, 1, length, "linear_path", state="past" if length > 1 else None)
        return self.describe_layers(
            *(
                DelayedRecurrent(layer, self.taps.shape[-1], "taps")
                for layer in describe_recurrent("recurrent", self.recurrent, self.memory)
            ),
            *gap,
            describe_dense("head", self.head),
            controls_at="input" if self.conditioner is None else "modulation",
            linear_path=path,
        )

    @torch.no_grad()
    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`."""
        net = self.without_knobs()
        if net.conditioner is None:
            layer: Any = self.recurrent  # either of the two, which mypy does not pass on as a type variable
            net.recurrent = fold_controls(layer, controls)
        else:
            net.conditioner = fold_into_head(net.conditioner, controls, net.head)
        return net


def at_sample_rate(net: Net, trained_hz: int, wanted_hz: int) -> Net:
    """`net` for another sample rate; itself if it is the same.

    Args:
        net: A trained net; it is not changed.
        trained_hz: Sample rate of its training.
        wanted_hz: The one it is to play at.

    Raises:
        OtherRateError: It cannot play at that rate.
    """
    if wanted_hz == trained_hz:
        return net
    if not isinstance(net, RecurrentNet):
        raise OtherRateError(
            type(net).__name__,
            found=f"a net of other parts than one LSTM or GRU, trained at {trained_hz} Hz",
            expected="an LSTM or a GRU, whose state of one old sample ago can be read between the samples; in "
            "other nets filters, dilations, blocks or tables are counted in samples",
            fix=f"Export it at {trained_hz} Hz and resample the audio around it, as `tapezoo render` does.",
        )
    if wanted_hz < trained_hz:
        raise OtherRateError(
            f"{wanted_hz} Hz",
            found=f"a net trained at {trained_hz} Hz",
            expected=f"{trained_hz} Hz or more: at lower rates its state would have to be extrapolated, and the loop "
            "amplifies what is fast in it",
            fix=f"Export it at {trained_hz} Hz and resample the audio around it, as `tapezoo render` does; or train "
            "at the lowest rate that is needed.",
        )
    return RecurrentAtRate(net, wanted_hz / trained_hz)


def _check(net: RecurrentNet, ratio: float) -> None:
    if not 1 < ratio <= HIGHEST_RATIO:
        raise OtherRateError(
            f"a sample rate {ratio:g} times that of the training",
            found=f"{ratio:g}",
            expected=f"above 1, at most {HIGHEST_RATIO}",
            fix="Choose another sample rate.",
        )
    if not isinstance(net.conditioner, FiLM | FiLMGLU | Affine | None):
        raise OtherRateError(
            f"conditioning by {type(net.conditioner).__name__}",
            found="a memory that counts samples",
            expected="conditioning by concat, film or film_glu",
            fix="Train with another conditioning, or resample the audio around the net.",
        )
