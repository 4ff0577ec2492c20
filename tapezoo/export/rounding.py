"""How far rounding alone moves a net's output: no runtime can be expected to be closer."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tapezoo.bundle import StateArrays, Step
from tapezoo.bundle.play import Audio, play_from_rest
from tapezoo.net import Net

ROUNDING = 1e-6  # a few roundings of float32
MOVED_SHARE = (
    0.5  # of the effect of moving all weights at once: runtimes round only some operations differently
)


def net_step(net: Net) -> Step:
    """The net as a function of arrays."""

    def step(input: Audio, controls: Audio, state: StateArrays) -> tuple[Audio, StateArrays]:
        tensors = {name: torch.from_numpy(value) for name, value in state.items()}
        with torch.no_grad():
            output, after = net(torch.from_numpy(input), torch.from_numpy(controls), tensors)
        return output.numpy(), {name: value.numpy() for name, value in after.items()}

    return step


@torch.no_grad()
def perturb_weights(net: Net) -> Net:
    """A copy with every weight up or down by `ROUNDING` of itself, always the same ones."""
    moved = copy.deepcopy(net)
    generator = torch.Generator().manual_seed(0)
    for parameter in moved.parameters():
        signs = torch.randint(0, 2, parameter.shape, generator=generator) * 2 - 1
        parameter.mul_(1 + ROUNDING * signs)
    return moved


def rounding_of(
    net: Net, output: Audio, audio: Audio, controls: Audio, rest: StateArrays, block_samples: int
) -> float:
    """How far rounding takes the net from `output`, sample value; 0 where nothing could be found out.

    The larger one of `distance_from_exact` and `rounding_by_weights`: one way of rounding is not representative where a
    net amplifies errors at some moment of the signal. An LSTM was 13 times as far in another runtime.

    Args:
        net: In evaluation mode on the CPU; left as it is.
        output: Of the net in single precision, by `play_from_rest` with the arguments that follow.
        audio: See `play_from_rest`.
        controls: See `play_from_rest`.
        rest: See `play_from_rest`.
        block_samples: See `play_from_rest`.
    """
    return max(
        distance_from_exact(net, output, audio, controls, rest, block_samples),
        rounding_by_weights(net, output, audio, controls, rest, block_samples),
    )


def rounding_by_weights(
    net: Net, output: Audio, audio: Audio, controls: Audio, rest: StateArrays, block_samples: int
) -> float:
    """`MOVED_SHARE` of how far `perturb_weights` takes the net from `output`; arguments as of `rounding_of`."""
    moved = play_from_rest(net_step(perturb_weights(net)), audio, controls, rest, block_samples)
    return MOVED_SHARE * _distance(output, moved)


def distance_from_exact(
    net: Net, output: Audio, audio: Audio, controls: Audio, rest: StateArrays, block_samples: int
) -> float:
    """How far `output` is from the same net's in double precision, 0 if it cannot run in it; see `rounding_of`."""
    exact = {
        name: value.astype(np.float64) if value.dtype == np.float32 else value for name, value in rest.items()
    }
    twin = copy.deepcopy(net).double()
    try:
        wanted = play_from_rest(
            net_step(twin), audio.astype(np.float64), controls.astype(np.float64), exact, block_samples
        )
    except (RuntimeError, TypeError, ValueError):  # tensors of its own in single precision
        return 0.0
    return _distance(output, wanted)


def _distance(output: Audio, wanted: NDArray[np.floating[Any]]) -> float:
    distance = float(np.abs(output - wanted).max())
    return distance if np.isfinite(distance) else 0.0
