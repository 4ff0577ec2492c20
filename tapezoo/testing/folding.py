"""Law: a net with its controls folded into its weights is equal to the net itself."""

from __future__ import annotations

import re
import warnings
from copy import deepcopy

import torch
from torch import Tensor

from tapezoo.export.targets.target import graph_of
from tapezoo.net import SMOOTHING_SAMPLES, Net, State
from tapezoo.play import settle
from tapezoo.testing.conditions import (
    SAMPLE_RATE_HZ,
    LawBroken,
    expect_close,
    noise_and_tone,
    random_controls,
    shapes_of,
)
from tapezoo.training.effect import EffectModel

# glides from any state: the controls must be constant, other memory need not be settled
FOLDED_SETTLE_GLIDES = 2
FOLDED_BLOCKS_SAMPLES = (1, 64, 333, 1000)


def check_folded(model: EffectModel) -> None:
    """With its controls folded into its weights, the net continues from any state like the original at those controls.

    Checked at the corners, the middle and random positions. All points have the same graph, and the original is
    unchanged.

    Raises:
        UnfoldableError: The net's reason why it cannot be folded; the table shows it.
    """
    net = model.net
    before = deepcopy(net.state_dict())
    positions = _positions(model)
    points = [net.folded(position) for position in positions]
    for name, value in net.state_dict().items():
        if not torch.equal(value, before[name]):
            raise LawBroken(f"folding changes {name} of the original")
    expect_same_form(points, net.rest_state(1))
    state, _ = settle(
        net, positions, limit_samples=FOLDED_SETTLE_GLIDES * max(SMOOTHING_SAMPLES, net.smoothing_samples)
    )
    begun = net.initial_state(positions)  # at rest each row would begin a loop as the first one
    state |= {name: begun[name] for name in net.endless_states}
    states = [{name: state[name][[row]] for name in point.rest_state(1)} for row, point in enumerate(points)]
    nothing = torch.zeros(1, 0)
    for number, input in enumerate(_programme(net.hop_samples)):
        with torch.no_grad():
            expected, state = net(input.expand(len(points), -1, -1), positions, state)
            for row, point in enumerate(points):
                where = f"block {number} at controls {[round(value, 2) for value in positions[row].tolist()]}"
                output, states[row] = point(input, nothing, states[row])
                expect_close(output, expected[row : row + 1], f"the folded net, {where}")
                for name, value in states[row].items():
                    expect_close(
                        value, state[name][row : row + 1], f"state {name} of the folded net, {where}"
                    )


def expect_same_form(points: list[Net], rest: State) -> None:
    """All points have the same class, names, shapes and graph, no controls, and a state that is part of the net's."""
    forms = []
    for point in points:
        if point.num_controls:
            raise LawBroken(f"the folded net has {point.num_controls} controls")
        for name, value in point.rest_state(1).items():
            if name not in rest or (value.shape, value.dtype) != (rest[name].shape, rest[name].dtype):
                raise LawBroken(f"state {name} of the folded net is not the net's own {shapes_of(rest)}")
        tensors = {name: (value.shape, value.dtype) for name, value in point.state_dict().items()}
        forms.append((type(point), tensors))
    if any(form != forms[0] for form in forms):
        raise LawBroken("two points differ in their class, or in names or shapes of their tensors")
    if _graph(points[0]) != _graph(points[-1]):
        raise LawBroken("two points do not trace to the same graph")


def _graph(net: Net) -> str:
    graph = graph_of(net, {})
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer's warnings about Python conditions
        traced = torch.jit.trace(graph.net.eval(), graph.example, check_trace=False)  # type: ignore[no-untyped-call]
    return re.sub(r"___torch_mangle_\d+\.", "", str(traced.inlined_graph))  # the tracer numbers these


def _positions(model: EffectModel) -> Tensor:
    """Corners, the middle and two random positions of the controls."""
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * model.num_controls)
    middle = torch.full((1, model.num_controls), 0.5)
    return torch.cat([corners.reshape(-1, model.num_controls), middle, random_controls(model)])


def _programme(hop_samples: int) -> list[Tensor]:
    """Noise, then a struck tone that decays, in blocks of several lengths, (1, 1, samples) each."""
    lengths = [-(-samples // hop_samples) * hop_samples for samples in FOLDED_BLOCKS_SAMPLES]
    samples = sum(lengths)
    time = torch.arange(samples) / SAMPLE_RATE_HZ
    struck = 0.9 * torch.sin(2 * torch.pi * 330.0 * time) * torch.exp(-time / 0.02)
    signals = (noise_and_tone(1, samples, seed=3), struck.reshape(1, 1, samples))
    return [block for signal in signals for block in torch.split(signal, lengths, dim=-1)]
