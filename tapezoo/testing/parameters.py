"""Laws: training reaches every parameter, and every control reaches the output."""

from __future__ import annotations

import torch

from tapezoo.testing.conditions import (
    TOLERANCE,
    LawBroken,
    noise_and_tone,
    random_controls,
)
from tapezoo.training.effect import EffectModel


def check_gradients(model: EffectModel) -> None:
    """Every parameter receives a gradient."""
    net = model.net
    controls = random_controls(model)
    output, _ = net(noise_and_tone(2, 256 * net.hop_samples), controls, net.initial_state(controls))
    output.square().sum().backward()
    for name, parameter in net.named_parameters():
        silent = parameter.grad is None or not bool(parameter.grad.abs().max() > 0)
        if silent and name not in net.dead_parameters:
            raise LawBroken(f"parameter {name} receives no gradient and is not in dead_parameters")
        if not silent and name in net.dead_parameters:
            raise LawBroken(f"parameter {name} is declared dead but receives a gradient")


def check_controls(model: EffectModel) -> None:
    """Every control changes the output."""
    net = model.net
    input, low = noise_and_tone(1, 1024 * net.hop_samples), torch.full((1, model.num_controls), 0.2)
    with torch.no_grad():
        reference, _ = net(input, low, net.initial_state(low))
        for index, control in enumerate(model.controls):
            turned = low.clone()
            turned[:, index] = 0.9
            output, _ = net(input, turned, net.initial_state(turned))
            if float((output - reference).abs().max()) <= TOLERANCE:
                raise LawBroken(f"control {control.name} changes nothing")
