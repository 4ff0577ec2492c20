"""GRU: a recurrent net with one state per unit and a trained linear path around it."""

from __future__ import annotations

from typing import Any, get_args

import torch
from torch import Tensor, nn

from tapezoo.layers.conditioning import CONDITIONERS, conditioner
from tapezoo.layers.convolution import identity_taps
from tapezoo.layers.gates import spread_gru_memories
from tapezoo.layers.gru import gru_for_training
from tapezoo.layers.hyper import CODES, ControlCode, HyperRecurrence
from tapezoo.layers.hyper_gru import HyperGRU
from tapezoo.layers.recurrent import add_linear_path, with_controls, without_controls
from tapezoo.models.arguments import DEEPEST, LONGEST_SAMPLES, WIDEST, number, one_of, whole
from tapezoo.models.hyper import FRESH, Conditioning, HyperNet, none_without_hyper, take_readout
from tapezoo.models.modulation import Modulations, into_head, read_also_as
from tapezoo.net import Net, State
from tapezoo.training.effect import EffectModel


class GRUNet(Net):
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

    Units start as memories of different length: update gates open for time constants spread geometrically
    from 2 samples to `memory_samples` (Tallec, Ollivier, "Can recurrent neural networks warp time?", ICLR
    2018). What is kept and what is let in share the gate, so nothing else needs to be set.

    Receptive field: unbounded. Latency: 0. Parameters for one layer of H units, K controls, L taps:
    `3 H (1 + K + H) + 6 H + H + 1 + L`; 3394 at H = 32, K = 0, L = 1.

    Args:
        num_controls: Knobs.
        hidden_size: Units per layer, H.
        num_layers: Stacked GRU layers, 1 or more.
        linear_taps: Length of the linear path in samples, L: 0 none, 1 a gain (the residual path).
        memory_samples: Longest time constant of a unit at the start of training, in samples, 2 or more.
        conditioning: As `LSTMNet`'s.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(
        self,
        num_controls: int,
        hidden_size: int,
        num_layers: int,
        linear_taps: int,
        memory_samples: float,
        conditioning: Conditioning = "concat",
    ) -> None:
        one_of("conditioning", conditioning, [*CONDITIONERS])
        whole("hidden_size", hidden_size, 1, WIDEST)
        whole("num_layers", num_layers, 1, DEEPEST)
        whole("linear_taps", linear_taps, 0, LONGEST_SAMPLES)
        number("memory_samples", memory_samples, 2, LONGEST_SAMPLES)
        super().__init__(num_controls, receptive_field=None)
        concatenated = num_controls if conditioning == "concat" else 0
        self.gru = nn.GRU(1 + concatenated, hidden_size, num_layers, batch_first=True)
        self.conditioner = (
            None if conditioning == "concat" else conditioner(conditioning, num_controls, hidden_size)
        )
        self.head = nn.Linear(hidden_size, 1)
        self.linear_path = nn.Parameter(identity_taps(0, linear_taps)) if linear_taps else None
        spread_gru_memories(self.gru, memory_samples)
        self.register_rest("hidden", torch.zeros(num_layers, hidden_size))
        if linear_taps > 1:
            self.register_rest("past", torch.zeros(1, linear_taps - 1))
        layers = [] if self.conditioner is None else [("head", self.conditioner)]
        self.modulations = Modulations(self, layers)
        read_also_as(self, "rest_conditioner_", "rest_modulation_head_")

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        path, knobs = self.smoothed(controls, state, input.shape[-1])
        signal = with_controls(input, path if self.conditioner is None else path[:, :0])
        features, hidden = self._recur(signal, state["hidden"].transpose(0, 1).contiguous())
        after = {"hidden": hidden.transpose(0, 1), **knobs}
        if self.conditioner is not None:
            own = self.modulations.part("head", state)
            features, own = self.conditioner(features.transpose(1, 2), path, own)
            features = features.transpose(1, 2)
            after.update(self.modulations.labelled("head", own))
        output = self.head(features).transpose(1, 2)  # (batch, 1, samples)
        output, past = add_linear_path(output, input, self.linear_path, state)
        return output, {**after, **past}

    @torch.no_grad()
    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: a plain GRU, with the gated unit of "film_glu" behind it."""
        net = self.without_knobs()
        if net.conditioner is None:
            net.gru = without_controls(self.gru, controls)
        else:
            net.conditioner = into_head(net.conditioner, controls, net.head)
        return net

    def _recur(self, signal: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Features (batch, samples, H) and the hidden state (layers, batch, H) after them."""
        if not torch.is_grad_enabled() or signal.is_cuda:
            features, hidden = self.gru(signal, hidden)
            return features, hidden
        return gru_for_training(signal, hidden, layer_weights(self.gru))


def layer_weights(gru: nn.GRU) -> list[list[Tensor]]:
    """The weights of every layer as `gru_for_training` takes them."""
    weights = []
    for layer in range(gru.num_layers):
        W, U, b, c = (
            getattr(gru, f"{kind}_l{layer}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        c_gates, c_m = c.split([2 * gru.hidden_size, gru.hidden_size])
        weights.append([W, U, b + nn.functional.pad(c_gates, (0, gru.hidden_size)), c_m])
    return weights


class HyperGRUNet(HyperNet):
    """The net of `GRUNet` with all its weights following the controls: see `HyperNet`.

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
            if kind == "bias_hh":  # the gates' part stands in bias_ih
                parameter.copy_(nn.functional.pad(weights[f"bias_m_{layer}"], (gates, 0)))
            else:
                parameter.copy_(weights[name])
        take_readout(weights, net.head, net.linear_path)
        return net


class GRU(EffectModel):
    """Trains a `GRUNet`.

    Args:
        hidden_size: Units per layer.
        num_layers: Stacked GRU layers.
        linear_taps: Length of the trained linear path around the net, in samples: 0 none, 1 a gain.
        memory_samples: Longest time constant of a unit at the start of training, in samples.
        conditioning: How controls reach the net: "concat", "film", "film_glu" or "temporal_film" (`GRUNet`),
            "hyper" and, for the selector of a hybrid, "hyper_blend" (`HyperGRUNet`).
        hyper_units: Bent units between controls and weights; of "hyper" and "hyper_blend" alone.
        training: See `EffectModel`.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(
        self,
        hidden_size: int = 32,
        num_layers: int = 1,
        linear_taps: int = 1,
        memory_samples: float = 1000.0,
        conditioning: Conditioning = "concat",
        hyper_units: int = 0,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        one_of("conditioning", conditioning, get_args(Conditioning))
        whole("hyper_units", hyper_units, 0, WIDEST)
        sizes = (self.num_controls, hidden_size, num_layers, linear_taps, memory_samples)
        self.net: Net
        if conditioning in CODES:
            self.net = HyperGRUNet(*sizes, hyper_units, conditioning)
        else:
            none_without_hyper(hyper_units, conditioning)
            self.net = GRUNet(*sizes, conditioning)
