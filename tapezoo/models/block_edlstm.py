"""BlockEDLSTM: one encoder pass per hop, whose state starts the decoder for all samples of the next hop."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from tapezoo.layers.conditioning import FiLM, conditioner
from tapezoo.layers.gates import spread_lstm_memories
from tapezoo.models.arguments import LONGEST_SAMPLES, WIDEST, require_whole
from tapezoo.models.modulation import Modulations, accept_old_names, fold_into_head, require_conditioning
from tapezoo.net import Net, State
from tapezoo.training.effect import EffectModel


class BlockEDLSTMNet(Net):
    """`h, c = encoder(the hop before)` once per hop; the decoder runs from there through the hop.

    A cheaper relative of `EDLSTMNet`, after the same group's compressor models: Simionato, Fasciani, "Deep
    learning conditioned modeling of optical compression", DAFx 2022 (an encoder LSTM reads the past part of a
    window, and its final state starts the decoder LSTM), and "Fully conditioned and low-latency black-box
    modeling of analog compression", DAFx 2023 (one encoding per block, of the previous block). With U units,
    hops of T samples and the control vector p, for hop m with samples i = 0 .. T-1:

        h, c[-1]   = LSTM_encoder(x[(m-1) T], ..., x[m T - 1];  0, 0)
        d[i], c[i] = LSTM_decoder(x[m T + i];  d[i-1], c[i-1]),  d[-1] = h
        f[i]       = d[i] (G p + g) + (B p + b)                  FiLM, p as at that sample; absent without controls
        y[m T + i] = w . ((V f[i] + v) softsign(S f[i] + s)) + o GLU with a softsign gate, output layer

    Two recurrent steps per sample instead of EDLSTM's 64: training takes about a twenty-fourth of its time,
    streaming a tenth (blocks of 64) to a twenty-eighth (2048). As in both papers, the decoder's state at the start of
    a hop comes from the encoder alone, so hops are independent given the input and train in parallel. Unlike the 2023
    paper, the encoder is the LSTM of 2022 (theirs is a convolution as long as the block), and every output is made
    from the decoder's state at its own sample (theirs makes the whole block's output from the last state, so that its
    first sample depends on the block's last).

    Audible effects: the first sample of a hop depends on T + 1 samples, the last one on 2 T. At each hop the decoder's
    state jumps from one that has read the whole previous hop to a fresh summary of its last T samples, so the error is
    periodic with the hop: a faint tone at sample_rate / T and its multiples (689 Hz at 44.1 kHz and T = 64). A signal
    shifted by less than a hop is processed slightly differently. After a minute's training on the virtual tape
    (ESR 0.012): that tone is at -65 to -72 dB re full scale in silence, a shift by half a hop changes 3e-4 of the
    energy, and the mean squared error at a hop's first sample is 1.1 to 1.2 times the average.

    Receptive field: 2 T. Latency: 0, apart from the hop that a host has to gather. Parameters: as `EDLSTMNet`, 825 at
    one control and 857 at three with one bias per gate, 64 more in PyTorch.

    Args:
        num_controls: Number of knobs, passed to the conditioning layer after the decoder.
        hidden_size: Units of encoder and decoder, U.
        hop_samples: Samples that share one encoder pass, T, 2 or more; blocks are multiples of it.
        conditioning: "film_glu", as in the paper, or another of `tapezoo.layers.CONDITIONERS`, as in `EDLSTMNet`.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    cannot_keep: ClassVar[dict[str, str]] = {
        "rest": "the decoder starts again in every hop: in silence every hop has the same few samples, a "
        "faint tone instead of a constant"
    }

    def __init__(
        self, num_controls: int, hidden_size: int = 8, hop_samples: int = 64, conditioning: str = "film_glu"
    ) -> None:
        require_whole("hidden_size", hidden_size, 1, WIDEST)
        require_whole("hop_samples", hop_samples, 2, LONGEST_SAMPLES // 2)
        require_conditioning(conditioning)
        super().__init__(num_controls, receptive_field=2 * hop_samples)
        self.hop_samples = hop_samples
        self.encoder = nn.LSTM(1, hidden_size)
        self.decoder = nn.LSTM(1, hidden_size)
        self.modulation = conditioner(conditioning, num_controls, hidden_size)
        self.head = nn.Linear(hidden_size, 1)
        for lstm in (self.encoder, self.decoder):
            spread_lstm_memories(lstm, hop_samples)
        self.register_rest("past", torch.zeros(1, hop_samples))
        self.modulations = Modulations(self, [("decoder", self.modulation)])
        accept_old_names(self, "glu.", "modulation.glu.")

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`; samples is a multiple of `hop_samples`."""
        trajectory, knobs = self.smoothed(controls, state, input.shape[-1])
        batch, _, samples = input.shape
        context = torch.cat([state["past"], input], dim=-1)  # (batch, 1, T + samples)
        # every hop is a row of T steps: (T, batch hops, 1)
        before = context[..., :samples].reshape(-1, self.hop_samples, 1).transpose(0, 1)
        current = input.reshape(-1, self.hop_samples, 1).transpose(0, 1)
        _, encoded = self.encoder(before)
        decoded, _ = self.decoder(current, encoded)  # (T, batch hops, U)
        decoded = decoded.transpose(0, 1).reshape(batch, samples, -1).transpose(1, 2)  # (batch, U, samples)
        own = self.modulations.own_state("decoder", state)
        features, own = self.modulation(decoded, trajectory, own)
        output = self.head(features.transpose(1, 2)).transpose(1, 2)  # (batch, 1, samples)
        after = {"past": context[..., samples:], **self.modulations.net_state("decoder", own)}
        return output, {**after, **knobs}

    @torch.no_grad()
    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: FiLM is folded into the gated unit, other conditioning into the output layer."""
        net = self.without_knobs()
        left = fold_into_head(net.modulation, controls, net.head)
        net.modulation = FiLM(0, net.head.in_features) if left is None else left
        return net


class BlockEDLSTM(EffectModel):
    """Trains a `BlockEDLSTMNet`."""

    net_class = BlockEDLSTMNet
