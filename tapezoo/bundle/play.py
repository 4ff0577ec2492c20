"""The player without torch: any runtime is a function of arrays, played in blocks with its state carried."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.blocks import blocks

Audio = NDArray[np.float32]  # full scale is +-1; (samples,), (rows, samples) or (rows, 1, samples)
StateArrays = dict[str, NDArray[Any]]  # name -> (rows, ...)
Step = Callable[[Audio, Audio, StateArrays], tuple[Audio, StateArrays]]
"""(input (rows, 1, samples), controls (rows, num_controls), state) -> (output, new state)."""


def repeat_rows(rest: StateArrays, rows: int) -> StateArrays:
    """A state without the batch dimension as that of every row."""
    return {name: np.repeat(value[np.newaxis], rows, axis=0) for name, value in rest.items()}


def play(
    step: Step, audio: Audio, controls: Audio, state: StateArrays, block_samples: int
) -> tuple[Audio, StateArrays]:
    """Plays audio in blocks.

    Args:
        step: Of the runtime.
        audio: Whole hops.
        controls: One setting per block; the last one is held.
        state: Before the first block; not written to.
        block_samples: Whole hops.

    Shape:
        audio, output: (rows, samples); controls: (blocks, rows, num_controls).

    Returns:
        The output, and the state after it.
    """
    output = np.empty_like(audio)
    for index, block in enumerate(blocks(audio.shape[1], block_samples)):
        piece = np.ascontiguousarray(audio[:, np.newaxis, block])
        result, state = step(piece, controls[min(index, len(controls) - 1)], state)
        output[:, block] = result[:, 0]
    return output, state


def play_from_rest(step: Step, audio: Audio, controls: Audio, rest: StateArrays, block_samples: int) -> Audio:
    """The output of `play` from a rest state without the batch dimension."""
    return play(step, audio, controls, repeat_rows(rest, len(audio)), block_samples)[0]


def settle(
    step: Step,
    controls: Audio,
    state: StateArrays,
    settle_samples: int,
    block_samples: int,
    endless: Collection[str] = (),
) -> StateArrays:
    """The state after silence.

    Args:
        step: Of the runtime.
        controls: (rows, num_controls), held.
        state: Before it.
        settle_samples: How long the silence is, rounded up to whole blocks; 0: the state stays as it is.
        block_samples: Whole hops.
        endless: Names of states that run on for ever, see `Manifest`: they stay as they are.
    """
    held = {name: state[name] for name in endless}
    silence = np.zeros((len(controls), 1, block_samples), np.float32)
    for _ in blocks(settle_samples if state else 0, block_samples):
        _, after = step(silence, controls, state)
        state = {**after, **held}
    return state
