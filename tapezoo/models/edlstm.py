"""EDLSTM: an encoder LSTM reads the past of a short window, a decoder LSTM its newest sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tapezoo.layers.conditioning import FiLM, conditioner
from tapezoo.layers.gates import spread_lstm_memories
from tapezoo.models.arguments import LONGEST_SAMPLES, WIDEST, require_whole
from tapezoo.models.modulation import Modulations, accept_old_names, fold_into_head, require_conditioning
from tapezoo.net import Net, State
from tapezoo.training.effect import EffectModel

CHUNK_WINDOWS = 8192  # encoded at once; bounds the memory of a long block, 66 MB for 63 samples and 8 units


class EDLSTMNet(Net):
    """For every sample: `h, c = encoder(x[n-63] .. x[n-1])`, started from zeros, then one decoder step from h and c.

    Simionato, Fasciani, "Hybrid neural audio effects", SMC 2024. With U units, a window of T samples and the
    control vector p:

        h, c   = LSTM_encoder(x[n-T+1], ..., x[n-1];  0, 0)
        d      = LSTM_decoder(x[n];  h, c)                 (U)
        f      = d (G p + g) + (B p + b)                   FiLM, p as at sample n; absent without controls
        y[n]   = w . ((V f + v) softsign(S f + s)) + o     GLU with a softsign gate, output layer

    The cost is T recurrent steps per sample: at T = 64, U = 8 about 18,000 multiplications and 2,600 sigmoids
    and tanhs; training takes about twenty times an LSTM-32's time per sample on a CPU. All windows of a block
    run side by side, as rows of T - 1 steps.

    One departure follows the paper's text and not the authors' program: their encoder is "stateful", so that within
    their batches of 600 consecutive windows each window starts where the one 600 samples earlier ended. The state of a
    net must not depend on a batch size, so here a window starts from zeros. The output depends on nothing older than
    the window: 1.5 ms at 44.1 kHz.

    Units start with different memory lengths, spread geometrically from 2 samples to the window (see `LSTMNet`).
    The paper's framework starts all forget gates at 1, a memory of four samples, and had twice the error after 500
    updates on the virtual tape (ESR 0.028 against 0.015).

    Receptive field: T. Latency: 0. Parameters with one bias per gate, as the paper's framework counts, at
    U = 8: encoder 320, decoder 320, FiLM 32 at one control and 64 at three, GLU 144, output 9: 825 and 857
    (793 without controls). PyTorch's LSTM has a second, redundant bias: 64 more in all.

    Args:
        num_controls: Number of knobs, passed to the conditioning layer after the decoder.
        hidden_size: Units of encoder and decoder, U.
        window_samples: Samples in the window, T: the current one and those before it, 2 or more.
        conditioning: "film_glu", as in the paper, or another of `tapezoo.layers.CONDITIONERS` in place of both its
            layers: "film" and "concat" without the gated unit, "temporal_film" with an unbounded receptive field.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(
        self,
        num_controls: int,
        hidden_size: int = 8,
        window_samples: int = 64,
        conditioning: str = "film_glu",
    ) -> None:
        require_whole("hidden_size", hidden_size, 1, WIDEST)
        require_whole("window_samples", window_samples, 2, LONGEST_SAMPLES)
        require_conditioning(conditioning)
        super().__init__(num_controls, receptive_field=window_samples)
        self.encoder = nn.LSTM(1, hidden_size)
        self.decoder = nn.LSTM(1, hidden_size)
        self.modulation = conditioner(conditioning, num_controls, hidden_size)
        self.head = nn.Linear(hidden_size, 1)
        for lstm in (self.encoder, self.decoder):
            spread_lstm_memories(lstm, window_samples)
        self.register_rest("past", torch.zeros(1, window_samples - 1))
        self.modulations = Modulations(self, [("decoder", self.modulation)])
        accept_old_names(self, "glu.", "modulation.glu.")

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        trajectory, knobs = self.smoothed(controls, state, input.shape[-1])
        past = state["past"]
        context = torch.cat([past, input], dim=-1)  # (batch, 1, T - 1 + samples)
        encoder, decoder = list(self.encoder.parameters()), list(self.decoder.parameters())
        decoded = _decode(context, input, encoder, decoder, CHUNK_WINDOWS)  # (batch, U, samples)
        own = self.modulations.own_state("decoder", state)
        features, own = self.modulation(decoded, trajectory, own)
        output = self.head(features.transpose(1, 2)).transpose(1, 2)  # (batch, 1, samples)
        after = {"past": context[..., context.shape[-1] - past.shape[-1] :]}
        return output, {**after, **self.modulations.net_state("decoder", own), **knobs}

    @torch.no_grad()
    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: FiLM is folded into the gated unit, other conditioning into the output layer."""
        net = self.without_knobs()
        left = fold_into_head(net.modulation, controls, net.head)
        net.modulation = FiLM(0, net.head.in_features) if left is None else left
        return net


def _lstm(input: Tensor, start: list[Tensor], weights: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    # biases, layers, dropout, train (needed for a gradient on a GPU, no effect elsewhere), directions, layout
    return torch.lstm(input, start, weights, True, 1, 0.0, True, False, False)


# scripted, so that in a traced graph too its loop runs as often as the block requires
@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _decode(
    context: Tensor, input: Tensor, encoder: list[Tensor], decoder: list[Tensor], chunk_windows: int
) -> Tensor:
    """The decoder's output for every sample (d), computed for a bounded number of windows at once.

    Shape:
        context: (batch, 1, T - 1 + samples); input: (batch, 1, samples); result: (batch, U, samples).
    """
    batch, samples = input.shape[0], input.shape[2]
    steps, units = context.shape[2] - samples, encoder[1].shape[1]  # T - 1, U
    chunk = max(chunk_windows // batch, 1)
    decoded = torch.zeros([batch, 0, units], dtype=input.dtype, device=input.device)
    start = 0
    while start < samples:
        now = input[:, :, start : start + chunk]
        count = now.shape[2]
        # step k of every window is the context shifted by k samples
        step = torch.arange(steps, device=input.device)
        sample = torch.arange(count, device=input.device)
        index = (start + step.unsqueeze(1) + sample).flatten()  # (T - 1, count)
        windows = context.index_select(2, index).reshape(batch, steps, count).transpose(0, 1)
        rest = torch.zeros([1, batch * count, units], dtype=input.dtype, device=input.device)
        _, h, c = _lstm(windows.reshape(steps, batch * count, 1), [rest, rest], encoder)
        d, _, _ = _lstm(now.reshape(1, batch * count, 1), [h, c], decoder)
        decoded = torch.cat([decoded, d.reshape(batch, count, units)], dim=1)
        start = start + chunk
    return decoded.transpose(1, 2)


class EDLSTM(EffectModel):
    """Trains an `EDLSTMNet`."""

    net_class = EDLSTMNet
