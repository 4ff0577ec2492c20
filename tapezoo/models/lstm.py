"""LSTM: a recurrent net with a trained linear path around it."""

from __future__ import annotations

from typing import Any, get_args

import torch
from torch import Tensor, nn

from tapezoo.layers.conditioning import CONDITIONERS, conditioner
from tapezoo.layers.convolution import identity_taps
from tapezoo.layers.gates import spread_lstm_memories
from tapezoo.layers.hyper import CODES, ControlCode, HyperRecurrence
from tapezoo.layers.hyper_lstm import HyperLSTM
from tapezoo.layers.recurrent import add_linear_path, with_controls, without_controls
from tapezoo.models.arguments import DEEPEST, LONGEST_SAMPLES, WIDEST, number, one_of, whole
from tapezoo.models.hyper import FRESH, Conditioning, HyperNet, none_without_hyper, take_readout
from tapezoo.models.modulation import Modulations, into_head, read_also_as
from tapezoo.net import Net, State
from tapezoo.training.effect import EffectModel


class LSTMNet(Net):
    """`y[n] = w . h[n] + b + sum_k g[k] x[n - k]`, `h[n], c[n] = LSTM((x[n], controls), h[n-1], c[n-1])`.

    Wright, Damskägg, Välimäki, "Real-time black-box modelling with recurrent neural networks", DAFx 2019:
    their net has one layer and adds the input to the output (`g[0] = 1`); here that path is trained, and
    may be longer, since a machine's linear part costs a recurrent net many units.

    Units start as memories of different length: forget gates open for time constants spread geometrically
    from 2 samples to `memory_samples`, input gates closed as far (Tallec, Ollivier, "Can recurrent neural
    networks warp time?", ICLR 2018). PyTorch's own start, with gates half open, has a time constant of about
    two samples.

    Receptive field: unbounded. Latency: 0. Parameters for one layer of H units, K controls, L taps:
    `4 H (1 + K + H) + 8 H + H + 1 + L`; 4514 at H = 32, K = 0, L = 1. Where controls are not concatenated, they
    need no column of the first term, but the conditioning layer's parameters.

    Args:
        num_controls: Knobs.
        hidden_size: Units per layer, H.
        num_layers: Stacked LSTM layers, 1 or more.
        linear_taps: Length of the linear path in samples, L: 0 none, 1 a gain (the residual path).
        memory_samples: Longest time constant of a unit at the start of training, in samples, 2 or more.
        conditioning: "concat" gives the controls to the first layer beside the signal; "film", "film_glu" and
            "temporal_film" modulate h[n] before the output layer (`tapezoo.layers.conditioning`).

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
        self.lstm = nn.LSTM(1 + concatenated, hidden_size, num_layers, batch_first=True)
        self.conditioner = (
            None if conditioning == "concat" else conditioner(conditioning, num_controls, hidden_size)
        )
        self.head = nn.Linear(hidden_size, 1)
        self.linear_path = nn.Parameter(identity_taps(0, linear_taps)) if linear_taps else None
        spread_lstm_memories(self.lstm, memory_samples)
        self.register_rest("hidden", torch.zeros(num_layers, hidden_size))
        self.register_rest("cell", torch.zeros(num_layers, hidden_size))
        if linear_taps > 1:
            self.register_rest("past", torch.zeros(1, linear_taps - 1))
        layers = [] if self.conditioner is None else [("head", self.conditioner)]
        self.modulations = Modulations(self, layers)
        read_also_as(self, "rest_conditioner_", "rest_modulation_head_")

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        path, knobs = self.smoothed(controls, state, input.shape[-1])
        signal = with_controls(input, path if self.conditioner is None else path[:, :0])
        hidden, cell = state["hidden"].transpose(0, 1), state["cell"].transpose(0, 1)  # (layers, batch, H)
        features, (hidden, cell) = self.lstm(signal, (hidden.contiguous(), cell.contiguous()))
        after = {"hidden": hidden.transpose(0, 1), "cell": cell.transpose(0, 1), **knobs}
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
        """See `Net.folded`: a plain LSTM, with the gated unit of "film_glu" behind it."""
        net = self.without_knobs()
        if net.conditioner is None:
            net.lstm = without_controls(self.lstm, controls)
        else:
            net.conditioner = into_head(net.conditioner, controls, net.head)
        return net


class HyperLSTMNet(HyperNet):
    """The net of `LSTMNet` with all its weights following the controls: see `HyperNet`.

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
            parameter.copy_(weights.get(name, torch.zeros_like(parameter)))  # one bias: the second one is 0
        take_readout(weights, net.head, net.linear_path)
        return net


class LSTM(EffectModel):
    """Trains an `LSTMNet`.

    Args:
        hidden_size: Units per layer.
        num_layers: Stacked LSTM layers.
        linear_taps: Length of the trained linear path around the net, in samples: 0 none, 1 a gain.
        memory_samples: Longest time constant of a unit at the start of training, in samples.
        conditioning: How controls reach the net: "concat", "film", "film_glu" or "temporal_film" (`LSTMNet`),
            "hyper" and, for the selector of a hybrid, "hyper_blend" (`HyperLSTMNet`).
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
            self.net = HyperLSTMNet(*sizes, hyper_units, conditioning)
        else:
            none_without_hyper(hyper_units, conditioning)
            self.net = LSTMNet(*sizes, conditioning)
