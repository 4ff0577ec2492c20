"""S4D: nonlinear layers around banks of trained linear filters, the diagonal state spaces."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture, StateSpaceBlock
from tapezoo.layers.conditioning import conditioner
from tapezoo.layers.described import describe_dense, describe_modulation
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
from tapezoo.layers.state_space_stack import StateSpaceWeights, run_state_spaces, runs_state_spaces
from tapezoo.models.arguments import (
    DEEPEST,
    INPUT_SCALES,
    LONGEST_SAMPLES,
    WIDEST,
    ModelArgumentError,
    require_number,
    require_one_of,
    require_whole,
)
from tapezoo.models.modulation import Modulations, hold_conditioner, is_identity, require_conditioning
from tapezoo.net import Net, State
from tapezoo.training.effect import EffectModel

BLOCK_SAMPLES = [2**power for power in range(11)]  # a filter's tables grow with the square of this


class DiagonalStateSpaces(nn.Module):
    """The filters of all blocks: `x'(t) = A x(t) + B u(t)`, `y(t) = 2 Re(C . x(t)) + D u(t)`, A diagonal.

    Gu, Goel, Gupta, Ré, "On the parameterization and initialization of diagonal state space models",
    NeurIPS 2022: S4D-Lin (`A_n = -1/2 + i pi n`), `B = 1`, `Re A = -exp(.)`, N conjugate pairs per channel,
    discretised by a zero-order hold:

        Ab = exp(dt A)   Bb = (Ab - 1) / A B   x[k] = Ab x[k-1] + Bb u[k]   y[k] = 2 Re(C x[k]) + D u[k]

    One filter per block and channel, F = P H in all. They form one bank, because tables for all blocks together take
    no longer than those of one block.

    A mode starts with a time constant of 1 / (dt |Re A|) = 2 / dt samples, and at n / 2 of its channel's
    frequency step, dt cycles per sample; so dt is spread evenly in its logarithm between the channels, from
    2 / `longest_memory_samples` to 2 / `shortest_memory_samples`.

    Args:
        num_blocks: P.
        channels: H.
        modes: N, conjugate pairs per filter.
        shortest_memory_samples: Time constant of the fastest channel at the start of training; above
            2 (modes - 1) no mode starts beyond the Nyquist frequency.
        longest_memory_samples: Time constant of the slowest channel.
        block_samples: Length of the blocks used in the computation; changes the speed, not the sound.
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
        """The discretised filters in real arithmetic, because ONNX has no complex numbers."""
        decay, real, imag = self._transition()
        transition = torch.stack([torch.stack([real, -imag], -1), torch.stack([imag, real], -1)], -2)
        b_real, b_imag = self._enter(decay, real, imag)
        # x[k] already includes Bb u[k], so the contribution of the state before u[k] is 2 Re(C Ab x)
        c_real, c_imag = self.C[0], self.C[1]
        heard_real = c_real * real - c_imag * imag
        heard_imag = c_real * imag + c_imag * real
        return block_tables(
            matrix_powers(transition.double(), self.block_samples),
            enter=torch.stack([b_real, b_imag], -1),
            leave=torch.stack([2 * heard_real, -2 * heard_imag], -1),
            direct=self.D + 2 * (c_real * b_real - c_imag * b_imag).sum(-1),
        )

    def coefficients(self, num_blocks: int) -> tuple[Tensor, Tensor]:
        """Ab, Bb and 2 C, (num_blocks, N, 6, H), and D, (num_blocks, H): see `StateSpaceWeights`."""
        decay, real, imag = self._transition()
        b_real, b_imag = self._enter(decay, real, imag)
        parts = torch.stack([real, imag, b_real, b_imag, 2 * self.C[0], -2 * self.C[1]])  # (6 F N)
        parts = parts.reshape(6, num_blocks, -1, parts.shape[2]).permute(1, 3, 0, 2)
        return parts, self.D.reshape(num_blocks, -1)

    def _transition(self) -> tuple[Tensor, Tensor, Tensor]:
        """-Re A, Re Ab and Im Ab, (F N)."""
        dt = self.log_dt.exp().unsqueeze(1)  # (F 1)
        decay = self.log_decay.exp()
        size, angle = torch.exp(-dt * decay), dt * self.frequency
        return decay, size * angle.cos(), size * angle.sin()

    def _enter(self, decay: Tensor, real: Tensor, imag: Tensor) -> tuple[Tensor, Tensor]:
        """Re Bb and Im Bb, (F N), of Bb = (Ab - 1) / A with A = -decay + i frequency."""
        square = decay.square() + self.frequency.square()
        b_real = (self.frequency * imag - decay * (real - 1)) / square
        b_imag = -(decay * imag + self.frequency * (real - 1)) / square
        return b_real, b_imag


