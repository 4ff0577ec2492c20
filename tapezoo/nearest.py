"""Which of the known names a mistyped one may have been meant for."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable

CUTOFF = 0.6  # of difflib's ratio: below it names have little in common


def nearest_names(name: str, known: Iterable[str], most: int = 1, cutoff: float = CUTOFF) -> list[str]:
    """The known names that take the fewest slips of the keyboard to become `name`, the nearest first.

    Among equally near ones a name of the same length comes first: a wrong letter is likelier than a missing one, so
    that LSTN is LSTM and not STN. Case is ignored.

    Args:
        name: As typed.
        known: What there is.
        most: How many at most.
        cutoff: 0 to 1; lower ones find more.
    """
    return list(_nearest(name, tuple(known), most, cutoff))


@functools.lru_cache  # parsing one recipe asks some forty times for a dozen names
def _nearest(name: str, every: tuple[str, ...], most: int, cutoff: float) -> tuple[str, ...]:
    folded = name.lower()
    near = set(difflib.get_close_matches(folded, [one.lower() for one in every], 10, cutoff))

    def order(one: str) -> tuple[int, int, float]:
        ratio = difflib.SequenceMatcher(None, folded, one.lower()).ratio()
        return slips(folded, one.lower()), abs(len(one) - len(name)), -ratio

    return tuple(sorted((one for one in every if one.lower() in near), key=order)[:most])


def slips(first: str, second: str) -> int:
    """Letters replaced, left out, added or swapped with their neighbours, to get from one text to the other."""
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        above, before_above = row, before
        row = [i]
        for j, b in enumerate(second, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b))
            if before_above and j > 1 and a == second[j - 2] and first[i - 2] == b:
                cost = min(cost, before_above[j - 2] + 1)
            row.append(cost)
        before = above
    return row[-1]
