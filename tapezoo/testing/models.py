"""The models that the laws are checked on."""

from __future__ import annotations

from typing import Any

import torch

from tapezoo.controls import Control
from tapezoo.play import settle
from tapezoo.testing.conditions import (
    SAMPLE_RATE_HZ,
)
from tapezoo.training.effect import EffectModel

CONTROLS = [
    Control("first", default=0.3).to_dict(),
    Control("second", 1.0, 100.0, 10.0, curve="log").to_dict(),
]

ModelClass = type[EffectModel]


def fresh(model_class: ModelClass, controls: list[dict[str, Any]], **arguments: Any) -> EffectModel:
    """A model before any training."""
    return model_class(sample_rate=SAMPLE_RATE_HZ, controls=controls, **arguments)


def perturbed(
    model_class: ModelClass, controls: list[dict[str, Any]], seed: int = 0, **arguments: Any
) -> EffectModel:
    """A model with fresh weights plus noise, so that nothing is exactly zero.

    Noise has a tenth of a fresh tensor's own spread, at least 0.01.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = fresh(model_class, controls, **arguments)
        with torch.no_grad():
            for parameter in model.net.parameters():
                spread = float(parameter.std()) if parameter.numel() > 1 else 0.0
                parameter.add_(torch.randn_like(parameter) * max(0.1 * spread, 0.01))
    model.eval()
    state, _ = settle(model.net, model.default_controls())
    model.net.store_rest(state)
    return model


def dead_parameters(model_class: ModelClass) -> dict[str, str]:
    """Parameters that the net declares to receive no gradient, name -> reason; empty if no net can be built."""
    try:
        return fresh(model_class, CONTROLS).net.dead_parameters
    except Exception:  # a model under test can raise anything; then every law reports it
        return {}
