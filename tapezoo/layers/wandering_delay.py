"""A delay line whose delay wanders around its centre, which is its latency.

The values between samples come from the windowed sinc of `tapezoo.layers.delay_line`, its taps as polynomials in the
fraction of a sample: one filter per power, then a few products per sample (Farrow, "A continuously variable digital
delay element", ISCAS 1988). Taps from a table for every sample move seven times the memory.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d

from tapezoo.layers.delay_line import PHASES, TAPS, sinc_table

POWERS = 8  # of the fraction, 0 included: with them the taps are within 1e-6 of the sinc's


class WanderingDelay(nn.Module):
    """`output[n] = input[n - latency_samples - deviation[n]]`; at whole samples to the last bit.

    Unlike `read_delayed` its graph has no condition, so that it can be exported.

    Args:
        reach_samples: Largest deviation either way, whole samples, 0 or more; beyond it the output is wrong.
    """

    filters: Tensor

    def __init__(self, reach_samples: int) -> None:
        super().__init__()
        self.reach_samples = reach_samples
        self.latency_samples = reach_samples + TAPS // 2
        """Delay of the output at a deviation of 0; the sinc reads half of its taps ahead."""
        self.past_samples = 2 * reach_samples + TAPS - 1
        """Length of the context that the state carries."""
        self.register_buffer("filters", sinc_powers().float())

    def forward(self, input: Tensor, deviation: Tensor, past: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        """The output and the context for the next block.

        Args:
            input: One block.
            deviation: Of the delay from its centre, in samples, float64; positive: later.
            past: Samples before the block, oldest first.
            samples: Length of the block; given, so that graphs do not ask for it again.

        Shape:
            input, output: (batch, 1, samples); deviation: (batch, samples); past: (batch, 1, past_samples).
        """
        heard = torch.cat([past, input], dim=-1)
        filtered = conv1d(heard, self.filters)  # (batch, powers, past + samples - taps + 1)
        ahead = self.reach_samples - deviation  # of the latest sample that any deviation waits for, 0 or more
        whole = ahead.long()
        fraction = torch.fmod(ahead, 1.0).to(input.dtype)[:, None]
        places = whole + torch.arange(samples, device=input.device)
        near = filtered.gather(2, places[:, None].expand(-1, POWERS, -1))
        # Estrin's scheme: a graph of a third fewer operators than Horner's
        squared = fraction * fraction
        for power in (squared * squared, squared, fraction):
            low, high = torch.split(near, near.shape[1] // 2, dim=1)
            near = low + power * high
        return near, heard[..., -self.past_samples :]


@lru_cache
def sinc_powers() -> Tensor:
    """The windowed sinc as polynomials in the fraction, (POWERS, 1, TAPS), float64; taps in the order of `conv1d`.

    At fractions 0 and 1 they are whole samples to the last bit; between them they are fitted to `sinc_table`.
    """
    with torch.inference_mode(False):
        fraction = torch.arange(PHASES + 1, dtype=torch.float64)[:, None] / PHASES
        here, next_one = torch.zeros(2, TAPS, dtype=torch.float64)
        here[TAPS // 2 - 1] = next_one[TAPS // 2] = 1
        inner = fraction * (1 - fraction)
        basis = inner * fraction ** torch.arange(POWERS - 2)
        rest = sinc_table() - here - fraction * (next_one - here)
        shares = torch.linalg.lstsq(basis, rest).solution  # (POWERS - 2, TAPS)
        powers = torch.zeros(POWERS, TAPS, dtype=torch.float64)
        powers[0], powers[1] = here, next_one - here
        powers[1:-1] += shares
        powers[2:] -= shares
        return powers[:, None]