class S4DBlock(nn.Module):
    """`h + tanh(modulation(S4D(tanh(W h + w)), controls))`; Comunità, Steinmetz, Reiss 2025."""

    def __init__(self, num_controls: int, channels: int, conditioning: str) -> None:
        super().__init__()
        self.mix = nn.Linear(channels, channels)
        self.modulation = conditioner(conditioning, num_controls, channels)

    def forward(
        self,
        features: Tensor,
        controls: Tensor,
        filters: FittedTables,
        pieces: Pieces,
        modes: Tensor,
        own: State,
    ) -> tuple[Tensor, Tensor, State]:
        """Features and output (channels, batch, samples), modes (channels, batch, N, 2), the modulation's state."""
        mixed = torch.addmm(self.mix.bias.unsqueeze(1), self.mix.weight, features.flatten(1))
        signal = fill(mixed.tanh().reshape(features.shape), pieces)
        filtered, modes = recur_pieces(signal, filters, pieces, modes)
        modulated, own = self.modulation(_cut_back(filtered, pieces).transpose(0, 1), controls, own)
        return features + modulated.transpose(0, 1).tanh(), modes, own


def _cut_back(filtered: Tensor, pieces: Pieces) -> Tensor:
    """Removes the padding that `fill` added after the block."""
    # the gradient of a slice is a copy, even if nothing is cut; but a traced graph must always slice
    if torch.jit.is_tracing() or pieces.last < pieces.length:  # type: ignore[attr-defined,no-untyped-call]
        return filtered[..., : pieces.samples]
    return filtered


