"""EDLSTM: an encoder LSTM reads the past of a short window, a decoder LSTM its newest sample."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from tapezoo.effect import EffectModel
from tapezoo.errors import TapezooError
from tapezoo.layers.conditioning import FiLM, SoftsignGLU
from tapezoo.net import Net, State

CHUNK_WINDOWS = 8192  # encoded at once; bounds the memory of a long block, 66 MB for 63 samples and 8 units


class WindowTooShortError(TapezooError):
    """A window that leaves the encoder nothing to read."""

    def __init__(self, window_samples: int) -> None:
        super().__init__(
            "window_samples",
            found=str(window_samples),
            expected="2 or more: the current sample and at least one before it",
            fix="Raise it; the paper's is 64.",
        )


class EDLSTMNet(Net):
    """For every sample: `h, c = encoder(x[n-63] .. x[n-1])` from zeros, one step of the decoder from there.

    Simionato, Fasciani, "Hybrid neural audio effects", SMC 2024. With U units, a window of T samples and the
    control vector p:

        h, c   = LSTM_encoder(x[n-T+1], ..., x[n-1];  0, 0)
        d      = LSTM_decoder(x[n];  h, c)                 (U)
        f      = d (G p + g) + (B p + b)                   FiLM; absent without controls
        y[n]   = w . ((V f + v) softsign(S f + s)) + o     GLU with a softsign gate, output layer

    The cost is T recurrent steps per sample: at T = 64, U = 8 about 18,000 multiplications and 2,600 sigmoids
    and tanhs; training takes about twenty times an LSTM-32's time per sample on a CPU. All windows of a block
    run side by side, as rows of T - 1 steps.

    Where we follow the text and not the authors' program: there the encoder is "stateful", so that within
    their batches of 600 consecutive windows each window starts from where the one 600 samples earlier ended.
    What a net remembers must not depend on a batch size, so a window starts from zeros here. The net hears
    nothing older than the window: 1.5 ms at 44.1 kHz.

    Units start as memories of different length, spread geometrically from 2 samples to the window (see
    `LSTMNet`). The paper's framework starts all forget gates at 1, a memory of four samples, and had twice the
    error after 500 updates on the virtual tape (.028, .015).

    Receptive field: T. Latency: 0. Parameters with one bias per gate, as the paper's framework counts, at
    U = 8: encoder 320, decoder 320, FiLM 32 at one control and 64 at three, GLU 144, output 9: 825 and 857
    (793 without controls). PyTorch's LSTM has a second, redundant bias: 64 more in all.

    Args:
        num_controls: Knobs, given to the FiLM layer.
        hidden_size: Units of encoder and decoder, U.
        window_samples: Length of the window, T: the current sample and those before it, 2 or more.

    Raises:
        WindowTooShortError: `window_samples` is below 2.
    """

    def __init__(self, num_controls: int, hidden_size: int, window_samples: int) -> None:
        if window_samples < 2:
            raise WindowTooShortError(window_samples)
        super().__init__(num_controls, receptive_field=window_samples)
        self.encoder = nn.LSTM(1, hidden_size)
        self.decoder = nn.LSTM(1, hidden_size)
        self.film = FiLM(num_controls, hidden_size)
        self.glu = SoftsignGLU(hidden_size)
        self.head = nn.Linear(hidden_size, 1)
        for lstm in (self.encoder, self.decoder):
            spread_memories(lstm, window_samples)
        self.register_rest("past", torch.zeros(1, window_samples - 1))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        past = state["past"]
        context = torch.cat([past, input], dim=-1)  # (batch, 1, T - 1 + samples)
        decoded = self._decode(context, input)  # (batch, U, samples)
        features = self.glu(self.film(decoded, controls))
        output = self.head(features.transpose(1, 2)).transpose(1, 2)  # (batch, 1, samples)
        return output, {"past": context[..., context.shape[-1] - past.shape[-1] :]}

    def _decode(self, context: Tensor, input: Tensor) -> Tensor:
        batch, _, samples = input.shape
        chunk = max(CHUNK_WINDOWS // batch, 1)
        if samples <= chunk:
            return self._windows(context, input)
        past_samples = context.shape[-1] - samples
        parts = []
        for start in range(0, samples, chunk):
            stop = min(start + chunk, samples)
            parts.append(self._windows(context[..., start : stop + past_samples], input[..., start:stop]))
        return torch.cat(parts, dim=-1)

    def _windows(self, context: Tensor, input: Tensor) -> Tensor:
        batch, _, samples = input.shape
        steps = context.shape[-1] - samples  # T - 1
        # step k of every window is the context, k samples on
        step, sample = (torch.arange(count, device=input.device) for count in (steps, samples))
        index = step.unsqueeze(1) + sample  # (T - 1, samples)
        windows = context.index_select(-1, index.flatten()).reshape(batch, steps, samples)
        _, encoded = self.encoder(windows.transpose(0, 1).reshape(steps, batch * samples, 1))
        decoded: Tensor
        decoded, _ = self.decoder(input.reshape(1, batch * samples, 1), encoded)  # (1, batch samples, U)
        return decoded.reshape(batch, samples, -1).transpose(1, 2)


def spread_memories(lstm: nn.LSTM, memory_samples: float) -> None:
    """Opens forget gates for time constants from 2 to `memory_samples`, closes input gates as far.

    Tallec, Ollivier, "Can recurrent neural networks warp time?", ICLR 2018.
    """
    units = lstm.hidden_size
    # sigmoid(b) = 1 - 1 / T is a time constant of T samples, for b = log(T - 1)
    forget = torch.linspace(0.0, math.log(memory_samples - 1), units)
    bias = torch.cat(
        [-forget, forget, torch.zeros(2 * units)]
    )  # PyTorch's gates: input, forget, cell, output
    with torch.no_grad():
        for name, parameter in lstm.named_parameters():
            if name.startswith("bias"):
                parameter.copy_(bias if name.startswith("bias_ih") else torch.zeros_like(bias))


class EDLSTM(EffectModel):
    """Trains an `EDLSTMNet`.

    Args:
        hidden_size: Units of encoder and decoder.
        window_samples: Samples the net hears: the current one and those before it.
        training: See `EffectModel`.
    """

    def __init__(self, hidden_size: int = 8, window_samples: int = 64, **training: Any) -> None:
        super().__init__(**training)
        self.net = EDLSTMNet(self.num_controls, hidden_size, window_samples)
