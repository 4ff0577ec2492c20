"""An LSTM whose weights follow the controls."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tapezoo.layers.gates import spread_lstm_memories
from tapezoo.layers.hyper import ControlCode, HyperRecurrence, cuts
from tapezoo.layers.lstm import run_lstm_for_training
from tapezoo.layers.row_blocks import runs_compiled

TENSORS = ("weight_ih", "weight_hh", "bias_ih")


class HyperLSTM(HyperRecurrence):
    """An LSTM whose weights follow the controls: W_ih, W_hh and one bias per layer.

    Args:
        code: Computes z, of length D; D times `4 H (H + 2)` parameters for the first layer, `4 H (2 H + 1)` for
            each further layer.
        hidden_size: Units per layer, H.
        num_layers: Stacked layers.
        memory_samples: Longest time constant of a unit at the start, in samples, see `spread_lstm_memories`.
    """

    memory = ("hidden", "cell")

    def __init__(self, code: ControlCode, hidden_size: int, num_layers: int, memory_samples: float) -> None:
        lstm = nn.LSTM(1, hidden_size, num_layers)
        spread_lstm_memories(lstm, memory_samples)
        start = {name: tensor for name, tensor in lstm.named_parameters() if not name.startswith("bias_hh")}
        super().__init__(start, code, hidden_size, num_layers)

    def run(
        self, signal: Tensor, memory: list[Tensor], weights: Mapping[str, Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """See `HyperRecurrence.run`."""
        layers = [[weights[f"{name}_l{layer}"] for name in TENSORS] for layer in range(self.num_layers)]
        if (self.training or torch.is_grad_enabled()) and runs_compiled(signal):
            output, *after = run_lstm_for_training(signal, memory[0], memory[1], layers)
            return output, after
        parameters: list[Tensor] = []
        for u, w, bias in layers:
            parameters += [u, w, bias, torch.zeros_like(bias)]
        # biases, layers, dropout, train, directions, layout
        output, *after = torch.lstm(signal, memory, parameters, True, self.num_layers, 0.0, True, False, True)
        return output, after

    def traced(self, signal: Tensor, code: Tensor, memory: list[Tensor], layer: int) -> list[Tensor]:
        """See `HyperRecurrence.traced`."""
        apart = self.tensors.apart
        weights = [apart[f"{name}_l{layer}"] for name in TENSORS]
        flat = [tensor.flatten(0, -2).t() for tensor in weights]  # (D, N): a product over rows of 4 is slow
        first = [
            torch.matmul(code[0, :, 0], table).reshape(tensor.shape[:-1])
            for table, tensor in zip(flat, weights, strict=True)
        ]
        return list(_lstm_pieces(signal, code, memory, flat, first, self.hidden_size))


# scripted, so that in a traced graph too its loops run once per row and weight change
@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _lstm_pieces(
    signal: Tensor, code: Tensor, memory: list[Tensor], apart: list[Tensor], first: list[Tensor], units: int
) -> tuple[Tensor, Tensor, Tensor]:
    """A layer of `HyperLSTM`, row by row, cut where the row's weights change.

    Weights are computed one turn of the loop ahead, the `first` ones outside the loop. The ONNX exporter must infer
    their shapes, which it can do for values passed into a loop but not for values computed inside it.
    """
    batch, samples = signal.shape[0], signal.shape[1]
    outputs = torch.zeros([0, samples, units], dtype=signal.dtype, device=signal.device)
    hiddens = torch.zeros([1, 0, units], dtype=signal.dtype, device=signal.device)
    cells = torch.zeros([1, 0, units], dtype=signal.dtype, device=signal.device)
    no_bias = torch.zeros([4 * units], dtype=signal.dtype, device=signal.device)
    rows = torch.cat([code, code[:1]])  # one row after the last: its weights are computed but not used
    u, w, bias = first[0], first[1], first[2]
    row = 0
    while row < batch:
        stops, next_rows, next_starts = cuts(code, row)
        output = torch.zeros([1, 0, units], dtype=signal.dtype, device=signal.device)
        hidden, cell = memory[0][:, row : row + 1], memory[1][:, row : row + 1]
        start, piece = 0, 0
        while piece < stops.shape[0]:
            stop = int(stops[piece])
            now = signal[row : row + 1, start:stop]
            weights = [u, w, bias, no_bias]
            part, hidden, cell = torch.lstm(now, [hidden, cell], weights, True, 1, 0.0, True, False, True)
            output = torch.cat([output, part], dim=1)
            following = rows[int(next_rows[piece]), :, int(next_starts[piece])]
            u, w = (
                torch.matmul(following, apart[0]).reshape(4 * units, -1),
                torch.matmul(following, apart[1]).reshape(4 * units, units),
            )
            bias = torch.matmul(following, apart[2])
            start = stop
            piece = piece + 1
        outputs = torch.cat([outputs, output], dim=0)
        hiddens = torch.cat([hiddens, hidden], dim=1)
        cells = torch.cat([cells, cell], dim=1)
        row = row + 1
    return outputs, hiddens, cells
