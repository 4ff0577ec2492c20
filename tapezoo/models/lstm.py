"""LSTM: a recurrent net with a trained linear path around it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tapezoo.layers.gates import spread_lstm_memories
from tapezoo.layers.hyper import ControlCode, HyperRecurrence
from tapezoo.layers.hyper_lstm import HyperLSTM
from tapezoo.layers.lstm import run_lstm_for_training
from tapezoo.models.hyper import FRESH, HyperNet, load_readout
from tapezoo.models.recurrent import RecurrentNet, make_plain_or_hyper
from tapezoo.net import Net
from tapezoo.training.effect import EffectModel


class LSTMNet(RecurrentNet):
    """`y[n] = w . h[n] + b + sum_k g[k] x[n - k]`, `h[n], c[n] = LSTM((x[n], controls), h[n-1], c[n-1])`.

    Wright, Damskägg, Välimäki, "Real-time black-box modelling with recurrent neural networks", DAFx 2019:
    their net has one layer and adds the input to the output (`g[0] = 1`); here that path is trained, and
    may be longer, since a machine's linear part costs a recurrent net many units.

    Units start with different memory lengths: forget gates are open for time constants spread geometrically
    from 2 samples to `memory_samples`, and input gates are closed to match (Tallec, Ollivier, "Can recurrent neural
    networks warp time?", ICLR 2018). PyTorch's own start, with gates half open, has a time constant of about
    two samples.

    Receptive field: unbounded. Latency: 0. Parameters for one layer of H units, K controls, L taps:
    `4 H (1 + K + H) + 8 H + H + 1 + L`; 4514 at H = 32, K = 0, L = 1. If controls are not concatenated, K drops out
    of the first term, and the conditioning layer adds its own parameters.

    Args: See `RecurrentNet`.
    """

    layer_name = "lstm"
    memory = ("hidden", "cell")
    lstm: nn.LSTM

    @staticmethod
    def make_layer(input_size: int, hidden_size: int, num_layers: int) -> nn.LSTM:
        """See `RecurrentNet.make_layer`."""
        return nn.LSTM(input_size, hidden_size, num_layers, batch_first=True)

    @staticmethod
    def spread_memories(layer: Any, memory_samples: float) -> None:
        """See `RecurrentNet.spread_memories`."""
        spread_lstm_memories(layer, memory_samples)

    def recur(self, signal: Tensor, memory: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """See `RecurrentNet.recur`."""
        if self.plays_compiled(signal):
            features, *after = run_lstm_for_training(signal, memory[0], memory[1], layer_weights(self.lstm))
            return features, after
        features, (hidden, cell) = self.lstm(signal, (memory[0], memory[1]))
        return features, [hidden, cell]


def layer_weights(lstm: nn.LSTM) -> list[list[Tensor]]:
    """The weights of every layer, in the form that `run_lstm_for_training` takes."""
    weights = []
    for layer in range(lstm.num_layers):
        W, U, b, c = (
            getattr(lstm, f"{kind}_l{layer}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        weights.append([W, U, b + c])
    return weights


class HyperLSTMNet(HyperNet):
    """`LSTMNet` with all of its weights following the controls: see `HyperNet`.

    `W(p) = sum_d z_d(p) W_d`, z = (1, p, bent units) (`HyperTensors`), for W_ih, W_hh and one bias of every layer, the
    output layer and the linear path.

    Parameters for one layer of H units, K controls, U bent units, L taps: `(4 H (H + 2) + H + 1 + L) (1 + K + U) +
    U (K + 1)`, U = 0 without controls; 4386 at H = 32, K = 0, L = 1 and 17544 at K = 3, U = 0.
    """

    @staticmethod
    def cell(code: ControlCode, hidden_size: int, num_layers: int, memory_samples: float) -> HyperRecurrence:
        """See `HyperNet.cell`."""
        return HyperLSTM(code, hidden_size, num_layers, memory_samples)

    def plain(self, weights: dict[str, Tensor]) -> Net:
        """See `HyperNet.plain`."""
        cell = self.recurrence
        net = LSTMNet(0, cell.hidden_size, cell.num_layers, len(weights.get("taps", ())), FRESH)
        for name, parameter in net.lstm.named_parameters():
            parameter.copy_(weights.get(name, torch.zeros_like(parameter)))  # the second bias is 0
        load_readout(weights, net.head, net.linear_path)
        return net


class LSTM(EffectModel):
    """Trains an `LSTMNet`, or a `HyperLSTMNet`.

    Args:
        hyper_units: Tanh units between controls and weights; only for "hyper" and "hyper_blend".
    """

    net_class = LSTMNet

    def build_net(self, hyper_units: int = 0, **arguments: Any) -> Net:
        """See `EffectModel.build_net`."""
        return make_plain_or_hyper(LSTMNet, HyperLSTMNet, self.net_controls, hyper_units, **arguments)
