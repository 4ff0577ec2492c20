"""LRU: stacked linear recurrent units with gated mixing between them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tapezoo.errors import TapezooError
from tapezoo.layers import CONDITIONERS, conditioner
from tapezoo.net import Net, State
from tapezoo.training.effect import EffectModel
from tapezoo_lru.scan import ChunkMatrices, chunk_matrices, linear_recurrence

CHUNK_SAMPLES = 16  # shorter ones leave more to the scan across chunks, longer ones cost more arithmetic


class LRUShapeError(TapezooError):
    """An argument out of its range."""


class Mix(nn.Linear):
    """A linear map of the channels, alike for every sample; (channels, columns) in and out."""

    def forward(self, features: Tensor) -> Tensor:
        """`W features + b`."""
        return torch.addmm(self.bias.unsqueeze(-1), self.weight, features)


class LinearRecurrentUnit(nn.Module):
    """`x[n] = lambda x[n-1] + gamma (B u[n])`, `y[n] = Re(C x[n]) + D u[n]`, lambda diagonal and complex.

    `lambda = exp(-exp(nu_log) + i exp(theta_log))` stays inside the unit circle whatever the optimizer does;
    it starts uniformly on the ring `r_min <= |lambda| <= r_max`, `0 <= arg lambda <= max_phase`.
    `gamma = exp(gamma_log)` starts at `sqrt(1 - |lambda|^2)`, which gives every mode the same power on
    white noise. `3 N + 4 N H + H` parameters.

    Args:
        channels: Of u and y, H.
        modes: Complex states, N.
        r_min, r_max: Magnitudes of lambda at the start, 0 <= r_min < r_max < 1.
        max_phase: Largest angle of lambda at the start, in radians.

    Shape:
        features, output: (channels, length * chunks * batch); state: (modes, 2, batch).
    """

    def __init__(self, channels: int, modes: int, r_min: float, r_max: float, max_phase: float) -> None:
        super().__init__()
        u1, u2 = 1 - torch.rand(modes), 1 - torch.rand(modes)  # above 0, whose logarithm is infinite
        square = u1 * (r_max**2 - r_min**2) + r_min**2  # |lambda|^2
        self.nu_log = nn.Parameter(torch.log(-0.5 * torch.log(square)))
        self.theta_log = nn.Parameter(torch.log(max_phase * u2))
        self.gamma_log = nn.Parameter(0.5 * torch.log(1 - square))
        # index 0 of the pairs: real part
        self.B = nn.Parameter(torch.randn(modes, 2, channels) / math.sqrt(2 * channels))
        self.C = nn.Parameter(torch.randn(channels, modes, 2) / math.sqrt(modes))
        self.D = nn.Parameter(torch.randn(channels))

    def forward(
        self, features: Tensor, state: Tensor, matrices: ChunkMatrices, last: Tensor | int
    ) -> tuple[Tensor, Tensor]:
        """The output, and the state after sample `last` of the last chunk; `matrices` is `unit_matrices([unit])`."""
        modes, channels = self.B.shape[0], self.B.shape[2]
        batch = state.shape[-1]
        driven = (torch.exp(self.gamma_log)[:, None, None] * self.B).reshape(2 * modes, channels)
        v = (driven @ features).reshape(modes, 2, CHUNK_SAMPLES, -1, batch)
        x = linear_recurrence(v, state, matrices)  # (modes, 2, length, chunks, batch)
        real_part = self.C * self.C.new_tensor([1.0, -1.0])  # Re(C x) = Re C Re x - Im C Im x
        y = real_part.reshape(channels, 2 * modes) @ x.reshape(2 * modes, -1)
        return y + self.D.unsqueeze(-1) * features, x[:, :, last : last + 1, -1].squeeze(2)


def unit_matrices(units: Sequence[LinearRecurrentUnit]) -> ChunkMatrices:
    """The matrices of all modes of all units; together, since short blocks cost what the operations count."""
    nu_log = torch.cat([unit.nu_log for unit in units])
    theta_log = torch.cat([unit.theta_log for unit in units])
    return chunk_matrices(torch.exp(nu_log), torch.exp(theta_log), CHUNK_SAMPLES)


class LRUNet(Net):
    """Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu, De, "Resurrecting recurrent neural networks for long
    sequences", ICML 2023:

        h_0 = E x;  h_l = h_{l-1} + GLU(GELU(modulation(LRU(h_{l-1}), controls)));  y = F h_L

    The paper normalises before each LRU; here nothing does, since an effect must hear how loud its input is.
    The recurrence is a parallel scan over each block (`tapezoo_lru.scan`), and is the same function when
    blocks are short. The modulation is ours: FiLM, or another conditioner of tapezoo's.

    Receptive field: unbounded. Latency: 0. Parameters with H channels, N modes, L layers, K controls:
    `3 H + 1 + L (3 N + 4 N H + H + 2 H (H + 1))`, and L times the conditioner's: with FiLM `2 H (1 + K)` where
    K > 0; 8161 at H = 16, N = 32, L = 3, K = 0.

    Args:
        num_controls: Knobs, K.
        channels: Width of the net, H.
        modes: Complex states per layer, N.
        num_layers: Stacked LRU blocks, L.
        r_min: Smallest magnitude of a mode at the start; its time constant is -1 / log(r) samples.
        r_max: Largest magnitude of a mode at the start, below 1.
        max_phase: Largest angle of a mode at the start, in radians per sample; pi is the Nyquist frequency.
        conditioning: How controls reach each block: a name of `tapezoo.layers.CONDITIONERS`.

    Raises:
        LRUShapeError: An argument is out of its range.
    """

    def __init__(
        self,
        num_controls: int,
        channels: int = 16,
        modes: int = 32,
        num_layers: int = 3,
        r_min: float = 0.0,
        r_max: float = 0.999,
        max_phase: float = math.pi / 10,
        conditioning: str = "film",
    ) -> None:
        _check(channels, modes, num_layers, r_min, r_max, max_phase, conditioning)
        super().__init__(num_controls, receptive_field=None)
        self.modes = modes
        self.encoder = Mix(1, channels)
        self.units = nn.ModuleList(
            LinearRecurrentUnit(channels, modes, r_min, r_max, max_phase) for _ in range(num_layers)
        )
        modulations = [conditioner(conditioning, num_controls, channels) for _ in range(num_layers)]
        self.modulations = nn.ModuleList(modulations)
        self.gates = nn.ModuleList(Mix(channels, 2 * channels) for _ in range(num_layers))
        self.decoder = Mix(channels, 1)
        self.register_rest("x", torch.zeros(num_layers, modes, 2))
        self.modulation_rests = list(modulations[0].rest())
        for layer, modulation in enumerate(modulations):
            for name, rest in modulation.rest().items():
                self.register_rest(f"modulation_{layer}_{name}", rest)
        # without controls some conditioners have no parameters, and nothing to do
        self.modulated = any(True for _ in self.modulations.parameters())

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        path, new_state = self.smoothed(controls, state, input.shape[-1])
        batch, samples = input.shape[0], input.shape[-1]
        last = (samples - 1) % CHUNK_SAMPLES  # within the last chunk
        # channels first and the batch last: all that follows but the modulation is a matrix product
        # without a transposition
        h = self.encoder(_chunked(input))  # (H, length * chunks * batch)
        after = []
        matrices = unit_matrices(list(self.units)).split(self.modes)
        states = state["x"].permute(1, 2, 3, 0)  # (layers, modes, 2, batch)
        for layer, (unit, gate) in enumerate(zip(self.units, self.gates, strict=True)):
            y, x = unit(h, states[layer], matrices[layer], last)
            after.append(x)
            if self.modulated:
                prefix = f"modulation_{layer}_"
                own = {name: state[prefix + name] for name in self.modulation_rests}
                modulated, own = self.modulations[layer](_in_time(y, batch, samples), path, own)
                y = _chunked(modulated)
                new_state |= {prefix + name: value for name, value in own.items()}
            h = h + nn.functional.glu(gate(nn.functional.gelu(y)), dim=0)
        output = _in_time(self.decoder(h), batch, samples)
        return output, {"x": torch.stack(after).permute(3, 0, 1, 2), **new_state}


class LRU(EffectModel):
    """Trains an `LRUNet`."""

    net_class = LRUNet


def _chunked(signal: Tensor) -> Tensor:
    """(batch, C, samples) filled up to whole chunks and turned into columns: (C, length * chunks * batch)."""
    batch, channels, samples = signal.shape
    chunks = (samples + CHUNK_SAMPLES - 1) // CHUNK_SAMPLES
    padding = signal.new_zeros(batch, channels, CHUNK_SAMPLES)
    padded = torch.cat([signal, padding], dim=-1)[..., : chunks * CHUNK_SAMPLES]
    return padded.reshape(batch, channels, -1, CHUNK_SAMPLES).permute(1, 3, 2, 0).reshape(channels, -1)


def _in_time(columns: Tensor, batch: int, samples: int) -> Tensor:
    """The way back: (C, length * chunks * batch) to (batch, C, samples)."""
    channels = columns.shape[0]
    ordered = columns.reshape(channels, CHUNK_SAMPLES, -1, batch).permute(3, 0, 2, 1)
    return ordered.reshape(batch, channels, -1)[..., :samples]


def _check(
    channels: int,
    modes: int,
    num_layers: int,
    r_min: float,
    r_max: float,
    max_phase: float,
    conditioning: str,
) -> None:
    ranges = {
        "channels": (channels, channels >= 1, "1 or more"),
        "modes": (modes, modes >= 1, "1 or more"),
        "num_layers": (num_layers, num_layers >= 1, "1 or more"),
        "r_min": (r_min, 0 <= r_min < r_max, f"a magnitude from 0 to below r_max ({r_max})"),
        "r_max": (r_max, r_max < 1, "a magnitude below 1"),
        "max_phase": (max_phase, 0 < max_phase <= math.pi, "an angle above 0, up to pi"),
        "conditioning": (conditioning, conditioning in CONDITIONERS, f"one of {', '.join(CONDITIONERS)}"),
    }
    for name, (value, right, expected) in ranges.items():
        if not right:
            raise LRUShapeError(
                f"model.{name}", found=str(value), expected=expected, fix="Correct it in the recipe."
            )
