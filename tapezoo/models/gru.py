"""GRU: a recurrent net with one state per unit and a trained linear path around it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from tapezoo.effect import EffectModel
from tapezoo.layers.convolution import identity_taps
from tapezoo.layers.gates import spread_gru_memories
from tapezoo.layers.recurrent import add_linear_path, with_controls
from tapezoo.models.arguments import DEEPEST, LONGEST_SAMPLES, WIDEST, number, whole
from tapezoo.net import Net, State

STEPS_AT_ONCE = 64  # of the gradient: as much as stays in a core's cache


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
        num_controls: Knobs, given to the first layer beside the signal.
        hidden_size: Units per layer, H.
        num_layers: Stacked GRU layers, 1 or more.
        linear_taps: Length of the linear path in samples, L: 0 none, 1 a gain (the residual path).
        memory_samples: Longest time constant of a unit at the start of training, in samples, 2 or more.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(
        self, num_controls: int, hidden_size: int, num_layers: int, linear_taps: int, memory_samples: float
    ) -> None:
        whole("hidden_size", hidden_size, 1, WIDEST)
        whole("num_layers", num_layers, 1, DEEPEST)
        whole("linear_taps", linear_taps, 0, LONGEST_SAMPLES)
        number("memory_samples", memory_samples, 2, LONGEST_SAMPLES)
        super().__init__(num_controls, receptive_field=None)
        self.gru = nn.GRU(1 + num_controls, hidden_size, num_layers, batch_first=True)
        self.head = nn.Linear(hidden_size, 1)
        self.linear_path = nn.Parameter(identity_taps(0, linear_taps)) if linear_taps else None
        spread_gru_memories(self.gru, memory_samples)
        self.register_rest("hidden", torch.zeros(num_layers, hidden_size))
        if linear_taps > 1:
            self.register_rest("past", torch.zeros(1, linear_taps - 1))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        signal = with_controls(input, controls)  # (batch, samples, 1 + K)
        hidden = state["hidden"].transpose(0, 1)  # (layers, batch, H)
        recurrence = gru_for_training if torch.is_grad_enabled() and not input.is_cuda else nn.GRU.__call__
        features, hidden = recurrence(self.gru, signal, hidden.contiguous())  # (batch, samples, H)
        output = self.head(features).transpose(1, 2)  # (batch, 1, samples)
        after = {"hidden": hidden.transpose(0, 1)}
        output, past = add_linear_path(output, input, self.linear_path, state)
        return output, {**after, **past}


class GRU(EffectModel):
    """Trains a `GRUNet`.

    Args:
        hidden_size: Units per layer.
        num_layers: Stacked GRU layers.
        linear_taps: Length of the trained linear path around the net, in samples: 0 none, 1 a gain.
        memory_samples: Longest time constant of a unit at the start of training, in samples.
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
        **training: Any,
    ) -> None:
        super().__init__(**training)
        self.net = GRUNet(self.num_controls, hidden_size, num_layers, linear_taps, memory_samples)


def gru_for_training(gru: nn.GRU, input: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """`gru(input, hidden)` with a gradient written by hand, for speed on a CPU.

    All that does not depend on the gradient of the sample after is computed for many samples at once; what is left
    for each sample are three operations. `benchmarks/train.py` compares the whole net with one on `nn.GRU`.

    Shape:
        input: (batch, samples, channels); hidden: (layers, batch, H); output: (batch, samples, H).
    """
    units = gru.hidden_size
    features = input.permute(1, 2, 0)  # (samples, channels, batch)
    last = []
    for layer in range(gru.num_layers):
        parameters = (
            getattr(gru, f"{kind}_l{layer}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        W, U, b, c = parameters
        b = b + torch.cat([c[: 2 * units], torch.zeros_like(c[2 * units :])])  # only c_m is inside a product
        sums = torch.matmul(W, features) + b.unsqueeze(1)  # (samples, 3 H, batch)
        start = hidden[layer].t()
        features = _Recurrence.apply(sums, U, c[2 * units :], start)[1:]  # type: ignore[no-untyped-call]
        last.append(features[-1].t())
    return features.permute(2, 0, 1), torch.stack(last)


class _Recurrence(torch.autograd.Function):
    """h[-1], h[0], ... (samples + 1, H, batch) from the inputs' part of the gates (samples, 3 H, batch)."""

    @staticmethod
    def forward(ctx: Any, sums: Tensor, U: Tensor, c_m: Tensor, start: Tensor) -> Tensor:
        samples, _, batch = sums.shape
        H = U.shape[1]
        gates = torch.empty_like(sums)  # r, z, m of every sample
        inner = sums.new_empty(samples, H, batch)  # U_m h + c_m
        hidden = sums.new_empty(samples + 1, H, batch)
        hidden[0] = start
        U_rz, U_m = U[: 2 * H], U[2 * H :]
        c_m = c_m.unsqueeze(1).expand(H, batch).contiguous()
        h = hidden[0]
        for n, after in enumerate(hidden[1:].unbind()):
            rz, (r, z, m) = gates[n, : 2 * H], gates[n].view(3, H, batch)
            torch.addmm(sums[n, : 2 * H], U_rz, h, out=rz).sigmoid_()
            torch.addmm(c_m, U_m, h, out=inner[n])
            torch.addcmul(sums[n, 2 * H :], r, inner[n], out=m).tanh_()
            torch.lerp(m, h, z, out=after)
            h = after
        ctx.save_for_backward(U, gates, inner, hidden)
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, ...]:
        U, gates, inner, hidden = ctx.saved_tensors
        samples, _, batch = gates.shape
        H = U.shape[1]
        U_transposed = U.t().contiguous()
        for_sums, for_U, for_c = torch.empty_like(gates), torch.zeros_like(U), U.new_zeros(H)
        d_h = given[samples].clone()  # of h[n], while the loop goes back
        d_before = torch.empty_like(d_h)
        for stop in range(samples, 0, -STEPS_AT_ONCE):
            steps = slice(max(stop - STEPS_AT_ONCE, 0), stop)
            r, z, m = gates[steps].view(-1, 3, H, batch).unbind(1)
            before = hidden[steps]
            # what d_h[n] is multiplied with to give the gradient of each sum inside a gate
            to_m = (1 - z) * (1 - m * m)
            to_inner = to_m * r
            to_z = (before - m) * z * (1 - z)
            to_r = to_m * inner[steps] * r * (1 - r)
            factors = torch.stack([to_r, to_z, to_inner], dim=1)  # (steps, 3, H, batch)
            d_gates, d_hidden = torch.empty_like(factors), torch.empty_like(z)
            for n in range(len(factors) - 1, -1, -1):
                d_hidden[n] = d_h
                torch.mul(factors[n], d_h, out=d_gates[n])
                torch.addcmul(given[steps.start + n], d_h, z[n], out=d_before)
                torch.addmm(d_before, U_transposed, d_gates[n].view(3 * H, batch), out=d_h)
            d_gates = d_gates.view(-1, 3 * H, batch)
            for_sums[steps, : 2 * H] = d_gates[:, : 2 * H]
            torch.mul(d_hidden, to_m, out=for_sums[steps, 2 * H :])
            rows = d_gates.transpose(0, 1).reshape(3 * H, -1)  # (3 H, steps batch)
            for_U.addmm_(rows, before.transpose(0, 1).reshape(H, -1).t())
            for_c += d_gates[:, 2 * H :].sum(dim=(0, 2))
        return for_sums, for_U, for_c, d_h
