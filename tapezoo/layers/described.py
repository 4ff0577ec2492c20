"""PyTorch modules and conditioners as parts of an `Architecture`; tensor names are those in the net's state dict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn

from tapezoo.architecture import Convolution, Dense, Modulation, Recurrent
from tapezoo.layers.conditioner import Conditioner


def describe_dense(name: str, linear: nn.Linear) -> Dense:
    """The linear layer stored in the net as `name`."""
    bias = None if linear.bias is None else f"{name}.bias"
    return Dense(linear.in_features, linear.out_features, f"{name}.weight", bias)


def describe_convolution(name: str, convolution: nn.Conv1d, state: str | None = None) -> Convolution:
    """The causal convolution stored in the net as `name`; its left context is in `state`."""
    return Convolution(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size[0],
        f"{name}.weight",
        None if convolution.bias is None else f"{name}.bias",
        convolution.dilation[0],
        state,
    )


def describe_recurrent(name: str, layers: nn.LSTM | nn.GRU, state: Sequence[str]) -> Iterator[Recurrent]:
    """The stacked recurrent layers stored in the net as `name`, one entry per layer; their memory is in `state`."""
    for row in range(layers.num_layers):
        yield Recurrent(
            kind="lstm" if isinstance(layers, nn.LSTM) else "gru",
            inputs=layers.hidden_size if row else layers.input_size,
            units=layers.hidden_size,
            weight_ih=f"{name}.weight_ih_l{row}",
            weight_hh=f"{name}.weight_hh_l{row}",
            bias_ih=f"{name}.bias_ih_l{row}",
            bias_hh=f"{name}.bias_hh_l{row}",
            state=tuple(state),
            state_row=row,
        )


def describe_modulation(
    name: str, conditioner: Conditioner, channels: int, state: Sequence[str] = ()
) -> Modulation | None:
    """The conditioner stored in the net as `name`; None if it has no tensors, since it then does nothing."""
    tensors = {f"{name}.{key}": tuple(value.shape) for key, value in conditioner.state_dict().items()}
    if not tensors:
        return None
    return Modulation(type(conditioner).__name__, channels, tensors, tuple(state))
