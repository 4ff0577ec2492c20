"""GRU: a recurrent net with one state per unit and a trained linear path around it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from tapezoo.layers.gates import spread_gru_memories
from tapezoo.layers.gru import run_gru_for_training
from tapezoo.layers.hyper import ControlCode, HyperRecurrence
from tapezoo.layers.hyper_gru import HyperGRU
from tapezoo.models.hyper import FRESH, HyperNet, load_readout
from tapezoo.models.recurrent import RecurrentNet, make_plain_or_hyper
from tapezoo.net import Net
from tapezoo.training.effect import EffectModel


class GRUNet(RecurrentNet):
    """`y[n] = w . h[n] + b + sum_k g[k] x[n - k]`, `h[n] = GRU((x[n], controls), h[n-1])`.

    Wright, Damskägg, Välimäki, "Real-time black-box modelling with recurrent neural networks", DAFx 2019, and
    Wright, Damskägg, Juvela, Välimäki, "Real-time guitar amplifier emulation with deep learning", Applied
    Sciences 2020, which compare it with the LSTM: three gates instead of four, about three quarters of its
    arithmetic. In PyTorch's form, with update gate z, reset gate r and candidate m of the input u:

        r[n] = sigmoid(W_r u[n] + b_r + U_r h[n-1] + c_r)
        z[n] = sigmoid(W_z u[n] + b_z + U_z h[n-1] + c_z)
        m[n] = tanh(W_m u[n] + b_m + r[n] (U_m h[n-1] + c_m))
        h[n] = (1 - z[n]) m[n] + z[n] h[n-1]

    Their residual path is `g[0] = 1`; here it is trained, and may be longer (see `LSTMNet`).

    Units start with different memory lengths: update gates are open for time constants spread geometrically
    from 2 samples to `memory_samples` (Tallec, Ollivier, "Can recurrent neural networks warp time?", ICLR
    2018). The update gate sets both what is kept and what is let in, so nothing else needs to be set.

    Receptive field: unbounded. Latency: 0. Parameters for one layer of H units, K controls, L taps:
    `3 H (1 + K + H) + 6 H + H + 1 + L`; 3394 at H = 32, K = 0, L = 1.

    Args: See `RecurrentNet`.
    """

    layer_name = "gru"
    memory = ("hidden",)
    gru: nn.GRU

    @staticmethod
    def make_layer(input_size: int, hidden_size: int, num_layers: int) -> nn.GRU:
        """See `RecurrentNet.make_layer`."""
        return nn.GRU(input_size, hidden_size, num_layers, batch_first=True)

    @staticmethod
    def spread_memories(layer: Any, memory_samples: float) -> None:
        """See `RecurrentNet.spread_memories`."""
        spread_gru_memories(layer, memory_samples)

    def recur(self, signal: Tensor, memory: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """See `RecurrentNet.recur`."""
        if self.plays_compiled(signal):
            features, hidden = run_gru_for_training(signal, memory[0], layer_weights(self.gru))
        else:
            features, hidden = self.gru(signal, memory[0])
        return features, [hidden]


def layer_weights(gru: nn.GRU) -> list[list[Tensor]]:
    """The weights of every layer, in the form that `run_gru_for_training` takes."""
    weights = []
    for layer in range(gru.num_layers):
        W, U, b, c = (
            getattr(gru, f"{kind}_l{layer}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        c_gates, c_m = c.split([2 * gru.hidden_size, gru.hidden_size])
        weights.append([W, U, b + nn.functional.pad(c_gates, (0, gru.hidden_size)), c_m])
    return weights


class HyperGRUNet(HyperNet):
    """`GRUNet` with all of its weights following the controls: see `HyperNet`.

    `W(p) = sum_d z_d(p) W_d`, z = (1, p, bent units) (`HyperTensors`), for W, U, b and c_m of every layer, the
    output layer and the linear path.

    Parameters for one layer of H units, K controls, U bent units, L taps: `(3 H (H + 2) + 2 H + 1 + L) (1 + K + U)
    + U (K + 1)`, U = 0 without controls; 3330 at H = 32, K = 0, L = 1.
    """

    @staticmethod
    def cell(code: ControlCode, hidden_size: int, num_layers: int, memory_samples: float) -> HyperRecurrence:
        """See `HyperNet.cell`."""
        return HyperGRU(code, hidden_size, num_layers, memory_samples)

    def plain(self, weights: dict[str, Tensor]) -> Net:
        """See `HyperNet.plain`."""
        cell = self.recurrence
        net = GRUNet(0, cell.hidden_size, cell.num_layers, len(weights.get("taps", ())), FRESH)
        gates = 2 * cell.hidden_size
        for name, parameter in net.gru.named_parameters():
            kind, layer = name.rsplit("_", 1)
            if kind == "bias_hh":  # the gates' part is included in bias_ih
                parameter.copy_(nn.functional.pad(weights[f"bias_m_{layer}"], (gates, 0)))
            else:
                parameter.copy_(weights[name])
        load_readout(weights, net.head, net.linear_path)
        return net


class GRU(EffectModel):
    """Trains a `GRUNet`, or a `HyperGRUNet`.

    Args:
        hyper_units: Tanh units between controls and weights; only for "hyper" and "hyper_blend".
    """

    net_class = GRUNet

    def build_net(self, hyper_units: int = 0, **arguments: Any) -> Net:
        """See `EffectModel.build_net`."""
        return make_plain_or_hyper(GRUNet, HyperGRUNet, self.net_controls, hyper_units, **arguments)