class S4DNet(Net):
    """`h = w x + v`; then blocks `h <- h + tanh(FiLM(S4D(tanh(W h + w)), controls))`; `y = u . h + c`.

    Gu, Goel, Gupta, Ré, "On the parameterization and initialization of diagonal state space models",
    NeurIPS 2022 (`DiagonalStateSpaces`); Comunità, Steinmetz, Reiss, "Differentiable black-box
    and gray-box modeling of nonlinear audio effects", Frontiers in Signal Processing 2025 (the blocks, four of
    them). Training, streaming and export are the same recurrence, see `tapezoo.layers.recurrence`.

    Receptive field: unbounded. Latency: 0. Parameters with H channels, N modes, P blocks, K controls:
    `3 H + 1 + P H (H + 3 + 4 N)`, and `2 P H (K + 1)` where K > 0; 2289 at H = 16, N = 4, P = 4, K = 0.

    Args:
        num_controls: Number of knobs, given to every block.
        channels: Features, and filters per block, H, 1 or more.
        modes: Conjugate pairs of poles per filter, N (the paper's state size is 2 N), 1 or more.
        num_blocks: Blocks in series, P, 1 or more.
        shortest_memory_samples: Time constant of the fastest filters at the start of training, in samples.
        longest_memory_samples: Time constant of the slowest filters. The net forgets within ten to twenty times this.
        block_samples: Length of the blocks used to compute the filters, a power of two up to 1024; changes the speed,
            not the sound.
        conditioning: "film", as in the paper, or another of `tapezoo.layers.CONDITIONERS`.
        input_scale: Factor on w, and divisor of u, at the start of training, 0.01 to 1000: how loud the signal is for
            fresh blocks, which are nearly linear at low levels.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(
        self,
        num_controls: int,
        channels: int = 16,
        modes: int = 4,
        num_blocks: int = 4,
        shortest_memory_samples: float = 8.0,
        longest_memory_samples: float = 1000.0,
        block_samples: int = 64,
        conditioning: str = "film",
        input_scale: float = 1.0,
    ) -> None:
        require_whole("channels", channels, 1, WIDEST)
        require_whole("modes", modes, 1, WIDEST)
        require_whole("num_blocks", num_blocks, 1, DEEPEST)
        require_number("shortest_memory_samples", shortest_memory_samples, 1, LONGEST_SAMPLES)
        require_number("longest_memory_samples", longest_memory_samples, 1, LONGEST_SAMPLES)
        if shortest_memory_samples > longest_memory_samples:
            raise ModelArgumentError(
                "shortest_memory_samples",
                found=f"{shortest_memory_samples!r}",
                expected=f"no more than longest_memory_samples, {longest_memory_samples!r}",
            )
        require_whole("block_samples", block_samples, 1, BLOCK_SAMPLES[-1])
        require_one_of("block_samples", block_samples, BLOCK_SAMPLES)
        require_conditioning(conditioning)
        require_number("input_scale", input_scale, *INPUT_SCALES)
        super().__init__(num_controls, receptive_field=None)
        self.lift = nn.Linear(1, channels)
        blocks = [S4DBlock(num_controls, channels, conditioning) for _ in range(num_blocks)]
        self.blocks = nn.ModuleList(blocks)
        self.filters = DiagonalStateSpaces(
            num_blocks, channels, modes, shortest_memory_samples, longest_memory_samples, block_samples
        )
        # x of every filter, as (Re, Im); see `recur` for the type
        self.register_rest("modes", torch.zeros(num_blocks, channels, modes, 2, dtype=torch.float64))
        self.head = nn.Linear(channels, 1)
        with torch.no_grad():
            self.lift.weight *= input_scale
            self.head.weight /= input_scale
        layers = ((str(index), block.modulation) for index, block in enumerate(blocks))
        self.modulations = Modulations(self, layers)

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        trajectory, new_state = self.smoothed(controls, state, input.shape[-1])
        if self.plays_compiled(input, state["modes"]):
            output, modes = run_state_spaces(input, state["modes"], self._weights())
            return output, {"modes": modes}
        # (channels, batch, samples) throughout, so that a filter's rows and a matrix product's columns are contiguous
        # and nothing is copied
        signal, tables = input.transpose(0, 1), self.filters.tables()
        pieces = cut(signal, tables)
        features = signal * self.lift.weight.unsqueeze(-1) + self.lift.bias[:, None, None]
        parts = zip(*(table.chunk(len(self.blocks)) for table in fit(tables, pieces)), strict=True)
        states = state["modes"].permute(1, 2, 0, 3, 4).unbind()  # (channels, batch, modes, 2) each
        after = []
        for index, (block, filters, before) in enumerate(zip(self.blocks, parts, states, strict=True)):
            own = self.modulations.own_state(str(index), state)
            fitted = FittedTables(*filters)
            features, carried, own = block(features, trajectory, fitted, pieces, before, own)
            after.append(carried)
            new_state |= self.modulations.net_state(str(index), own)
        output = torch.addmm(self.head.bias, self.head.weight, features.flatten(1))
        output = output.reshape(1, *features.shape[1:]).transpose(0, 1)  # (batch, 1, samples)
        return output, {"modes": torch.stack(after).permute(2, 0, 1, 3, 4), **new_state}

    def plays_compiled(self, input: Tensor, modes: Tensor) -> bool:
        """Whether everything runs at once in `run_state_spaces`: in training, when nothing modulates."""
        plain = all(is_identity(block.modulation) for block in self.blocks if isinstance(block, S4DBlock))
        return plain and (self.training or torch.is_grad_enabled()) and runs_state_spaces(input, modes)

    def _weights(self) -> StateSpaceWeights:
        mixes = [block.mix for block in self.blocks if isinstance(block, S4DBlock)]
        coefficients, direct = self.filters.coefficients(len(mixes))
        return StateSpaceWeights(
            lift=self.lift.weight[:, 0],
            lift_bias=self.lift.bias,
            mix=torch.stack([mix.weight for mix in mixes]),
            mix_bias=torch.stack([mix.bias for mix in mixes]),
            coefficients=coefficients,
            direct=direct,
            head=self.head.weight[0],
            head_bias=self.head.bias,
        )

    def described(self) -> Architecture:
        """See `Net.described`."""
        channels, modes = self.head.in_features, self.filters.frequency.shape[1]
        blocks = (
            StateSpaceBlock(
                mix=describe_dense(f"blocks.{index}.mix", block.mix),
                filters=len(self.blocks) * channels,
                first=index * channels,
                modes=modes,
                log_dt="filters.log_dt",
                decay="filters.log_decay",
                frequency="filters.frequency",
                C="filters.C",
                D="filters.D",
                state="modes",
                state_row=index,
                modulation=describe_modulation(
                    f"blocks.{index}.modulation",
                    block.modulation,
                    channels,
                    self.modulations.state_names(str(index)),
                ),
            )
            for index, block in enumerate(self.blocks)
            if isinstance(block, S4DBlock)
        )
        lift, head = describe_dense("lift", self.lift), describe_dense("head", self.head)
        return self.describe_layers(lift, *blocks, head, controls_at="modulation")

    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: constants after each block's filters.

        The filters stay the same at every point: if they changed, their tables would be recomputed in every block.
        """
        net = self.without_knobs()
        for block in net.modules():
            if isinstance(block, S4DBlock):
                block.modulation = hold_conditioner(block.modulation, controls)
        return net


class S4D(EffectModel):
    """Trains an `S4DNet`."""

    net_class = S4DNet
