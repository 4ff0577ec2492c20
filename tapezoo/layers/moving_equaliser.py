"""An equaliser while its controls move: scripted for traced graphs, and therefore plain functions of tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from tapezoo.layers.ranges import tensors_to_range
from tapezoo.layers.recurrence import (
    recur_changing,
)
from tapezoo.layers.sections import (
    Sections,
    StateVariable,
    discretise,
    high_shelf,
    low_shelf,
    peak,
)


def chain_constants(count: int, like: Tensor) -> list[Tensor]:
    """Constants that join `count` sections into one filter, whose state is the sections' states and a constant 1.

    Returns:
        gaps (count + 1, 1 + count, count): 1 if a section (third index) lies between a destination (first index: each
        section, then the output) and a source (second index: the input, then each section's state).
        earlier (count + 1, 1 + count): 1 if the source comes before the destination.
        diagonal (count, 1, count, 1): 1 where both indices are equal.
        corner (2 count + 1, 2 count + 1): keeps the constant 1 in the state.
    """
    place = torch.arange(count + 1, device=like.device)
    after, source = place[:, None], place[None, :]
    gaps = (source[..., None] <= place[:count]) & (place[:count] < after[..., None])
    corner = torch.zeros(2 * count + 1, 2 * count + 1)
    corner[-1, -1] = 1.0
    parts = (gaps, source <= after, torch.eye(count)[:, None, :, None], corner)
    return [part.to(like) for part in parts]


def equaliser_settings(numbers: Tensor, bounds: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """gain_db, frequency_hz and q, (sections, ...) each, from the numbers of an equaliser (3 sections, ...)."""
    gain, frequency, q = numbers.chunk(3)
    return (
        15.0 * torch.tanh(gain),
        tensors_to_range(frequency, bounds[0], bounds[1]),
        tensors_to_range(q, torch.tensor(0.3), bounds[2]),  # LOWEST_Q; scripts read no module constants
    )


def equaliser_sections(numbers: Tensor, bounds: list[Tensor], sample_rate: int) -> Sections:
    gain_db, frequency_hz, q = equaliser_settings(numbers, bounds)
    low = low_shelf(gain_db[:1], frequency_hz[:1], q[:1], sample_rate)
    middle = peak(gain_db[1:-1], frequency_hz[1:-1], q[1:-1], sample_rate)
    high = high_shelf(gain_db[-1:], frequency_hz[-1:], q[-1:], sample_rate)
    return discretise(
        StateVariable(
            torch.cat([low.g, middle.g, high.g]),
            torch.cat([low.k, middle.k, high.k]),
            torch.cat([low.m0, middle.m0, high.m0]),
            torch.cat([low.m1, middle.m1, high.m1]),
            torch.cat([low.m2, middle.m2, high.m2]),
        )
    )


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def play_moving_or_still(
    input: Tensor,
    controls: Tensor,
    trajectory: Tensor,
    state: Tensor,
    still: tuple[Tensor, Tensor],
    hyper: list[Tensor],
    bounds: list[Tensor],
    chain: list[Tensor],
    count: int,
    sample_rate: int,
) -> tuple[Tensor, Tensor]:
    """`play_moving` if any control moves in this block, otherwise `still`; a graph decides during playback."""
    if bool((trajectory != controls.unsqueeze(-1)).any()):
        return play_moving(input, trajectory, state, hyper, bounds, chain, count, sample_rate)
    return still


def play_moving(
    input: Tensor,
    trajectory: Tensor,
    state: Tensor,
    hyper: list[Tensor],
    bounds: list[Tensor],
    chain: list[Tensor],
    count: int,
    sample_rate: int,
) -> tuple[Tensor, Tensor]:
    """An equaliser with new coefficients at every sample, see `ParametricEQ.forward`.

    Trapezoidal state-variable filters stay stable while they change: each transition is a contraction.

    Shape:
        trajectory: (batch, K, samples); the others as in `ParametricEQ.forward`.
    """
    bent = torch.tanh(torch.nn.functional.linear(trajectory.transpose(1, 2), hyper[1], hyper[2]))
    numbers = hyper[0] + torch.nn.functional.linear(bent, hyper[3])  # (batch, samples, 3 sections)
    sections = equaliser_sections(numbers.permute(2, 0, 1), bounds, sample_rate)
    # the gain from the input and from every section to the input of each section, and to the output
    gaps, earlier, diagonal, corner = chain[0], chain[1], chain[2], chain[3]
    passed = 1 + gaps * (sections.direct.permute(1, 2, 0).unsqueeze(2).unsqueeze(2) - 1)
    passed = passed.prod(-1) * earlier  # (batch, samples, count + 1, 1 + count)
    rows, size = input.shape[0], 2 * count + 1
    own = passed[..., 1:].unsqueeze(-1) * sections.leave.permute(1, 2, 0, 3).unsqueeze(2)
    own = own.reshape(rows, -1, count + 1, 2 * count)  # (batch, samples, count + 1, states)
    heard = torch.cat([own, passed[..., :1] * input.transpose(1, 2).unsqueeze(-1)], dim=-1)
    entered = sections.enter.permute(1, 2, 0, 3).unsqueeze(-1) * heard[:, :, :-1].unsqueeze(3)
    kept = sections.transition.permute(1, 2, 0, 3, 4).unsqueeze(4) * diagonal
    kept = torch.nn.functional.pad(kept.reshape(rows, -1, 2 * count, 2 * count), [0, 1])
    step = torch.nn.functional.pad(entered.reshape(rows, -1, 2 * count, size) + kept, [0, 0, 0, 1]) + corner
    start = torch.cat([state.reshape(-1, 2 * count), torch.ones_like(state[:, 0, :1])], dim=1)
    output, after = recur_changing(step, heard[:, :, -1], start, size)
    return output.unsqueeze(1), after[:, : 2 * count].reshape(-1, count, 2)
