"""The weights of a net for the compiled kernels of `tapezoo.runtime.kernels`."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from tapezoo.bundle.targets import TARGETS
from tapezoo.export.targets.target import Graph, Target
from tapezoo.models.gru import GRUNet
from tapezoo.models.lstm import LSTMNet
from tapezoo.models.wavenet import Array, Layer, WaveNetNet
from tapezoo.net import Net
from tapezoo.runtime.kernels.file import KernelFile, write_kernel

PLAIN = "Export the targets onnx and torchscript, which express every net; or train with --model.conditioning concat."


class KernelTarget(Target):
    """Weights alone, in safetensors, for nets that `tapezoo.runtime.kernels` has a compiled loop for.

    LSTM, GRU and WaveNet whose controls, if any, stand beside the signal ("concat"); of the others those that are
    folded to such a net.
    """

    spec = TARGETS["kernel"]

    def refusal(self, net: Net) -> tuple[str, str] | None:
        """See `Target.refusal`."""
        if isinstance(net, LSTMNet | GRUNet):
            if net.conditioner is None:
                return None
            return f"{type(net.conditioner).__name__} between the recurrent layer and the output", PLAIN
        if isinstance(net, WaveNetNet):
            conditioners = [layer.modulation for array in _arrays(net) for layer in _layers(array)]
            modulated = [layer for layer in conditioners if [*layer.parameters(), *layer.buffers()]]
            return (f"{type(modulated[0]).__name__} in its layers", PLAIN) if modulated else None
        fix = "Export the targets onnx and torchscript, which express every net."
        return f"a {type(net).__name__}; there are kernels for LSTM, GRU and WaveNet", fix

    def write(self, graph: Graph, path: Path) -> None:
        """See `Target.write`."""
        net = graph.net.net
        with torch.no_grad():
            if isinstance(net, WaveNetNet):
                kernel, settings, tensors = "wavenet", *_wavenet(net)
            elif isinstance(net, GRUNet):
                kernel, settings, tensors = "gru", *_gru(net)
            else:
                assert isinstance(net, LSTMNet)
                kernel, settings, tensors = "lstm", *_lstm(net)
        arrays = {name: tensor.detach().numpy() for name, tensor in tensors.items()}
        file = KernelFile(kernel, net.num_controls, net.smoothing_samples, settings, arrays)
        write_kernel(file, path, graph.metadata)


def _lstm(net: LSTMNet) -> tuple[dict[str, str], dict[str, Tensor]]:
    tensors = _readout(net.head, net.linear_path)
    for layer in range(net.lstm.num_layers):
        of_input, of_hidden, bias, other = (
            net.lstm.get_parameter(f"{kind}_l{layer}")
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        tensors |= _layer(layer, of_input, of_hidden, bias + other)
    return {"layers": str(net.lstm.num_layers)}, tensors


def _gru(net: GRUNet) -> tuple[dict[str, str], dict[str, Tensor]]:
    tensors = _readout(net.head, net.linear_path)
    for layer in range(net.gru.num_layers):
        of_input, of_hidden, bias, other = (
            net.gru.get_parameter(f"{kind}_l{layer}").chunk(3)
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        # r, z, m of the input, m of the hidden state: the reset gate stands between the last two
        nothing_in, nothing_hidden = torch.zeros_like(of_input[2]), torch.zeros_like(of_hidden[2])
        tensors |= _layer(
            layer,
            torch.cat([*of_input, nothing_in]),
            torch.cat([*of_hidden[:2], nothing_hidden, of_hidden[2]]),
            torch.cat([bias[0] + other[0], bias[1] + other[1], bias[2], other[2]]),
        )
    return {"layers": str(net.gru.num_layers)}, tensors


def _layer(index: int, of_input: Tensor, of_hidden: Tensor, bias: Tensor) -> dict[str, Tensor]:
    tensors = {"input": of_input, "hidden": of_hidden, "bias": bias}
    return {f"layer_{index}.{name}": tensor for name, tensor in tensors.items()}


def _readout(head: nn.Linear, linear_path: Tensor | None) -> dict[str, Tensor]:
    taps = torch.zeros(1) if linear_path is None else linear_path[0, 0]
    return {"head.weight": head.weight[0], "head.bias": head.bias, "taps": taps}


def _wavenet(net: WaveNetNet) -> tuple[dict[str, str], dict[str, Tensor]]:
    tensors: dict[str, Tensor] = {}
    arrays = _arrays(net)
    for index, array in enumerate(arrays):
        layers = _layers(array)
        scale = net.head_scale if index == len(arrays) - 1 else 1.0
        head = array.head.weight[:, :, 0]
        head_bias = head.new_zeros(len(head)) if array.head.bias is None else array.head.bias
        part = {
            "widen": array.widen.weight[:, :, 0],
            "dilated": torch.stack([layer.dilated.weight for layer in layers]),
            "mix": torch.stack([_with_bias(layer.mix, layer.dilated) for layer in layers]),
            "residual": torch.stack([_with_bias(layer.residual, layer.residual) for layer in layers]),
            "head": scale * torch.cat([head, head_bias[:, None]], dim=1),
        }
        tensors |= {f"array_{index}.{name}": tensor for name, tensor in part.items()}
    dilations = ",".join(str(layer.dilation) for layer in _layers(arrays[0]))
    return {"arrays": str(len(arrays)), "dilations": dilations}, tensors


def _with_bias(weights: nn.Conv1d, biased: nn.Conv1d) -> Tensor:
    """The weights of one tap, and a bias as the last column."""
    assert biased.bias is not None
    return torch.cat([weights.weight[:, :, 0], biased.bias[:, None]], dim=1)


def _arrays(net: WaveNetNet) -> list[Array]:
    return [array for array in net.arrays.values() if isinstance(array, Array)]


def _layers(array: Array) -> list[Layer]:
    return [layer for layer in array.layers.values() if isinstance(layer, Layer)]
