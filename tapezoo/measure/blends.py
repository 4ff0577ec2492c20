"""Blends: control positions between machines or knob settings, and the neighbouring positions around each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from tapezoo.measure.roles import Positions, Roles

# Simionato, Fasciani, "Hybrid neural audio effects", SMC 2024: the triplets they show
TRIPLETS: tuple[Positions, ...] = (
    (0.3, 0.3, 0.3),
    (0.5, 0.25, 0.25),
    (0.25, 0.5, 0.25),
    (0.25, 0.25, 0.5),
    (0.5, 0.5, 0.5),
    (0.3, 0.8, 0.5),
    (0.0, 0.0, 0.0),
    (1.0, 1.0, 1.0),
)
BETWEEN_TWO: tuple[Positions, ...] = ((0.25,), (0.5,), (0.75,))
MOST_CORNERS = 16  # 4 controls; of more, the corners with all controls equal or one alone at its end
MOST_MOVING = 3  # controls between their ends whose corners, 8, are still all neighbours


@dataclass(frozen=True)
class Blend:
    """A setting between others.

    Args:
        positions: Positions, one per control.
        neighbours: The positions it lies between; none where there is nothing to compare with.
    """

    positions: Positions
    neighbours: tuple[Positions, ...]

    @property
    def name(self) -> str:
        """`0.5-0.25-0.25`, safe in file names."""
        return positions_name(self.positions)


def positions_name(positions: Positions) -> str:
    """`0.5-0.25-0.25`: good in names of files and titles; no two settings share one."""
    return "-".join(repr(float(position)).removesuffix(".0") for position in positions)


def choose_blends(roles: Roles, at: Sequence[Positions] = ()) -> list[Blend]:
    """The settings worth listening to.

    With switches: one is blended in quarters, three as in the paper's triplets; for other numbers, all machines in
    equal parts, and each predominant in turn. Knobs stand at 0.5, and each machine is also played alone beside the
    ends of its knobs. With knobs alone: one in quarters; several at the centre and at all corners or, if there are
    more than 16, at those with all controls at one end or one control alone at the other.

    Args:
        roles: Of the controls, one or more.
        at: More settings, after these.
    """
    count = len(roles.switches)
    if count:
        mixes = BETWEEN_TWO if count == 1 else TRIPLETS if count == 3 else _mixes(count)
        chosen = [roles.at(mix) for mix in mixes]
        chosen += [roles.at(machine) for machine in roles.machines()] if roles.knobs else []
    elif len(roles.knobs) == 1:
        chosen = list(BETWEEN_TWO)
    else:
        chosen = [(0.5,) * len(roles.knobs), *_corners(len(roles.knobs))]
    asked_for = (tuple(float(position) for position in positions) for positions in at)
    return [
        Blend(positions, find_neighbours(positions, roles))
        for positions in dict.fromkeys((*chosen, *asked_for))
    ]


def find_neighbours(positions: Positions, roles: Roles) -> tuple[Positions, ...]:
    """The settings that a blend lies between, itself excluded.

    A mix of machines lies between those alone that have a part in it, knobs where they are. At one machine alone,
    and without switches, every knob that is heard there and stands between its ends is moved to either end, all
    combinations of up to three of them (the corners around the setting); of more, one at a time. With every switch
    of several at 0 there is nothing to lie between.
    """
    chosen, machines = roles.chosen(positions), roles.machines()
    knobs = tuple(positions[number] for number in roles.knobs)
    if roles.switches and chosen not in machines:
        parts = machines
        if len(roles.switches) > 1:
            parts = [machine for machine, weight in zip(machines, chosen, strict=True) if weight > 0]
        return tuple(roles.at(machine, knobs) for machine in parts)
    moving = [
        number
        for number in roles.knobs
        if 0 < positions[number] < 1 and chosen in roles.machines_with(number)
    ]
    found = []
    if len(moving) <= MOST_MOVING:
        for ends in product((0.0, 1.0), repeat=len(moving)):
            found.append(_move(positions, dict(zip(moving, ends, strict=True))))
    else:
        found = [_move(positions, {number: end}) for number in moving for end in (0.0, 1.0)]
    return tuple(one for one in found if one != positions)


def all_positions(blends: Sequence[Blend]) -> list[Positions]:
    """Every blend and every neighbour once, in order of appearance."""
    return list(
        dict.fromkeys(positions for blend in blends for positions in (blend.positions, *blend.neighbours))
    )


def _mixes(count: int) -> list[Positions]:
    share = 1 / count
    over = [tuple(share / 2 + 0.5 * (number == other) for other in range(count)) for number in range(count)]
    return [(share,) * count, *over]


def _corners(count: int) -> list[Positions]:
    if 2**count <= MOST_CORNERS:
        return list(product((0.0, 1.0), repeat=count))
    return [(0.0,) * count, (1.0,) * count, *(_alone(number, count) for number in range(count))]


def _alone(number: int, count: int) -> Positions:
    return tuple(float(number == other) for other in range(count))


def _move(positions: Positions, ends: dict[int, float]) -> Positions:
    return tuple(ends.get(number, position) for number, position in enumerate(positions))
