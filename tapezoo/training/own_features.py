"""Features of the signal as controls of a net in training: which there are, and around which net."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from tapezoo.featured import Featured
from tapezoo.filtered import Filtered
from tapezoo.layers.features import FEATURES
from tapezoo.net import Net
from tapezoo.noisy import Noisy
from tapezoo.training.arguments import require
from tapezoo.training.errors import TrainingError


def check_features(features: Sequence[str] | None) -> tuple[str, ...]:
    """Raises TrainingError unless they are names of features, each once."""
    names = tuple(features or ())
    known = all(name in FEATURES for name in names) and len(set(names)) == len(names)
    require("features", list(names), known, f"some of {', '.join(FEATURES)}, each once", of=None)
    return names


def add_features(net: Net, features: Sequence[str], sample_rate: int, num_controls: int) -> Net:
    """The net with these features as its last controls; without any, the net itself.

    Raises:
        TrainingError: A net that cannot follow them, or was built without controls for them.
    """
    if not features:
        return net
    if net.cannot_follow:
        raise TrainingError(
            "--model.features",
            found=f"a {type(net).__name__}, {net.cannot_follow}",
            expected="a net whose controls reach it sample by sample, such as LSTM, GRU, WaveNet, TCN or S4D",
            fix="Leave them out, or choose another model or conditioning.",
        )
    if net.num_controls != num_controls + len(features):
        raise TrainingError(
            "--model.features",
            found=f"a {type(net).__name__} with {net.num_controls} controls: its model builds it without the features",
            expected=f"{num_controls} knobs and {len(features)} features",
            fix="Leave them out, or build the net with `self.net_controls` controls.",
        )
    return Featured(net, features, sample_rate)


def check_has_features(net: nn.Module, features: Sequence[str]) -> None:
    """Raises TrainingError if features were asked for that the net is not told."""
    while isinstance(net, Filtered | Noisy):
        net = net.net
    if features and not isinstance(net, Featured):
        raise TrainingError(
            "--model.features",
            found=f"a {type(net).__name__} without them: its model builds it in its own constructor",
            expected="a model that names its net (net_class), or passes it through `with_filters`",
            fix="Leave them out, or change the model.",
        )
