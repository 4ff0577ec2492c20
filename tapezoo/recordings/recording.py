"""What a user hands to `prepare`: pairs of files, perhaps with a pilot, and how they are to be treated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tapezoo.data.pairs import Pair


@dataclass(frozen=True)
class Recording:
    """One pair, and the pilot that was recorded beside it.

    Args:
        pair: Its files, controls and split, as a pairs file has them.
        pilot: Files of the pilot that was played and of what came back, recorded in the same take.
    """

    pair: Pair
    pilot: tuple[Path, Path] | None = None

    @property
    def name(self) -> str:
        """What to call it on the screen."""
        return self.pair.wet.name


@dataclass(frozen=True)
class Wishes:
    """What the user asks for beside the files.

    Args:
        sample_rate: Of the data set, Hz; None: the rate that most files have.
        keep_polarity: An inverted wet stays inverted.
        dry_channel: The channel of dry to use, from 1; None: all, where they fit.
        wet_channel: The same for wet.
    """

    sample_rate: int | None = None
    keep_polarity: bool = False
    dry_channel: int | None = None
    wet_channel: int | None = None
