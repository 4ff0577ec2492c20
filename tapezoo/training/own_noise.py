"""Noise of a net's own in training: around which net, and where the weights of a net without it go."""

from __future__ import annotations

from typing import Any

from torch import nn

from tapezoo.net import Net
from tapezoo.noisy import MOST_TAPS, PLACE, Noisy
from tapezoo.training.arguments import require
from tapezoo.training.errors import TrainingError

INSIDE = "net."  # before the names of a `Noisy`'s net


def check_noise_taps(taps: int) -> int:
    """Raises TrainingError unless the length is 0 to 4096."""
    is_length = not isinstance(taps, bool) and 0 <= taps <= MOST_TAPS
    expected = f"1 to {MOST_TAPS} samples, or 0 for no noise"
    require("noise_taps", taps, is_length, expected, of=None)
    return taps


def add_noise(net: Net, taps: int) -> Net:
    """The net with noise of so many taps; with 0 the net itself."""
    return Noisy(net, taps) if taps else net


def check_has_noise(net: Net, taps: int) -> None:
    """Raises TrainingError if noise was asked for that the net lacks."""
    if taps and not isinstance(net, Noisy):
        raise TrainingError(
            "--model.noise_taps",
            found=f"a {type(net).__name__} without noise: its model builds it in its own constructor",
            expected="a model that names its net (net_class), or passes it through `with_filters`",
            fix="Leave it out, or change the model.",
        )


def with_own_noise(net: nn.Module, weights: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Weights of a net that has no noise as those of the same net with noise, which is as it starts.

    Args:
        net: The net that is to have them; weights of its own kind are left as they are.
        weights: By name.
        prefix: Of all names of the net.
    """
    of_noise = f"{prefix}rest_{PLACE}"
    if not isinstance(net, Noisy) or of_noise in weights:
        return weights
    inside = {prefix + INSIDE + name.removeprefix(prefix): value for name, value in weights.items()}
    own = {prefix + name: value for name, value in net.state_dict().items() if not name.startswith(INSIDE)}
    return {**own, **inside}
