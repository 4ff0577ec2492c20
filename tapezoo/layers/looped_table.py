"""A table read as a loop: the place in it is part of the state, so streaming is one pass and nothing is drawn."""

from __future__ import annotations

import torch
from torch import Tensor, nn

APART = 0.6180339887  # of the loop, between rows: any number of rows is spread over it (golden section)


class LoopedTable(nn.Module):
    """One sample of a table after another, over and over, each row of a batch from a place of its own.

    A net keeps the place in a state that runs on for ever (`Net.register_endless`), (batch,) and int64: a counter in
    float32 would stand still at 2^24. At rest a row has no place yet, and its state is `rest`, a negative number: the
    first row begins that many samples into the loop, the second twice as many, and so on. A host that wants another
    take sets the place to any number of samples, 0 or more, before the first block.

    Args:
        table: (length,), the loop.
        begin: Added to where all rows begin, samples, 0 or more: another number, another take.
    """

    table: Tensor

    def __init__(self, table: Tensor, begin: int = 0) -> None:
        super().__init__()
        if table.dim() != 1 or not len(table):
            raise ValueError(f"a table of shape {tuple(table.shape)}; it must be (length,), 1 or more")
        self.register_buffer("table", table.roll(-begin))

    @property
    def rest(self) -> Tensor:
        """The place of a row that has not begun, to be registered as the rest state."""
        return torch.tensor(-max(1, round(APART * len(self.table))))

    def begun(self, place: Tensor) -> Tensor:
        """The places of all rows: as they are, or where a row begins that is at rest; (batch,)."""
        return place.clamp(min=0) - place.clamp(max=0).cumsum(0)

    def forward(self, place: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        """The next samples of every row, (batch, samples), and the places after them, (batch,).

        Args:
            place: (batch,), int64.
            samples: Length of the block.
        """
        place = self.begun(place)
        number = torch.arange(samples, device=place.device)
        return (
            self.table[(place[:, None] + number) % len(self.table)],
            (place + samples) % len(self.table),
        )
