"""A delay that changes from sample to sample, as in tape transports and rotating loudspeakers; differentiable.

Reading a signal at a time-varying delay follows Chowdhury's delay line ("Real-time physical modelling for analog tape
machines", DAFx 2019). Values between samples come from a windowed sinc (Laakso, Valimaki, Karjalainen, Laine,
"Splitting the unit delay", IEEE Signal Processing Magazine 13(1), 1996).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from tapezoo.blocks import blocks
from tapezoo.data.batch import LEAST_DELAY_SAMPLES

TAPS = 2 * LEAST_DELAY_SAMPLES  # the error on a 10 kHz tone at 44.1 kHz is below -90 dB
PHASES = 512  # table rows per sample, with linear interpolation between rows
KAISER_BETA = 10.0


def context_samples(delay: Tensor) -> int:
    """How many samples before the block `read_delayed` needs for this delay."""
    return math.ceil(float(delay.max())) + LEAST_DELAY_SAMPLES


def read_delayed(signal: Tensor, delay: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
    """`signal[n - delay[n]]` for a block, and the context for the next block: streaming equals one pass.

    Gradients reach `signal` and `context`.

    Args:
        signal: One block.
        delay: In samples, at least `LEAST_DELAY_SAMPLES`, because the sinc reads that many samples ahead.
        context: Samples before the block, oldest first, at least `context_samples` of them; zeros before the start.

    Shape:
        signal, delay: (batch, 1, samples); context: (batch, 1, context).

    Raises:
        ValueError: A delay reaches outside the block and its context.
    """
    before = context.shape[-1]
    heard = torch.cat((context, signal), dim=-1)[:, 0]
    back = torch.ceil(delay[:, 0])
    phase = (back - delay[:, 0]) * PHASES  # 0 <= phase < PHASES: offset from the sample `back` samples ago
    row = phase.long().clamp(max=PHASES - 1)
    blend = (phase - row)[..., None]
    table = sinc_table().to(heard)
    weight = torch.lerp(table[row], table[row + 1], blend)  # (batch, samples, taps)
    first = torch.arange(signal.shape[-1], device=heard.device) + (before - TAPS // 2 + 1) - back.long()
    if signal.shape[-1] and (int(first.min()) < 0 or float(delay.min()) < LEAST_DELAY_SAMPLES):
        raise ValueError(
            f"a delay from {float(delay.min()):g} to {float(delay.max()):g} samples with a context of {before}; it "
            f"must be {LEAST_DELAY_SAMPLES} or more, and the context {context_samples(delay)} or more"
        )
    read = torch.zeros_like(heard[:, before:])
    for tap in range(TAPS):
        read = read + weight[..., tap] * heard.gather(1, first + tap)
    return read[:, None], heard[:, None, heard.shape[-1] - before :]


def read_whole(signal: Tensor, delay: Tensor, latency_samples: int, block_samples: int) -> Tensor:
    """`read_delayed` over a whole signal that starts from silence, block by block.

    Args:
        signal: The net's output, delayed by the net's latency.
        delay: Delay of the target, in samples; its first value belongs to the first sample of the net's input.
        latency_samples: The net's latency; the result has the same latency.
        block_samples: Block length, which bounds the memory used.

    Shape:
        signal, delay, returns: (batch, 1, samples).
    """
    late = pad(delay, (latency_samples, 0), mode="replicate")[..., : signal.shape[-1]]
    context = signal.new_zeros(*signal.shape[:-1], context_samples(delay))
    parts = []
    for block in blocks(signal.shape[-1], block_samples):
        read, context = read_delayed(signal[..., block], late[..., block], context)
        parts.append(read)
    return torch.cat(parts, dim=-1)


@lru_cache
def sinc_table() -> Tensor:
    """Kaiser-windowed sinc for PHASES + 1 fractions of a sample, (PHASES + 1, TAPS); each row sums to 1."""
    with torch.inference_mode(False):  # a validation may build the table that a training step needs later
        fraction = torch.arange(PHASES + 1, dtype=torch.float64)[:, None] / PHASES
        offset = torch.arange(TAPS, dtype=torch.float64) - (TAPS // 2 - 1) - fraction
        inside = torch.sqrt(torch.clamp(1.0 - (offset / (TAPS / 2)) ** 2, min=0.0))
        window = torch.special.i0(KAISER_BETA * inside)
        table = torch.sinc(offset) * window
        weights: Tensor = table / table.sum(dim=1, keepdim=True)
    return weights
