"""LRU: stacked linear recurrent units with gated mixing between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tapezoo.effect import EffectModel
from tapezoo.errors import TapezooError
from tapezoo.layers import FiLM
from tapezoo.net import Net, State
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

        h_0 = E x;  h_l = h_{l-1} + GLU(GELU(FiLM(LRU(h_{l-1}), controls)));  y = F h_L

    The paper normalises before each LRU; here nothing does, since an effect must hear how loud its input is.
    The recurrence is a parallel scan over each block (`tapezoo_lru.scan`), and is the same function when
    blocks are short.

    Receptive field: unbounded. Latency: 0. Parameters with H channels, N modes, L layers, K controls:
    `3 H + 1 + L (3 N + 4 N H + H + 2 H (H + 1))`, and `2 L H (1 + K)` of the FiLMs where K > 0; 8161 at
    H = 16, N = 32, L = 3, K = 0.

    Args:
        num_controls: Knobs, K.
        channels: Width of the net, H.
        modes: Complex states per layer, N.
        num_layers: Stacked blocks, L.
        r_min, r_max, max_phase: See `LinearRecurrentUnit`.

    Raises:
        LRUShapeError: An argument is out of its range.
    """

    def __init__(
        self,
        num_controls: int,
        channels: int,
        modes: int,
        num_layers: int,
        r_min: float,
        r_max: float,
        max_phase: float,
    ) -> None:
        _check(channels, modes, num_layers, r_min, r_max, max_phase)
        super().__init__(num_controls, receptive_field=None)
        self.modes = modes
        self.encoder = Mix(1, channels)
        self.units = nn.ModuleList(
            LinearRecurrentUnit(channels, modes, r_min, r_max, max_phase) for _ in range(num_layers)
        )
        self.films = nn.ModuleList(FiLM(num_controls, channels) for _ in range(num_layers))
        self.gates = nn.ModuleList(Mix(channels, 2 * channels) for _ in range(num_layers))
        self.decoder = Mix(channels, 1)
        self.register_rest("x", torch.zeros(num_layers, modes, 2))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        batch, samples = input.shape[0], input.shape[-1]
        chunks = (samples + CHUNK_SAMPLES - 1) // CHUNK_SAMPLES
        last = samples - 1 - (chunks - 1) * CHUNK_SAMPLES  # within the last chunk
        padding = input.new_zeros(batch, 1, CHUNK_SAMPLES)
        padded = torch.cat([input, padding], dim=-1)[..., : chunks * CHUNK_SAMPLES]
        signal = padded.reshape(batch, -1, CHUNK_SAMPLES).permute(2, 1, 0)  # (length, chunks, batch)
        # channels first and the batch last: every step below is a matrix product without a transposition
        h = self.encoder(signal.reshape(1, -1))  # (H, length * chunks * batch)
        after = []
        matrices = unit_matrices(list(self.units)).split(self.modes)
        states = state["x"].permute(1, 2, 3, 0)  # (layers, modes, 2, batch)
        for layer, (unit, film, gate) in enumerate(zip(self.units, self.films, self.gates, strict=True)):
            y, x = unit(h, states[layer], matrices[layer], last)
            after.append(x)
            if self.num_controls:
                y = _by_row(film, y, controls)
            h = h + nn.functional.glu(gate(nn.functional.gelu(y)), dim=0)
        output = self.decoder(h).reshape(CHUNK_SAMPLES, -1, batch).permute(2, 1, 0)
        return output.reshape(batch, 1, -1)[..., :samples], {"x": torch.stack(after).permute(3, 0, 1, 2)}


class LRU(EffectModel):
    """Trains an `LRUNet`.

    Args:
        channels: Width of the net, H.
        modes: Complex states per layer, N.
        num_layers: Stacked LRU blocks.
        r_min: Smallest magnitude of a mode at the start; its time constant is -1 / log(r) samples.
        r_max: Largest magnitude of a mode at the start, below 1.
        max_phase: Largest angle of a mode at the start, in radians per sample; pi is the Nyquist frequency.
        training: See `EffectModel`.
    """

    def __init__(
        self,
        channels: int = 16,
        modes: int = 32,
        num_layers: int = 3,
        r_min: float = 0.0,
        r_max: float = 0.999,
        max_phase: float = math.pi / 10,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        self.net = LRUNet(self.num_controls, channels, modes, num_layers, r_min, r_max, max_phase)


def _by_row(film: nn.Module, features: Tensor, controls: Tensor) -> Tensor:
    """FiLM with each column's own row of controls; a change of view, no copy."""
    columns = features.reshape(features.shape[0], -1, controls.shape[0])  # (H, samples, batch)
    modulated: Tensor = film(columns.permute(2, 0, 1), controls)
    return modulated.permute(1, 2, 0).reshape(features.shape[0], -1)


def _check(channels: int, modes: int, num_layers: int, r_min: float, r_max: float, max_phase: float) -> None:
    ranges = {
        "channels": (channels, channels >= 1, "1 or more"),
        "modes": (modes, modes >= 1, "1 or more"),
        "num_layers": (num_layers, num_layers >= 1, "1 or more"),
        "r_min": (r_min, 0 <= r_min < r_max, f"a magnitude from 0 to below r_max ({r_max})"),
        "r_max": (r_max, r_max < 1, "a magnitude below 1"),
        "max_phase": (max_phase, 0 < max_phase <= math.pi, "an angle above 0, up to pi"),
    }
    for name, (value, right, expected) in ranges.items():
        if not right:
            raise LRUShapeError(
                f"model.{name}", found=str(value), expected=expected, fix="Correct it in the recipe."
            )
