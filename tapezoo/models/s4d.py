"""S4D: nonlinear layers around banks of trained linear filters, the diagonal state spaces."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from tapezoo.effect import EffectModel
from tapezoo.layers.conditioning import FiLM
from tapezoo.layers.recurrence import (
    BlockTables,
    FittedTables,
    Pieces,
    block_tables,
    cut,
    fill,
    fit,
    matrix_powers,
    recur_pieces,
)
from tapezoo.models.arguments import (
    DEEPEST,
    LONGEST_SAMPLES,
    WIDEST,
    ModelArgumentError,
    number,
    one_of,
    whole,
)
from tapezoo.net import Net, State

BLOCK_SAMPLES = [2**power for power in range(11)]  # a filter's tables are that long, squared


class DiagonalStateSpaces(nn.Module):
    """The filters of all blocks: `x'(t) = A x(t) + B u(t)`, `y(t) = 2 Re(C . x(t)) + D u(t)`, A diagonal.

    Gu, Goel, Gupta, Ré, "On the parameterization and initialization of diagonal state space models",
    NeurIPS 2022: S4D-Lin (`A_n = -1/2 + i pi n`), `B = 1`, `Re A = -exp(.)`, N conjugate pairs per channel,
    discretised by a zero-order hold:

        Ab = exp(dt A)   Bb = (Ab - 1) / A B   x[k] = Ab x[k-1] + Bb u[k]   y[k] = 2 Re(C x[k]) + D u[k]

    One filter per block and channel, F = P H in all, in one bank since their tables cost the same together as
    those of one block would.

    A mode starts with a time constant of 1 / (dt |Re A|) = 2 / dt samples, and at n / 2 of its channel's
    frequency step, dt cycles per sample; so dt is spread evenly in its logarithm between the channels, from
    2 / `longest_memory_samples` to 2 / `shortest_memory_samples`.

    Args:
        num_blocks: P.
        channels: H.
        modes: N, conjugate pairs per filter.
        shortest_memory_samples: Time constant of the fastest channel at the start of training; above
            2 (modes - 1) no mode starts beyond the Nyquist frequency.
        longest_memory_samples: Of the slowest one.
        block_samples: Length of the blocks it is computed in; changes the speed, not the sound.
    """

    def __init__(
        self,
        num_blocks: int,
        channels: int,
        modes: int,
        shortest_memory_samples: float,
        longest_memory_samples: float,
        block_samples: int,
    ) -> None:
        super().__init__()
        filters = num_blocks * channels
        slowest, fastest = math.log(2 / longest_memory_samples), math.log(2 / shortest_memory_samples)
        self.log_dt = nn.Parameter(torch.linspace(slowest, fastest, channels).repeat(num_blocks))  # (F)
        self.log_decay = nn.Parameter(torch.full((filters, modes), math.log(0.5)))  # log -Re A  (F N)
        self.frequency = nn.Parameter(math.pi * torch.arange(modes).repeat(filters, 1))  # Im A  (F N)
        self.C = nn.Parameter(torch.randn(2, filters, modes) * math.sqrt(0.5))  # Re, Im
        self.D = nn.Parameter(torch.randn(filters))
        self.block_samples = block_samples

    def tables(self) -> BlockTables:
        """The discretised filters, in real arithmetic: complex numbers do not reach ONNX."""
        dt = self.log_dt.exp().unsqueeze(1)  # (F 1)
        decay = self.log_decay.exp()  # (F N)
        size, angle = torch.exp(-dt * decay), dt * self.frequency
        real, imag = size * angle.cos(), size * angle.sin()  # Ab
        transition = torch.stack([torch.stack([real, -imag], -1), torch.stack([imag, real], -1)], -2)

        # Bb = (Ab - 1) / A, with A = -decay + i frequency  (F N)
        square = decay.square() + self.frequency.square()
        b_real = (self.frequency * imag - decay * (real - 1)) / square
        b_imag = -(decay * imag + self.frequency * (real - 1)) / square
        # x[k] already holds Bb u[k], so what is heard of the state before u[k] is 2 Re(C Ab x)
        c_real, c_imag = self.C[0], self.C[1]
        heard_real = c_real * real - c_imag * imag
        heard_imag = c_real * imag + c_imag * real
        return block_tables(
            matrix_powers(transition.double(), self.block_samples),
            enter=torch.stack([b_real, b_imag], -1),
            leave=torch.stack([2 * heard_real, -2 * heard_imag], -1),
            direct=self.D + 2 * (c_real * b_real - c_imag * b_imag).sum(-1),
        )


class S4DBlock(nn.Module):
    """`h + tanh(FiLM(S4D(tanh(W h + w)), controls))`; Comunità, Steinmetz, Reiss 2025."""

    def __init__(self, num_controls: int, channels: int) -> None:
        super().__init__()
        self.mix = nn.Linear(channels, channels)
        self.film = FiLM(num_controls, channels)

    def forward(
        self, features: Tensor, controls: Tensor, filters: FittedTables, pieces: Pieces, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Features and output (channels, batch, samples), state (channels, batch, modes, 2)."""
        mixed = torch.addmm(self.mix.bias.unsqueeze(1), self.mix.weight, features.flatten(1))
        filtered, state = recur_pieces(mixed.tanh().reshape(features.shape), filters, pieces, state)
        modulated = self.film(filtered.transpose(0, 1), controls).transpose(0, 1)
        return features + modulated.tanh(), state


