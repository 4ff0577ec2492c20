"""The torch player: settles a net at rest, and plays audio through it in blocks with the state carried over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import pad

from tapezoo.blocks import allowed_block, whole_hops
from tapezoo.errors import TapezooError
from tapezoo.net import KNOBS, Net, State

SETTLE_BLOCK_SAMPLES = 2048
SETTLE_LIMIT_SAMPLES = 1 << 18  # about six seconds at 44.1 kHz; slower memories are not fully settled

ControlPath = Callable[[int, int], Iterable[tuple[slice, Tensor]]]
"""(first sample, samples) of a block -> pieces of the block, and the controls (rows or 1, K) held over each."""


class StateError(TapezooError):
    """A net returned a state other than the one it declared."""


def play(net: Net, input: Tensor, controls: Tensor | ControlPath, state: State, block_samples: int) -> Tensor:
    """Plays a whole signal.

    Args:
        net: The effect.
        input: Of any length.
        controls: Constant, or a path over time.
        state: State before the first sample.
        block_samples: Block length, rounded up to whole hops.

    Shape:
        input, output: (rows, 1, samples); held controls: (rows, K).
    """
    parts = torch.split(input, whole_hops(block_samples, net.hop_samples), dim=-1)
    return torch.cat(list(stream(net, parts, controls, state)), dim=-1)


def stream(
    net: Net, signal: Iterable[Tensor], controls: Tensor | ControlPath, state: State
) -> Iterator[Tensor]:
    """Plays a signal block by block. The last partial hop is padded with silence, and the output is trimmed.

    Args:
        net: The effect.
        signal: Blocks (rows, 1, samples), all but the last in whole hops.
        controls: See `play`.
        state: See `play`.
    """
    start = 0
    for block in signal:
        rows, _, samples = block.shape
        input = pad(block, (0, -samples % net.hop_samples))
        outputs = []
        for piece, knobs in _pieces(controls, start, input.shape[-1]):
            output, state = net(input[..., piece], knobs.expand(rows, -1).contiguous(), state)
            outputs.append(output)
        start += samples
        yield torch.cat(outputs, dim=-1)[..., :samples]


def _pieces(controls: Tensor | ControlPath, start: int, samples: int) -> Iterable[tuple[slice, Tensor]]:
    if isinstance(controls, Tensor):
        return [(slice(0, samples), controls)]
    return controls(start, samples)


@torch.no_grad()
def settle(
    net: Net, controls: Tensor, tolerance: float = 1e-6, limit_samples: int = SETTLE_LIMIT_SAMPLES
) -> tuple[State, int]:
    """Feeds silence from the stored rest state until the state no longer changes; the controls glide first.

    States that run on for ever (`Net.endless_states`) are as they are at rest before every block, and after the last.

    Args:
        net: Any net.
        controls: (batch, num_controls) in 0..1.
        tolerance: Largest change of any state value over one block that counts as no change.
        limit_samples: Samples after which to stop if the state has not settled.

    Returns:
        The settled state, and the samples of silence that were needed.

    Raises:
        StateError: The net does not return the state it declares.
    """
    state = net.rest_state(controls.shape[0])
    endless = {name: state[name] for name in net.endless_states}
    block = allowed_block(SETTLE_BLOCK_SAMPLES, net.hop_samples, net.max_block_samples)
    silence = torch.zeros(controls.shape[0], 1, block, device=controls.device)
    samples = 0
    while state and samples < limit_samples:
        _, after = net(silence, controls, state)
        _check_state(net, state, after)
        after = {**after, **endless}
        samples += block
        change = max(float((after[name] - state[name]).abs().max()) for name in state)
        state = after
        # a net that never moved beyond its window may still hold samples older than one block
        if change <= tolerance and samples >= (net.receptive_field or 0):
            break
    return state, samples


def _check_state(net: Net, before: State, after: State) -> None:
    if after.keys() == before.keys():
        return
    fix = "Return every tensor declared with register_rest, and no other."
    if KNOBS in before.keys() - after.keys():
        fix = (
            "Begin forward with `trajectory, knobs = self.smoothed(controls, state, input.shape[-1])` and return "
            "`{..., **knobs}`; or pass smoothing_samples=0 to Net.__init__, if controls need no glide."
        )
    raise StateError(
        f"{type(net).__name__}.forward",
        found=f"a state with {', '.join(sorted(after)) or 'nothing'}",
        expected=f"{', '.join(sorted(before))}",
        fix=fix,
    )
