"""A GRU whose weights follow the controls."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tapezoo.layers.gates import spread_gru_memories
from tapezoo.layers.gru import run_gru_for_training
from tapezoo.layers.hyper import ControlCode, HyperRecurrence, cuts
from tapezoo.layers.row_blocks import runs_compiled

TENSORS = ("weight_ih", "weight_hh", "bias_ih", "bias_m")


class HyperGRU(HyperRecurrence):
    """A GRU whose weights follow the controls: W, U, b and the candidate's inner bias c_m of every layer.

    Args:
        code: Computes z, of length D; D times `3 H (H + 2) + H` parameters for the first layer,
            `3 H (2 H + 1) + H` for each further layer.
        hidden_size: Units per layer, H.
        num_layers: Stacked layers.
        memory_samples: Longest time constant of a unit at the start, in samples, see `spread_gru_memories`.
    """

    memory = ("hidden",)

    def __init__(self, code: ControlCode, hidden_size: int, num_layers: int, memory_samples: float) -> None:
        gru = nn.GRU(1, hidden_size, num_layers)
        spread_gru_memories(gru, memory_samples)
        start: dict[str, Tensor]
        start = {name: tensor for name, tensor in gru.named_parameters() if not name.startswith("bias_hh")}
        for layer in range(num_layers):
            start[f"bias_m_l{layer}"] = torch.zeros(hidden_size)
        super().__init__(start, code, hidden_size, num_layers)

    def run(
        self, signal: Tensor, memory: list[Tensor], weights: Mapping[str, Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """See `HyperRecurrence.run`."""
        layers = [[weights[f"{name}_l{layer}"] for name in TENSORS] for layer in range(self.num_layers)]
        if (self.training or torch.is_grad_enabled()) and runs_compiled(signal):
            output, hidden = run_gru_for_training(signal, memory[0], layers)
            return output, [hidden]
        parameters: list[Tensor] = []
        for u, w, bias, inner in layers:
            parameters += [u, w, bias, nn.functional.pad(inner, (2 * self.hidden_size, 0))]
        # biases, layers, dropout, train, directions, layout
        output, hidden = torch.gru(
            signal, memory[0], parameters, True, self.num_layers, 0.0, True, False, True
        )
        return output, [hidden]

    def traced(self, signal: Tensor, code: Tensor, memory: list[Tensor], layer: int) -> list[Tensor]:
        """See `HyperRecurrence.traced`."""
        weights = [self.tensors.apart[f"{name}_l{layer}"] for name in TENSORS]
        flat = [tensor.flatten(0, -2).t() for tensor in weights]  # (D, N): a product over rows of 4 is slow
        first = [
            torch.matmul(code[0, :, 0], table).reshape(tensor.shape[:-1])
            for table, tensor in zip(flat, weights, strict=True)
        ]
        return list(_gru_pieces(signal, code, memory[0], flat, first, self.hidden_size))


# scripted, so that in a traced graph too its loops run once per row and weight change
@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _gru_pieces(
    signal: Tensor, code: Tensor, memory: Tensor, apart: list[Tensor], first: list[Tensor], units: int
) -> tuple[Tensor, Tensor]:
    """A layer of `HyperGRU`, row by row, cut where weights change; weights are computed ahead as in `hyper_lstm`."""
    batch, samples = signal.shape[0], signal.shape[1]
    outputs = torch.zeros([0, samples, units], dtype=signal.dtype, device=signal.device)
    hiddens = torch.zeros([1, 0, units], dtype=signal.dtype, device=signal.device)
    no_bias = torch.zeros([2 * units], dtype=signal.dtype, device=signal.device)
    rows = torch.cat([code, code[:1]])  # one row after the last: its weights are computed but not used
    u, w, bias, inner = first[0], first[1], first[2], first[3]
    row = 0
    while row < batch:
        stops, next_rows, next_starts = cuts(code, row)
        output = torch.zeros([1, 0, units], dtype=signal.dtype, device=signal.device)
        hidden = memory[:, row : row + 1]
        start, piece = 0, 0
        while piece < stops.shape[0]:
            stop = int(stops[piece])
            now = signal[row : row + 1, start:stop]
            weights = [u, w, bias, torch.cat([no_bias, inner])]
            part, hidden = torch.gru(now, hidden, weights, True, 1, 0.0, True, False, True)
            output = torch.cat([output, part], dim=1)
            following = rows[int(next_rows[piece]), :, int(next_starts[piece])]
            u, w = (
                torch.matmul(following, apart[0]).reshape(3 * units, -1),
                torch.matmul(following, apart[1]).reshape(3 * units, units),
            )
            bias, inner = torch.matmul(following, apart[2]), torch.matmul(following, apart[3])
            start = stop
            piece = piece + 1
        outputs = torch.cat([outputs, output], dim=0)
        hiddens = torch.cat([hiddens, hidden], dim=1)
        row = row + 1
    return outputs, hiddens
