"""What an excitation was made from, as 40 bits. They are played in its first mark, so the sound alone identifies it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal, get_args

VERSION = 1  # of the programme's plan: another plan is another version
MINUTES = range(1, 61)
SEEDS = range(1 << 16)
Pilot = Literal["none", "pulses", "tone"]
PILOTS: tuple[Pilot, ...] = get_args(Pilot)

_WIDTHS = (4, 6, 1, 2, 16)  # version, minutes, music, pilot, seed
_CHECK_BITS = 11
CODE_BITS = sum(_WIDTHS) + _CHECK_BITS


@dataclass(frozen=True)
class Design:
    """All that the places of an excitation's segments depend on, and the seed of what is random in them.

    Args:
        minutes: Length of the file, 1 to 60.
        seed: 0 to 65535.
        has_music: Whether it holds music of the user's.
        pilot: What the second channel holds; "none": there is no second channel.
    """

    minutes: int
    seed: int = 0
    has_music: bool = False
    pilot: Pilot = "none"

    def __str__(self) -> str:
        music = ", own music" if self.has_music else ""
        pilot = (
            ""
            if self.pilot == "none"
            else f", pilot of {self.pilot}"
            if self.pilot == "pulses"
            else ", pilot tone"
        )
        return f"{self.minutes} min, seed {self.seed}{music}{pilot}"


def encode(design: Design) -> tuple[bool, ...]:
    """The design, and a checksum, as `CODE_BITS` bits, the highest first.

    >>> decode(encode(Design(5, seed=7, pilot="tone")))
    Design(minutes=5, seed=7, has_music=False, pilot='tone')
    """
    values = (VERSION, design.minutes, int(design.has_music), PILOTS.index(design.pilot), design.seed)
    word = 0
    for value, width in zip(values, _WIDTHS, strict=True):
        word = word << width | value
    word = word << _CHECK_BITS | _checksum(word)
    return tuple(bool(word >> place & 1) for place in reversed(range(CODE_BITS)))


def decode(bits: tuple[bool, ...]) -> Design | None:
    """The design that `bits` stand for; None where the checksum or a value says that they stand for none.

    >>> decode((True,) * CODE_BITS) is None
    True
    """
    word = sum(int(bit) << place for place, bit in zip(reversed(range(CODE_BITS)), bits, strict=True))
    check, word = word & (1 << _CHECK_BITS) - 1, word >> _CHECK_BITS
    if check != _checksum(word):
        return None
    values = []
    for width in reversed(_WIDTHS):
        values.append(word & (1 << width) - 1)
        word >>= width
    seed, pilot, music, minutes, version = values
    if version != VERSION or minutes not in MINUTES or pilot >= len(PILOTS):
        return None
    return Design(minutes, seed, bool(music), PILOTS[pilot])


def _checksum(word: int) -> int:
    return zlib.crc32(word.to_bytes(8, "big")) & (1 << _CHECK_BITS) - 1
