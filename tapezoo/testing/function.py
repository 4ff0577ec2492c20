"""Laws: a net is a pure, causal function of signal, controls and state, for any block lengths."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise

import torch

from tapezoo.net import State
from tapezoo.testing.conditions import (
    TOLERANCE,
    LawBroken,
    expect_close,
    noise_and_tone,
    random_controls,
    shapes_of,
)
from tapezoo.training.effect import EffectModel

SPLITS_SAMPLES = (1, 7, 64, 333)
SPLIT_BLOCKS = 128  # of each length, on either side of the control change; short blocks take long


def check_streaming(model: EffectModel) -> None:
    """Any split of the signal gives the same output, also while controls change."""
    net, hop = model.net, model.net.hop_samples
    input = noise_and_tone(2, 2664 // hop * hop)
    samples = input.shape[-1]
    half = samples // 2 // hop * hop
    settings = [random_controls(model), 1.0 - random_controls(model)]
    with torch.no_grad():
        first, state = net(input[..., :half], settings[0], net.initial_state(settings[0]))
        second, _ = net(input[..., half:], settings[1], state)
        whole = torch.cat([first, second], dim=-1)
        for split in SPLITS_SAMPLES:
            block = -(-split // hop) * hop
            begin, end = max(0, half - SPLIT_BLOCKS * block), min(samples, half + SPLIT_BLOCKS * block)
            cuts = sorted({0, *range(begin, half, block), *range(half, end, block), end, samples})
            parts, state = [], net.initial_state(settings[0])
            for start, stop in pairwise(cuts):
                output, state = net(input[..., start:stop], settings[start >= half], state)
                parts.append(output)
            expect_close(torch.cat(parts, dim=-1), whole, f"blocks of {block} against the whole signal")


def check_pure(model: EffectModel) -> None:
    """The given state is not modified; names and shapes are stable; rows are independent."""
    net = model.net
    input, controls = noise_and_tone(3, 64 * net.hop_samples), random_controls(model, 3)
    state = net.initial_state(controls)
    before = deepcopy(state)
    with torch.no_grad():
        output, after = net(input, controls, state)
        expect_unchanged(state, before, "the state passed in")
        if {name: value.shape for name, value in after.items()} != {n: v.shape for n, v in before.items()}:
            raise LawBroken(f"state went in as {shapes_of(before)} and came out as {shapes_of(after)}")
        if output.shape != input.shape:
            raise LawBroken(f"input of shape {tuple(input.shape)} gave output of shape {tuple(output.shape)}")
        again, _ = net(input, controls, state)
        expect_close(again, output, "a second call with the same arguments", 0.0)
        for row in range(3):
            alone, _ = net(input[row : row + 1], controls[row : row + 1], _row(state, row))
            expect_close(alone, output[row : row + 1], f"row {row} alone against row {row} in a batch")


def check_causal(model: EffectModel) -> None:
    """No output depends on a later input (lookahead delays the output instead), or on more than `receptive_field`."""
    net, hop = model.net, model.net.hop_samples
    total = -(-max(2048, 2 * (net.receptive_field or 0) + 64) // hop) * hop
    input, controls = noise_and_tone(1, total), random_controls(model, 1)
    moment = total // 2 // hop * hop
    changed = input.clone()
    changed[..., moment] += 0.5
    with torch.no_grad():
        state = net.initial_state(controls)
        difference = (net(changed, controls, state)[0] - net(input, controls, state)[0]).abs()[0, 0]
    if float(difference[:moment].max()) > TOLERANCE:
        raise LawBroken(
            f"input sample {moment} changes output before it, by {float(difference[:moment].max()):.2e}"
        )
    if float(difference[moment:].max()) <= TOLERANCE:
        raise LawBroken(f"input sample {moment} changes no output at all")
    if net.receptive_field is not None:
        last = int(torch.nonzero(difference > TOLERANCE).max())
        if last - moment >= net.receptive_field:
            raise LawBroken(
                f"receptive_field is {net.receptive_field}, but {last - moment} samples later still depend on it"
            )


def _row(state: State, row: int) -> State:
    return {name: value[row : row + 1] for name, value in state.items()}


def expect_unchanged(state: State, expected: State, what: str) -> None:
    for name, value in expected.items():
        if not torch.equal(state[name], value):
            raise LawBroken(f"{what}: {name} was modified")
