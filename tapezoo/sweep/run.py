"""A whole sweep: modulations, smoothness between settings, blends beside their neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.table import Table

from tapezoo.measure import smoothness
from tapezoo.measure.blends import Blend
from tapezoo.measure.roles import Roles
from tapezoo.net import Net
from tapezoo.sweep.blends import compare_blends, draw_blends, play_blends, write_blend_sounds
from tapezoo.sweep.files import BLENDS_CSV, SWEEPS_CSV, write_blends, write_sweeps
from tapezoo.sweep.modulations import play_modulations
from tapezoo.sweep.sounds import Signal
from tapezoo.sweep.tables import blend_table, sweep_table


def is_sweep(folder: Path) -> bool:
    """Whether `sweep_into` filled this folder."""
    return (folder / SWEEPS_CSV).is_file()


def sweep_into(
    folder: Path,
    net: Net,
    sample_rate: int,
    roles: Roles,
    blends: Sequence[Blend],
    music: Signal,
    progress: Callable[[str], None],
) -> list[Table]:
    """Plays, measures and draws everything, and returns what the terminal shows.

    Args:
        folder: An empty folder.
        net: In evaluation mode.
        sample_rate: Of the net, Hz.
        roles: Of the net's controls, at least one.
        blends: What is compared.
        music: (samples,) as long as the modulations shall be.
        progress: Called with each step's name.
    """
    names = roles.names
    progress("playing slow modulations")
    modulations = play_modulations(folder, net, sample_rate, names, music)
    progress("sweeping between settings")
    pairs = smoothness.sweep_pairs(roles)
    measured = [
        sweep
        for rate_hz in smoothness.SWEEP_RATES_HZ
        for sweep in smoothness.sweeps(net, sample_rate, pairs, rate_hz)
    ]
    write_sweeps(folder / SWEEPS_CSV, measured, modulations, names)
    progress("playing blends")
    outputs = play_blends(net, sample_rate, blends, music)
    reports = compare_blends(net, sample_rate, blends, outputs)
    write_blends(folder / BLENDS_CSV, reports, names)
    write_blend_sounds(folder, blends, outputs, sample_rate)
    progress("drawing blends")
    draw_blends(folder, net, sample_rate, names, blends, outputs)
    return [sweep_table(measured, roles), *(blend_table(reports, sound, names) for sound in outputs)]
