"""Which controls of a model choose among machines, and which are knobs: what decides how it is swept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tapezoo.controls import Control

Positions = tuple[float, ...]  # one per control, 0..1; a data set's `Setting` may hold idle controls too
RESTING = 0.5  # where a knob stands while something else moves


@dataclass(frozen=True)
class Roles:
    """The controls of a model by what they do.

    One switch is a choice between two machines, at 0 and at 1; of several, each is one machine, alone where it is 1
    and the others are 0 (Simionato, Fasciani, "Hybrid neural audio effects", SMC 2024).

    Args:
        names: Of all controls, in the model's order.
        switches: Numbers of those that choose among machines, ascending.
    """

    names: tuple[str, ...]
    switches: tuple[int, ...] = ()

    @property
    def knobs(self) -> tuple[int, ...]:
        """Numbers of all other controls."""
        return tuple(number for number in range(len(self.names)) if number not in self.switches)

    def chosen(self, positions: Positions) -> Positions:
        """The positions of the switches alone."""
        return tuple(positions[number] for number in self.switches)

    def machines(self) -> list[Positions]:
        """Positions of the switches with one machine alone, one per machine; without switches one, of none."""
        count = len(self.switches)
        if count < 2:
            return [(0.0,), (1.0,)] if count else [()]
        return [tuple(float(number == other) for other in range(count)) for number in range(count)]

    def at(self, chosen: Positions, knobs: Positions | None = None) -> Positions:
        """All controls: switches at `chosen`, knobs at `knobs` or in the middle."""
        own = dict(zip(self.switches, chosen, strict=True))
        others = dict(zip(self.knobs, knobs or (RESTING,) * len(self.knobs), strict=True))
        return tuple((own | others)[number] for number in range(len(self.names)))

    def machines_with(self, knob: int) -> list[Positions]:
        """The machines, as `machines` gives them, that have this knob: one if its name begins with the machine's."""
        machines = self.machines()
        if len(self.switches) < 2:
            return machines
        own = [
            machine
            for machine, switch in zip(machines, self.switches, strict=True)
            if self.names[knob].startswith(f"{self.names[switch]}_")
        ]
        return own or machines


def find_roles(controls: Sequence[Control]) -> tuple[Roles, bool]:
    """The roles, and whether the controls say so themselves.

    A checkpoint from before controls said what they are is taken for a hybrid if it begins with controls as hybrids
    of virtual devices have them: `blend`, or three or more without unit from 0 to 1, the first with the default 1
    and the others with 0.
    """
    names = tuple(control.name for control in controls)
    if all(control.switch is not None for control in controls):
        return Roles(names, tuple(number for number, control in enumerate(controls) if control.switch)), True
    if controls[0].name == "blend" and _is_selector(controls[0], 0.0):
        return Roles(names, (0,)), False
    count = 0
    for control in controls:
        of_one_before = any(control.name.startswith(f"{name}_") for name in names[:count])
        if of_one_before or not _is_selector(control, float(count == 0)):
            break
        count += 1
    return Roles(names, tuple(range(count)) if count > 2 else ()), False


def choose_sweeps(roles: Roles) -> list[tuple[Positions, Positions]]:
    """What a model is swept between: any two machines alone, then every knob from end to end.

    With many machines, only each and the next. A knob is swept where it has an effect: at its own machine, or at every
    machine if its name does not show which one it belongs to. Knobs that are not swept stand at 0.5.
    """
    machines = roles.machines()
    pairs = []
    if len(machines) == 2:
        pairs.append((roles.at(machines[0]), roles.at(machines[1])))
    elif len(machines) > 2:
        pairs += [
            (roles.at(one), roles.at(other))
            for one, other in zip(machines, [*machines[1:], machines[0]], strict=True)
        ]
    for place, knob in enumerate(roles.knobs):
        for machine in roles.machines_with(knob):
            ends = []
            for end in (0.0, 1.0):
                knobs = [RESTING] * len(roles.knobs)
                knobs[place] = end
                ends.append(roles.at(machine, tuple(knobs)))
            pairs.append((ends[0], ends[1]))
    return pairs


def _is_selector(control: Control, default: float) -> bool:
    return (control.min, control.max, control.default, control.unit, control.curve) == (
        0,
        1,
        default,
        "",
        "linear",
    )
