"""Mamba: nonlinear layers around selective state spaces, which choose by the signal how long to remember it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture
from tapezoo.layers.affine import Affine, fold_into_next
from tapezoo.layers.conditioning import FiLM, conditioner
from tapezoo.layers.selective_scan import selective_scan
from tapezoo.models.arguments import (
    DEEPEST,
    INPUT_SCALES,
    LONGEST_SAMPLES,
    WIDEST,
    ModelArgumentError,
    require_number,
    require_whole,
)
from tapezoo.models.modulation import Modulations, hold_conditioner, require_conditioning
from tapezoo.net import Net, State, UndescribableError
from tapezoo.training.effect import EffectModel

EXPAND = 2  # E of the paper
RANK_CHANNELS = 16  # one dimension of Delta's input per so many channels, as in the paper's code


class RMSNorm(nn.Module):
    """`g u / sqrt(mean u^2 + 1e-5)` over the last dimension; Zhang, Sennrich, NeurIPS 2019."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))

    def forward(self, u: Tensor) -> Tensor:
        """Normalised features, (..., channels)."""
        return u * torch.rsqrt(u.square().mean(-1, keepdim=True) + 1e-5) * self.gain


class MambaBlock(nn.Module):
    """`h + W_out (S6(silu(conv(x))) silu(z))`, `x, z = W_in modulation(norm(h), controls)`; the paper's figure 3.

    B, C, d = W_x x       Delta = softplus(W_Delta d + b_Delta)       A = -exp(A_log)
    s[t] = exp(Delta[t] A) s[t-1] + Delta[t] B[t] x[t]       S6(x)[t] = C[t] . s[t] + D x[t]
    """

    def __init__(
        self,
        num_controls: int,
        channels: int,
        modes: int,
        kernel_size: int,
        shortest_memory_samples: float,
        longest_memory_samples: float,
        conditioning: str,
    ) -> None:
        super().__init__()
        inner, rank = EXPAND * channels, -(-channels // RANK_CHANNELS)
        self.sizes = [rank, modes, modes]
        self.norm = RMSNorm(channels)
        self.modulation = conditioner(conditioning, num_controls, channels)
        self.enter = nn.Linear(channels, 2 * inner)  # W_in, with a bias into which a modulation folds
        self.taps = nn.Parameter((torch.rand(kernel_size, inner) * 2 - 1) / math.sqrt(kernel_size))
        self.offset = nn.Parameter(torch.zeros(inner))
        self.select = nn.Linear(inner, sum(self.sizes), bias=False)  # W_x
        self.step = nn.Linear(rank, inner)  # W_Delta
        self.A_log = nn.Parameter(torch.arange(1.0, modes + 1).log().repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        self.leave = nn.Linear(inner, channels, bias=False)  # W_out
        slowest, fastest = math.log(1 / longest_memory_samples), math.log(1 / shortest_memory_samples)
        delta = torch.linspace(slowest, fastest, inner).exp()
        with torch.no_grad():
            self.step.bias.copy_(torch.log(torch.expm1(delta)))  # softplus turns it into delta

    def forward(
        self, h: Tensor, controls: Tensor, past: Tensor, state: Tensor, own: State
    ) -> tuple[Tensor, Tensor, Tensor, State]:
        """(h, past, state, the modulation's own state) after a block.

        Shape:
            h: (samples, batch, channels); past: (kernel_size - 1, batch, inner); state: (batch, inner, N).
        """
        u, own = self.modulation(self.norm(h).permute(1, 2, 0), controls, own)  # (batch, channels, samples)
        x, z = self.enter(u.permute(2, 0, 1)).chunk(2, dim=-1)  # (samples, batch, inner) each
        context = torch.cat([past, x])
        samples, x = h.shape[0], self.offset
        for tap, weight in enumerate(self.taps):
            x = x + weight * context[tap : tap + samples]
        x = nn.functional.silu(x)
        d, B, C = self.select(x).split(self.sizes, dim=-1)
        delta = nn.functional.softplus(self.step(d))
        y, state = selective_scan(x, delta, -self.A_log.exp(), B, C, state)
        gated = (y + self.D * x) * nn.functional.silu(z)
        return h + self.leave(gated), context[samples:], state, own

    @torch.no_grad()
    def hold(self, controls: Tensor) -> None:
        """Fixes the controls; what is affine of the modulation is folded into W_in."""
        self.modulation = hold_conditioner(self.modulation, controls)
        if isinstance(self.modulation, Affine):
            weight, bias = fold_into_next(self.modulation, self.enter.weight, self.enter.bias)
            self.enter.weight, self.enter.bias = nn.Parameter(weight), nn.Parameter(bias)
            self.modulation = FiLM(0, self.enter.in_features)


class MambaNet(Net):
    """`h = w x + v`; then blocks `h <- h + Mamba(modulation(norm(h), controls))`; `y = u . h + c`.

    Gu, Dao, "Mamba: linear-time sequence modeling with selective state spaces", 2023: state spaces (S6) whose step
    Delta, input B and output C are functions of the signal, so that every channel decides from sample to sample whether
    to remember or to overwrite. A is real, as theirs. `S4DNet` has filters that stay the same, with complex poles.

    For audio: no normalisation follows the last block, so that the residual path hands the level to the output. The
    steps start with time constants spread evenly in their logarithm between the channels, 1 / Delta samples for the
    slowest state of a channel and 1 / (N Delta) for its fastest. Controls modulate the input of each block, from
    which Delta, B, C and the gate are made, so that a knob may move time constants too.

    Receptive field: unbounded. Latency: 0. Parameters with d channels, N states, P blocks, k taps, K controls,
    rank r = ceil(d / 16): `3 d + 1 + P d (6 d + 6 N + 2 k + 4 r + 11)`, and `2 P d (K + 1)` where K > 0; 1929 at
    d = 8, N = 8, P = 2, k = 4, K = 0.

    Args:
        num_controls: Number of knobs, given to every block.
        channels: Features, d, 1 or more; the state spaces have twice as many.
        modes: States per channel, N, 1 or more.
        num_blocks: Blocks in series, P, 1 or more.
        kernel_size: Taps of the convolution before each state space, k, 2 or more.
        shortest_memory_samples: Time constant of the fastest channel at the start of training, in samples.
        longest_memory_samples: Time constant of the slowest channel.
        conditioning: "film", or another of `tapezoo.layers.CONDITIONERS`.
        input_scale: Factor on w, and divisor of u, at the start of training, 0.01 to 1000: how loud the signal is for
            fresh blocks, which are nearly linear at low levels.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    # every sample has a state of its own while a block is computed
    max_block_samples = 4096

    def __init__(
        self,
        num_controls: int,
        channels: int = 8,
        modes: int = 8,
        num_blocks: int = 2,
        kernel_size: int = 4,
        shortest_memory_samples: float = 4.0,
        longest_memory_samples: float = 1000.0,
        conditioning: str = "film",
        input_scale: float = 1.0,
    ) -> None:
        require_whole("channels", channels, 1, WIDEST)
        require_whole("modes", modes, 1, WIDEST)
        require_whole("num_blocks", num_blocks, 1, DEEPEST)
        require_whole("kernel_size", kernel_size, 2, WIDEST)
        require_number("shortest_memory_samples", shortest_memory_samples, 1, LONGEST_SAMPLES)
        require_number("longest_memory_samples", longest_memory_samples, 1, LONGEST_SAMPLES)
        if shortest_memory_samples > longest_memory_samples:
            raise ModelArgumentError(
                "shortest_memory_samples",
                found=f"{shortest_memory_samples!r}",
                expected=f"no more than longest_memory_samples, {longest_memory_samples!r}",
            )
        require_conditioning(conditioning)
        require_number("input_scale", input_scale, *INPUT_SCALES)
        super().__init__(num_controls, receptive_field=None)
        self.lift = nn.Linear(1, channels)
        memories = shortest_memory_samples, longest_memory_samples
        blocks = [
            MambaBlock(num_controls, channels, modes, kernel_size, *memories, conditioning)
            for _ in range(num_blocks)
        ]
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(channels, 1)
        with torch.no_grad():
            self.lift.weight *= input_scale
            self.head.weight /= input_scale
        inner = EXPAND * channels
        self.register_rest("past", torch.zeros(num_blocks, kernel_size - 1, inner))
        self.register_rest("modes", torch.zeros(num_blocks, inner, modes, dtype=torch.float64))
        layers = ((str(index), block.modulation) for index, block in enumerate(blocks))
        self.modulations = Modulations(self, layers)

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        trajectory, new_state = self.smoothed(controls, state, input.shape[-1])
        h = self.lift(input.permute(2, 0, 1))  # (samples, batch, channels)
        pasts, modes = [], []
        for index, block in enumerate(self.blocks):
            past, before = state["past"][:, index].transpose(0, 1), state["modes"][:, index]
            own = self.modulations.own_state(str(index), state)
            h, past, after, own = block(h, trajectory, past, before, own)
            pasts.append(past.transpose(0, 1))
            modes.append(after)
            new_state |= self.modulations.net_state(str(index), own)
        new_state |= {"past": torch.stack(pasts, dim=1), "modes": torch.stack(modes, dim=1)}
        return self.head(h).permute(1, 2, 0), new_state

    def described(self) -> Architecture:
        """See `Net.described`."""
        raise UndescribableError(
            self,
            "selective state spaces: what is written from descriptions has no layer whose filters follow the signal",
        )

    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: what is affine is folded into the first layer of each block."""
        net = self.without_knobs()
        for block in net.modules():
            if isinstance(block, MambaBlock):
                block.hold(controls)
        return net


class Mamba(EffectModel):
    """Trains a `MambaNet`."""

    net_class = MambaNet
