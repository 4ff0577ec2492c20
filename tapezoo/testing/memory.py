"""Laws: the output stays finite, and the memory of past input fades."""

from __future__ import annotations

import torch

from tapezoo.testing.conditions import (
    SAMPLE_RATE_HZ,
    SETTLED_TOLERANCE,
    LawBroken,
    expect_close,
    noise_and_tone,
    random_controls,
)
from tapezoo.training.effect import EffectModel

FADING_MEMORY_SAMPLES = SAMPLE_RATE_HZ // 2
FINITE_SAMPLES = 8192
REST_SAMPLES = SAMPLE_RATE_HZ


def check_finite(model: EffectModel) -> None:
    """Silence, full scale and DC stay finite."""
    net, controls = model.net, random_controls(model, 1)
    samples = FINITE_SAMPLES // net.hop_samples * net.hop_samples
    signals = {"silence": torch.zeros(1, 1, samples), "DC": torch.ones(1, 1, samples)}
    signals["full scale"] = torch.sign(noise_and_tone(1, samples))
    for name, input in signals.items():
        with torch.no_grad():
            output, state = net(input, controls, net.initial_state(controls))
        if not all(bool(torch.isfinite(value).all()) for value in (output, *state.values())):
            raise LawBroken(f"{name} gives NaN or infinity")


def check_fading_memory(model: EffectModel) -> None:
    """Whatever the starting state, outputs converge on the same input; states that run on for ever are all alike."""
    net, hop = model.net, model.net.hop_samples
    samples = -(-max(FADING_MEMORY_SAMPLES, net.receptive_field or 0) // hop) * hop
    input, controls = (
        noise_and_tone(3, samples + 1024 * hop)[:1].expand(3, -1, -1),
        random_controls(model, 1).expand(3, -1),
    )
    rest = net.initial_state(controls)
    rest |= {name: rest[name][:1].expand_as(rest[name]) for name in net.endless_states}
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        _, loud = net(torch.sign(noise_and_tone(3, 1024 * hop)), controls, rest)
        heard = rest.keys() - set(
            net.endless_states
        )  # where a net is in a loop is no memory of what it heard
        noise = {
            n: v + 0.1 * torch.randn(v.shape, generator=generator) for n, v in rest.items() if n in heard
        }
        state = {
            n: torch.cat([rest[n][:1], noise[n][1:2], loud[n][2:3]]) if n in heard else rest[n] for n in rest
        }
        output, _ = net(input, controls, state)
    tail = output[..., samples:]
    expect_close(tail[1:2], tail[:1], f"{samples} samples after a random state", SETTLED_TOLERANCE)
    expect_close(tail[2:3], tail[:1], f"{samples} samples after a loud passage", SETTLED_TOLERANCE)


def check_rest(model: EffectModel) -> None:
    """Silence from rest stays within 1e-4 of its settled output: no pop at the start."""
    net, controls = model.net, model.default_controls()
    silence = torch.zeros(1, 1, -(-REST_SAMPLES // net.hop_samples) * net.hop_samples)
    with torch.no_grad():
        output, _ = net(silence, controls, net.initial_state(controls))
    expect_close(
        output, output[..., -1:].expand_as(output), "silence from rest against its end", SETTLED_TOLERANCE
    )
