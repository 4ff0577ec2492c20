"""How controls modulate a net's features: four layers with one signature, chosen by name."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from tapezoo.layers.affine import Mixing, Scaling, fold_into_next
from tapezoo.layers.conditioner import Conditioner, State
from tapezoo.layers.temporal_film import TemporalFiLM


class FiLM(Conditioner):
    """Feature-wise linear modulation: `h g(controls) + b(controls)`, g and b affine in the controls.

    Perez et al., "FiLM: visual reasoning with a general conditioning layer", AAAI 2018. A net without
    controls has no parameters here and leaves the features as they are. Fresh weights modulate around
    g = 1, b = 0.

    Args:
        num_controls: Length of the control vector, K, 0 or more.
        channels: Of the features, C; `2 C (K + 1)` parameters where K > 0.
    """

    def __init__(self, num_controls: int, channels: int) -> None:
        super().__init__()
        self.affine = nn.Linear(num_controls, 2 * channels) if num_controls else None
        if self.affine is not None:
            with torch.no_grad():
                self.affine.bias[:channels] = 1.0
                self.affine.bias[channels:] = 0.0

    def forward(self, features: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Conditioner.forward`."""
        if self.affine is None:
            return features, {}
        modulation = self.affine(controls.transpose(1, 2)).transpose(1, 2)  # (batch, 2 C, 1 or samples)
        gain, offset = modulation.chunk(2, dim=1)
        return features * gain + offset, {}

    @torch.no_grad()
    def held(self, controls: Tensor) -> Conditioner:
        """See `Conditioner.held`: a gain and an offset per channel."""
        return self if self.affine is None else Scaling(*self.affine(controls).chunk(2))


class SoftsignGLU(nn.Module):
    """Gated linear unit with a softsign gate: `(U h + u) softsign(V h + v)`.

    Dauphin et al., "Language modeling with gated convolutional networks", ICML 2017, with the gate of
    Simionato, Fasciani, "Hybrid neural audio effects", SMC 2024.

    Args:
        channels: In and out; `2 channels (channels + 1)` parameters.

    Shape:
        features, output: (batch, channels, samples).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Linear(channels, 2 * channels)

    def forward(self, features: Tensor) -> Tensor:
        """The gated features."""
        linear, gate = self.mix(features.transpose(1, 2)).transpose(1, 2).chunk(2, dim=1)
        gated: Tensor = linear * nn.functional.softsign(gate)
        return gated


class FiLMGLU(Conditioner):
    """`FiLM` followed by `SoftsignGLU`, as in Simionato, Fasciani, "Hybrid neural audio effects", SMC 2024.

    Args:
        num_controls: K, 0 or more; without controls only the gated unit remains.
        channels: C; `2 C (C + 1)` parameters beside FiLM's.
    """

    def __init__(self, num_controls: int, channels: int) -> None:
        super().__init__()
        self.film = FiLM(num_controls, channels)
        self.glu = SoftsignGLU(channels)

    def forward(self, features: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Conditioner.forward`."""
        modulated, _ = self.film(features, controls, {})
        return self.glu(modulated), {}

    @torch.no_grad()
    def held(self, controls: Tensor) -> Conditioner:
        """See `Conditioner.held`: the gated unit alone, its weights scaled by FiLM's constants."""
        film = self.film.held(controls)
        if not isinstance(film, Scaling):
            return self
        left = copy.deepcopy(self)
        left.film = FiLM(0, film.gain.shape[0])
        weight, bias = fold_into_next(film, self.glu.mix.weight, self.glu.mix.bias)
        left.glu.mix.weight.copy_(weight)
        left.glu.mix.bias.copy_(bias)
        return left


class Concatenation(Conditioner):
    """`W (h, controls) + b`: the controls are appended to the features, followed by a 1x1 convolution.

    The conditioning of van den Oord et al., "WaveNet: a generative model for raw audio", 2016, section 2.5, by a
    vector. Fresh weights are the identity on the features; without controls there are none.

    Args:
        num_controls: K, 0 or more.
        channels: C; `C (C + K + 1)` parameters where K > 0.
    """

    def __init__(self, num_controls: int, channels: int) -> None:
        super().__init__()
        self.mix = nn.Linear(channels + num_controls, channels) if num_controls else None
        if self.mix is not None:
            with torch.no_grad():
                self.mix.weight[:, :channels] = torch.eye(channels)
                self.mix.weight[:, channels:].mul_(0.1)
                self.mix.bias.zero_()

    def forward(self, features: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Conditioner.forward`."""
        if self.mix is None:
            return features, {}
        channels = features.shape[1]
        of_features, of_controls = self.mix.weight[:, :channels], self.mix.weight[:, channels:]
        # kept separate because constant controls have only one column
        mixed = torch.matmul(of_features, features) + torch.matmul(of_controls, controls)
        return mixed + self.mix.bias.unsqueeze(-1), {}

    @torch.no_grad()
    def held(self, controls: Tensor) -> Conditioner:
        """See `Conditioner.held`: the 1x1 convolution of the features alone."""
        if self.mix is None:
            return self
        channels = self.mix.out_features
        of_controls = self.mix.weight[:, channels:] @ controls
        return Mixing(self.mix.weight[:, :channels], self.mix.bias + of_controls)


_CLASSES: dict[str, type[FiLM] | type[FiLMGLU] | type[Concatenation] | type[TemporalFiLM]] = {
    "film": FiLM,
    "film_glu": FiLMGLU,
    "concat": Concatenation,
    "temporal_film": TemporalFiLM,
}
CONDITIONERS = tuple(_CLASSES)


def conditioner(name: str, num_controls: int, channels: int) -> Conditioner:
    """The conditioning layer with this name.

    Args:
        name: One of `CONDITIONERS`.
        num_controls: Number of knobs, 0 or more.
        channels: Channels of the features.

    Raises:
        ValueError: No layer has this name.
    """
    if name not in _CLASSES:
        raise ValueError(f"no conditioning layer {name!r}; there are {', '.join(CONDITIONERS)}")
    return _CLASSES[name](num_controls, channels)
