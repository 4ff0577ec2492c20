"""What the terminal shows of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from tapezoo.measure.blends import BlendReport
from tapezoo.measure.roles import Roles
from tapezoo.measure.smoothness import Sweep
from tapezoo.sweep.words import end_name, figure, spaced, verdict


def sweep_table(sweeps: Sequence[Sweep], roles: Roles) -> Table:
    """The measured sweeps, one row each."""
    title = "Energy of a sweep where neither end has any, dB re its whole energy"
    table = Table(
        "from", "to", "rate", "outside", "floor of the ends", "smooth", title=title, box=SIMPLE_HEAD
    )
    for one in sweeps:
        table.add_row(
            *(
                end_name(one.start, one.end, roles),
                end_name(one.end, one.start, roles),
                f"{one.rate_hz:g} Hz",
            ),
            *(figure(one.outside_db), figure(one.floor_db), verdict(one.is_smooth)),
        )
    return table


def blend_table(reports: Sequence[BlendReport], sound: str, names: Sequence[str]) -> Table:
    """The blends on one sound, one row each."""
    table = Table(
        *("blend", "loudness (neighbours)", "between", "stray", "clean", "way", "smooth"),
        title=f"Blends of {', '.join(names)} beside their neighbours: {sound.replace('_', ' ')}",
        caption="stray: most in a band where no neighbour has any; way: sweep from the neighbours; "
        "-: nothing to compare with",
        box=SIMPLE_HEAD,
        padding=(0, 0),
    )
    for one in reports:
        said, way = one.comparison, one.way
        if one.sound != sound:
            continue
        loudness = f"{said.loudness:.1f} {said.unit}" if said.loudness is not None else "NOT FINITE"
        if said.quietest is not None:
            loudness += f" ({said.quietest:.1f} to {said.loudest:.1f})"
        stray = "-" if said.stray_db is None else f"{said.stray_db:.0f} dB"
        table.add_row(
            *(spaced(one.blend.setting), loudness, verdict(said.is_between), stray, verdict(said.is_clean)),
            *(f"{way.outside_db:.0f} dB" if way else "-", verdict(way.is_smooth if way else None)),
        )
    return table
