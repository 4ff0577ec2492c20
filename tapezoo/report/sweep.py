"""The tables of a sweep: two CSV files for programs, and what the terminal shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tapezoo.measure.blend_comparison import BlendResult
from tapezoo.measure.lfo import LfoResult
from tapezoo.measure.roles import Positions, Roles
from tapezoo.measure.smoothness import Sweep
from tapezoo.report.controls import positions_text
from tapezoo.report.tables import Cell, Column, Table, order_cells, text_table

SWEEP_COLUMNS = tuple(
    Column(name)
    for name in (
        *("controls", "what", "sound", "from", "to", "rate_hz", "finite"),
        *("outside_db", "floor_db", "excess_db", "watched", "smooth", "peak"),
    )
)
BLEND_COLUMNS = tuple(
    Column(name)
    for name in (
        *("controls", "blend", "neighbours", "sound", "finite"),
        *("loudness", "unit", "quietest_neighbour", "loudest_neighbour", "loudness_outside_db"),
        "loudness_between_neighbours",
        *("empty_bands", "stray_db", "stray_hz", "stray_over_neighbours_db", "quiet_where_neighbours_are"),
        *("way_outside_db", "way_floor_db", "way_smooth"),
    )
)


def sweep_figures(sweeps: Sequence[Sweep], lfos: Sequence[LfoResult], names: Sequence[str]) -> Table:
    """Every figure: a line per measured sweep, then one per sound that was played while the controls moved.

    Args:
        sweeps: Measured on tones, so that they can be judged.
        lfos: On music and sawtooths: whether they are finite, and the peak.
        names: Of the controls.
    """
    rows = [*(_sweep_cells(one) for one in sweeps), *(_lfo_cells(one) for one in lfos)]
    return _figures(SWEEP_COLUMNS, rows, names)


def blend_figures(results: Sequence[BlendResult], names: Sequence[str]) -> Table:
    """Every figure: a line per blend and sound.

    Args:
        results: In the order of the lines.
        names: Of the controls.
    """
    return _figures(BLEND_COLUMNS, [_blend_cells(one) for one in results], names)


def sweep_table(sweeps: Sequence[Sweep], roles: Roles) -> Table:
    """The measured sweeps for people, a line each."""
    rows = [
        (
            end_text(one.start, one.end, roles),
            end_text(one.end, one.start, roles),
            f"{one.rate_hz:g} Hz",
            *(_decimals(one.outside_db), _decimals(one.floor_db), verdict(one.is_smooth)),
        )
        for one in sweeps
    ]
    return text_table(
        ("from", "to", "rate", "outside", "at both ends", "smooth"),
        rows,
        title="Energy of a sweep where neither end has any, dB re its whole energy",
    )


def blend_table(results: Sequence[BlendResult], sound: str, names: Sequence[str]) -> Table:
    """The blends on one sound for people, a line each."""
    rows = []
    for one in results:
        found, way = one.comparison, one.way
        if one.sound != sound:
            continue
        loudness = f"{found.loudness:.1f} {found.unit}" if found.loudness is not None else "NOT FINITE"
        if found.quietest is not None:
            loudness += f" ({found.quietest:.1f} to {found.loudest:.1f})"
        stray = "-" if found.stray_db is None else f"{found.stray_db:.0f} dB"
        rows.append(
            (
                *(positions_text(one.blend.positions), loudness, verdict(found.is_between)),
                *(stray, verdict(found.is_clean)),
                *(f"{way.outside_db:.0f} dB" if way else "-", verdict(way.is_smooth if way else None)),
            )
        )
    return text_table(
        ("blend", "loudness (neighbours)", "between", "stray", "clean", "way", "smooth"),
        rows,
        title=f"Blends of {', '.join(names)} beside their neighbours: {sound.replace('_', ' ')}",
        caption="stray: most energy in a band where no neighbour has any; way: smoothness of the sweep from the "
        "neighbours; -: nothing to compare with",
    )


def end_text(end: Positions, other: Positions, roles: Roles) -> str:
    """One end of a sweep: a machine by its name, else the knobs that move, and where."""
    chosen = roles.chosen(end)
    machine = blend_text(chosen, [roles.names[number] for number in roles.switches]) if chosen else ""
    if chosen != roles.chosen(other):
        return machine
    moving = [number for number in range(len(end)) if end[number] != other[number]]
    where = ", ".join(f"{roles.names[number]} {end[number]:g}" for number in moving)
    # a knob called after its machine says where it is
    is_named = any(roles.names[number].startswith(f"{machine}_") for number in moving)
    return f"{machine}, {where}" if machine and not is_named else where


def blend_text(positions: Positions, names: Sequence[str]) -> str:
    """An effect alone by its name, else name and position of what is not at 0."""
    if len(positions) == 1:
        return f"{names[0]} {positions[0]:g}"
    parts = [
        name if position == 1 else f"{name} {position:g}"
        for name, position in zip(names, positions, strict=True)
        if position > 0
    ]
    return ", ".join(parts) or "all 0"


def verdict(is_passed: bool | None) -> str:
    """`-` stands for None: there was nothing to judge."""
    return {True: "pass", False: "fail", None: "-"}[is_passed]


def _sweep_cells(one: Sweep) -> dict[str, Cell]:
    return {
        "what": "sweep",
        "sound": "tones",
        "from": positions_text(one.start),
        "to": positions_text(one.end),
        "rate_hz": f"{one.rate_hz:g}",
        "finite": one.finite,
        "outside_db": _decimals(one.outside_db),
        "floor_db": _decimals(one.floor_db),
        "excess_db": _decimals(one.excess_db),
        "watched": _decimals(one.watched),
        "smooth": verdict(one.is_smooth),
    }


def _lfo_cells(one: LfoResult) -> dict[str, Cell]:
    return {
        "what": "modulation",
        "sound": one.sound,
        "from": positions_text(one.path.middle - one.path.depth),
        "to": positions_text(one.path.middle + one.path.depth),
        "rate_hz": positions_text(one.path.rates_hz),
        "finite": one.finite,
        "peak": _decimals(one.peak),
    }


def _blend_cells(one: BlendResult) -> dict[str, Cell]:
    found, way = one.comparison, one.way
    return {
        "blend": positions_text(one.blend.positions),
        "neighbours": "; ".join(positions_text(neighbour) for neighbour in one.blend.neighbours),
        "sound": one.sound,
        "finite": found.finite,
        "loudness": _decimals(found.loudness),
        "unit": found.unit,
        "quietest_neighbour": _decimals(found.quietest),
        "loudest_neighbour": _decimals(found.loudest),
        "loudness_outside_db": _decimals(found.loudness_outside_db),
        "loudness_between_neighbours": verdict(found.is_between),
        "empty_bands": found.empty_bands,
        "stray_db": _decimals(found.stray_db),
        "stray_hz": _decimals(found.stray_hz),
        "stray_over_neighbours_db": _decimals(found.stray_over_neighbours_db),
        "quiet_where_neighbours_are": verdict(found.is_clean),
        "way_outside_db": _decimals(way.outside_db if way else None),
        "way_floor_db": _decimals(way.floor_db if way else None),
        "way_smooth": verdict(way.is_smooth if way else None),
    }


def _figures(columns: Sequence[Column], rows: Sequence[Mapping[str, Cell]], names: Sequence[str]) -> Table:
    controls = " ".join(names)
    return Table(columns, [order_cells(columns, {"controls": controls, **row}) for row in rows])


def _decimals(value: float | None) -> str:
    """Two of them; empty: there was nothing to measure."""
    return "" if value is None else f"{value:.2f}"
