"""Temporal FiLM: features modulated by the past signal."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tapezoo.layers.conditioner import Conditioner, State

POOLED_SAMPLES = 128  # a power of two, so that the clock is 0 again after whole blocks of `settle`


class TemporalFiLM(Conditioner):
    """FiLM whose gain and offset follow the signal: an LSTM on the loudest |features| of every 128 samples.

    Birnbaum et al., "Temporal FiLM: capturing long-range sequence dependencies with feature-wise modulations",
    NeurIPS 2019; for effects Comunità, Steinmetz, Phan, Reiss, "Modelling black-box audio effects with
    time-varying feature modulation", ICASSP 2023. For block k of the features and controls p at its end:

        u[k]    = max |h[n]| over block k                   (C)
        q[k]    = LSTM((u[k], p), q[k-1])                   (C)
        h'[n]   = h[n] (1 + G q[k-1] + g) + B q[k-1] + b    for n in block k

    A block is modulated by the signal before it. The papers pool the block itself, which would need the end of the
    block at its beginning. Blocks are counted from the start of the state, not from the start of each call, so
    streaming equals offline processing. All rows of a batch must have the same count, as they have from `initial_state`
    on.

    Gain and offset step at every block, so a moving control is applied in steps of 128 samples. The steps are small,
    since the LSTM passes changes on gradually.

    Truncated backpropagation reaches the LSTM only if a block ends within the samples of one update, so
    `tbptt_samples` should be several times 128.

    Args:
        num_controls: K, 0 or more; without controls only the signal modulates.
        channels: C; `4 C (C + K + 1) + 4 C^2 + 2 C (C + 1)` parameters.
    """

    receptive_field = None

    def __init__(self, num_controls: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.pooled = nn.Linear(channels + num_controls, 4 * channels)
        self.recurrent = nn.Linear(channels, 4 * channels, bias=False)
        self.modulation = nn.Linear(channels, 2 * channels)
        with torch.no_grad():
            self.modulation.weight.mul_(0.1)
            self.modulation.bias[:channels] = 1.0
            self.modulation.bias[channels:] = 0.0

    def rest(self) -> State:
        """Peak and sample count of the unfinished block, and the LSTM's memory."""
        return {
            "peak": torch.zeros(self.channels),
            "clock": torch.zeros(1),
            "hidden": torch.zeros(self.channels),
            "cell": torch.zeros(self.channels),
        }

    def forward(self, features: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Conditioner.forward`."""
        controls = controls.expand(-1, -1, features.shape[-1])
        memory = [state["peak"], state["clock"], state["hidden"], state["cell"]]
        weights = [self.pooled.weight, self.pooled.bias, self.recurrent.weight]
        weights += [self.modulation.weight, self.modulation.bias]
        output, *after = _modulated(features, controls, memory, weights, POOLED_SAMPLES)
        return output, dict(zip(("peak", "clock", "hidden", "cell"), after, strict=True))


# scripted, so that in a traced graph too its loop runs once for every block end in the signal
@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _modulated(
    features: Tensor, controls: Tensor, memory: list[Tensor], weights: list[Tensor], pooled_samples: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Temporal FiLM: the output, then the memory after it (peak, clock, hidden, cell).

    Shape:
        features: (batch, C, samples); controls: (batch, K, samples).
    """
    peak, clock, start, cell = memory[0], memory[1], memory[2], memory[3]
    batch, channels, samples = features.shape[0], features.shape[1], features.shape[2]
    before = (
        int(clock[0, 0].round().long()) % pooled_samples
    )  # samples of the first block that belong to earlier calls
    blocks = (before + samples + pooled_samples - 1) // pooled_samples
    behind = blocks * pooled_samples - before - samples  # samples missing from the last block
    whole = features
    if torch.jit.is_scripting() or before + behind > 0:  # type: ignore[attr-defined]
        whole = torch.nn.functional.pad(features, [before, behind])  # zeros are never the peak
    whole = whole.reshape(batch, channels, blocks, pooled_samples)
    peaks = whole.abs().amax(dim=3)  # (batch, C, blocks)
    peaks = torch.cat([torch.maximum(peaks[:, :, :1], peak.unsqueeze(2)), peaks[:, :, 1:]], dim=2)
    # the controls at each block's end; the gates of an unfinished block are not used
    ends = (torch.arange(blocks, device=features.device) + 1) * pooled_samples - before - 1
    heard = torch.cat([peaks, controls.index_select(2, ends.clamp(max=samples - 1))], dim=1).transpose(1, 2)
    gates = torch.nn.functional.linear(heard, weights[0], weights[1])  # (batch, blocks, 4 C)
    hidden = start
    states = torch.zeros([batch, 0, channels], dtype=features.dtype, device=features.device)
    ended = (before + samples) // pooled_samples
    block = 0
    while block < ended:
        sums = gates[:, block] + torch.matmul(hidden, weights[2].t())
        let_in, kept, candidate, shown = sums.chunk(4, dim=1)
        cell = torch.sigmoid(kept) * cell + torch.sigmoid(let_in) * torch.tanh(candidate)
        hidden = torch.sigmoid(shown) * torch.tanh(cell)
        states = torch.cat([states, hidden.unsqueeze(1)], dim=1)
        block = block + 1
    # each block is modulated by the memory at its beginning
    known = torch.cat([start.unsqueeze(1), states], dim=1)[:, :blocks]
    modulation = torch.nn.functional.linear(known, weights[3], weights[4]).transpose(1, 2).unsqueeze(3)
    gain, offset = modulation[:, :channels], modulation[:, channels:]  # (batch, C, blocks, 1)
    output = (whole * gain + offset).reshape(batch, channels, blocks * pooled_samples)
    unfinished = blocks - ended  # 0 or 1
    peak = peaks[:, :, blocks - 1] * unfinished
    count = torch.full_like(clock, unfinished * (pooled_samples - behind))
    return output[:, :, before : before + samples], peak, count, hidden, cell
