"""How settings, verdicts and figures of a sweep are written, in files, on the terminal and in pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tapezoo.measure.roles import Roles, Setting


def spaced(setting: Iterable[float]) -> str:
    """`0.5 0.25 0.25`."""
    return " ".join(f"{value:.3g}" for value in setting)


def end_name(end: Setting, other: Setting, roles: Roles) -> str:
    """One end of a sweep: a machine by its name, else the knobs that move, and where."""
    chosen = roles.chosen(end)
    machine = _machine(chosen, roles)
    if chosen != roles.chosen(other):
        return machine
    moving = ", ".join(f"{roles.names[at]} {end[at]:g}" for at in range(len(end)) if end[at] != other[at])
    # a knob called after its machine says where it is
    told = any(roles.names[at].startswith(f"{machine}_") for at in range(len(end)) if end[at] != other[at])
    return f"{machine}, {moving}" if machine and not told else moving


def _machine(chosen: Setting, roles: Roles) -> str:
    return setting_label(chosen, [roles.names[number] for number in roles.switches]) if chosen else ""


def setting_label(setting: Setting, names: Sequence[str]) -> str:
    """An effect alone by its name, else name and position of what is not at 0."""
    if len(setting) == 1:
        return f"{names[0]} {setting[0]:g}"
    parts = [
        name if value == 1 else f"{name} {value:g}"
        for name, value in zip(names, setting, strict=True)
        if value > 0
    ]
    return ", ".join(parts) or "all 0"


def saw_name(frequency_hz: float) -> str:
    """A sawtooth's, good in names of files."""
    return f"saw_{frequency_hz:g}hz"


def verdict(passed: bool | None) -> str:
    """`-`: there was nothing to judge."""
    return {True: "pass", False: "fail", None: "-"}[passed]


def figure(value: float | None) -> str:
    """Two decimals; empty: there was nothing to measure."""
    return "" if value is None else f"{value:.2f}"
