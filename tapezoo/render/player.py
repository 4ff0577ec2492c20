"""What a render asks of whatever makes the sound: a net with torch, or a bundle without."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from tapezoo.render.automation import ControlPath
from tapezoo.render.soundfiles import Interleaved


class Player(Protocol):
    """Plays one file after another, each from rest."""

    sample_rate: int  # Hz
    num_controls: int
    latency_samples: int  # of its output against its input, at its own rate

    def play(
        self,
        path: ControlPath,
        start_s: float,
        blocks: Iterable[Interleaved],
        channels: int,
        block_samples: int,
    ) -> Iterator[Interleaved]:
        """The output, as long as the input and `latency_samples` late.

        Args:
            path: Where the controls stand over time.
            start_s: The path's time at the first sample of the input, s.
            blocks: The input, at its own rate; any lengths.
            channels: Of the input, each with a state of its own.
            block_samples: How much to play at a time, rounded up to what it can.

        Raises:
            SoundFileError: The output is not finite.
        """
