"""What plays a bundle's sound: one state per channel, blocks in, blocks out."""

from __future__ import annotations

from typing import Protocol

from tapezoo.bundle.play import Audio

SETTLE_BLOCK_SAMPLES = 2048


class Engine(Protocol):
    """A bundle's effect in one runtime; `Stream` checks what it is given."""

    preparation: str
    """A note on getting ready, such as the compile time, for a user who waited; "" if there is none."""

    def start(self, channels: int, controls: Audio) -> None:
        """The machine at rest at these positions, (num_controls,), for so many channels; allocates."""

    def play(self, rows: Audio, controls: Audio) -> Audio:
        """One block.

        Shape:
            rows, result: (channels, samples), whole hops; controls: (num_controls,), where they shall go.
        """
