"""The contract every architecture keeps: an effect is a pure function of signal, controls and state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor, nn

State = dict[str, Tensor]  # name -> (batch, ...); empty for a memoryless net

SETTLE_BLOCK_SAMPLES = 2048
SETTLE_LIMIT_SAMPLES = 1 << 18  # about six seconds at 44.1 kHz: slower memories are left where they are


class Net(nn.Module, ABC):
    """An audio effect: `output, state = net(input, controls, state)`, for blocks of any length.

    A subclass fills the three fields below in its `__init__`, declares each state tensor with
    `register_rest`, and writes `forward`. It never keeps anything between two calls of `forward`.
    """

    receptive_field: int | None
    """Input samples one output sample depends on; None: unbounded (recurrent)."""
    latency_samples: int = 0
    """Delay of the output against the input; 0 for a causal net without lookahead."""
    hop_samples: int = 1
    """Block lengths must be multiples of it; 1 for all but block-based nets."""
    num_controls: int

    def __init__(self, num_controls: int, receptive_field: int | None) -> None:
        super().__init__()
        self.num_controls = num_controls
        self.receptive_field = receptive_field
        self._state_names: list[str] = []

    @abstractmethod
    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """Processes one block.

        Shape:
            input: (batch, 1, samples), full scale is +-1.
            controls: (batch, num_controls) in 0..1.
            output: as input; the new state has the names and shapes of the old one.
        """

    def register_rest(self, name: str, rest: Tensor) -> None:
        """Declares the state tensor `name` with its value at rest, without the batch dimension."""
        self.register_buffer(f"rest_{name}", rest)
        self._state_names.append(name)

    def initial_state(self, controls: Tensor) -> State:
        """The stored rest state, one copy per row of `controls` (batch, num_controls).

        Training settles it at the controls' defaults (`store_rest`) before each validation; `settle`
        carries it on to any other controls.
        """
        batch = controls.shape[0]
        state = {}
        for name in self._state_names:
            rest = self.get_buffer(f"rest_{name}")
            state[name] = rest.unsqueeze(0).expand(batch, *rest.shape).clone()
        return state

    def store_rest(self, state: State) -> None:
        """Keeps the first row of `state` as what `initial_state` returns from now on."""
        for name in self._state_names:
            self.get_buffer(f"rest_{name}").copy_(state[name][0])


@torch.no_grad()
def settle(
    net: Net, controls: Tensor, tolerance: float = 1e-6, limit_samples: int = SETTLE_LIMIT_SAMPLES
) -> tuple[State, int]:
    """Feeds silence from the stored rest state until the state stands still.

    Args:
        net: Any net.
        controls: (batch, num_controls) in 0..1.
        tolerance: The largest change of any state value over one block that counts as standing still.
        limit_samples: Where to stop with a memory that is slower than that, or never settles.

    Returns:
        The settled state, and the samples of silence it took.
    """
    state = net.initial_state(controls)
    block = whole_hops(SETTLE_BLOCK_SAMPLES, net.hop_samples)
    silence = torch.zeros(controls.shape[0], 1, block, device=controls.device)
    samples = 0
    while state and samples < limit_samples:
        _, after = net(silence, controls, state)
        samples += block
        change = max(float((after[name] - state[name]).abs().max()) for name in state)
        state = after
        # a net that never moved beyond its window may still hold samples older than one block
        if change <= tolerance and samples >= (net.receptive_field or 0):
            break
    return state, samples


def whole_hops(samples: int, hop_samples: int) -> int:
    """`samples` rounded up to a multiple of `hop_samples`."""
    return -(-samples // hop_samples) * hop_samples


def blocks(total_samples: int, block_samples: int) -> Iterator[slice]:
    """Slices that cut `total_samples` into blocks of `block_samples`, the last one shorter."""
    for start in range(0, total_samples, block_samples):
        yield slice(start, min(start + block_samples, total_samples))