class S4DNet(Net):
    """`h = w x + v`; then blocks `h <- h + tanh(FiLM(S4D(tanh(W h + w)), controls))`; `y = u . h + c`.

    Gu, Goel, Gupta, Ré, "On the parameterization and initialization of diagonal state space models",
    NeurIPS 2022 (`DiagonalStateSpaces`); Comunità, Steinmetz, Reiss, "Differentiable black-box
    and gray-box modeling of nonlinear audio effects", Frontiers in Signal Processing 2025 (the blocks, four of
    them). Training, streaming and export are the same recurrence, see `tapezoo.layers.recurrence`.

    Receptive field: unbounded. Latency: 0. Parameters with H channels, N modes, P blocks, K controls:
    `3 H + 1 + P H (H + 3 + 4 N)`, and `2 P H (K + 1)` where K > 0; 2289 at H = 16, N = 4, P = 4, K = 0.

    Args:
        num_controls: Knobs, given to every block's FiLM.
        channels: H, 1 or more.
        modes: N, conjugate pairs of poles per filter (the paper's state size is 2 N), 1 or more.
        num_blocks: P, 1 or more.
        shortest_memory_samples: Time constant of the fastest filters at the start of training, in samples.
        longest_memory_samples: Of the slowest filters. The net forgets within ten to twenty times this.
        block_samples: Length of the blocks the filters are computed in, a power of two up to 1024.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(
        self,
        num_controls: int,
        channels: int,
        modes: int,
        num_blocks: int,
        shortest_memory_samples: float,
        longest_memory_samples: float,
        block_samples: int,
    ) -> None:
        whole("channels", channels, 1, WIDEST)
        whole("modes", modes, 1, WIDEST)
        whole("num_blocks", num_blocks, 1, DEEPEST)
        number("shortest_memory_samples", shortest_memory_samples, 1, LONGEST_SAMPLES)
        number("longest_memory_samples", longest_memory_samples, 1, LONGEST_SAMPLES)
        if shortest_memory_samples > longest_memory_samples:
            raise ModelArgumentError(
                "shortest_memory_samples",
                found=f"{shortest_memory_samples!r}",
                expected=f"no more than longest_memory_samples, {longest_memory_samples!r}",
            )
        whole("block_samples", block_samples, 1, BLOCK_SAMPLES[-1])
        one_of("block_samples", block_samples, BLOCK_SAMPLES)
        super().__init__(num_controls, receptive_field=None)
        self.lift = nn.Linear(1, channels)
        self.blocks = nn.ModuleList(S4DBlock(num_controls, channels) for _ in range(num_blocks))
        self.filters = DiagonalStateSpaces(
            num_blocks, channels, modes, shortest_memory_samples, longest_memory_samples, block_samples
        )
        # x of every filter, as (Re, Im); see `recur` for the type
        self.register_rest("modes", torch.zeros(num_blocks, channels, modes, 2, dtype=torch.float64))
        self.head = nn.Linear(channels, 1)

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        # (channels, batch, samples) throughout: then a filter's rows, and a matrix product's columns, are
        # contiguous and nothing is copied
        signal, tables = input.transpose(0, 1), self.filters.tables()
        pieces = cut(signal, tables)
        features = fill(signal, pieces) * self.lift.weight.unsqueeze(-1) + self.lift.bias[:, None, None]
        parts = zip(*(table.chunk(len(self.blocks)) for table in fit(tables, pieces)), strict=True)
        states = state["modes"].permute(1, 2, 0, 3, 4).unbind()  # (channels, batch, modes, 2) each
        after = []
        for block, filters, before in zip(self.blocks, parts, states, strict=True):
            features, carried = block(features, controls, FittedTables(*filters), pieces, before)
            after.append(carried)
        output = torch.addmm(self.head.bias, self.head.weight, features.flatten(1))
        output = output.reshape(1, *features.shape[1:]).transpose(0, 1)  # (batch, 1, filled up)
        return output[..., : pieces.samples], {"modes": torch.stack(after).permute(2, 0, 1, 3, 4)}


class S4D(EffectModel):
    """Trains an `S4DNet`.

    Args:
        channels: Features, and filters per block.
        modes: Conjugate pairs of poles per filter.
        num_blocks: Blocks in series.
        shortest_memory_samples: Time constant of the fastest filters at the start of training, in samples.
        longest_memory_samples: Of the slowest filters, in samples.
        block_samples: Length of the blocks the filters are computed in; changes the speed, not the sound.
        training: See `EffectModel`.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(
        self,
        channels: int = 16,
        modes: int = 4,
        num_blocks: int = 4,
        shortest_memory_samples: float = 8.0,
        longest_memory_samples: float = 1000.0,
        block_samples: int = 64,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        self.net = S4DNet(
            self.num_controls,
            channels,
            modes,
            num_blocks,
            shortest_memory_samples,
            longest_memory_samples,
            block_samples,
        )
