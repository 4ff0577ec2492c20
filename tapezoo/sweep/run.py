"""A whole sweep: slow control movements, smoothness between settings, blends beside their neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tapezoo.measure import smoothness
from tapezoo.measure.blends import Blend
from tapezoo.measure.roles import Roles, choose_sweeps
from tapezoo.net import Net
from tapezoo.report.sweep import blend_figures, blend_table, sweep_figures, sweep_table
from tapezoo.report.tables import Table, write_csv
from tapezoo.sweep.blends import compare_blends, draw_blends, play_blends, write_blend_sounds
from tapezoo.sweep.lfo import sweep_by_lfo
from tapezoo.sweep.sounds import Signal

SWEEPS_CSV, BLENDS_CSV = "sweeps.csv", "blends.csv"


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
        music: (samples,) as long as the controls shall move.
        progress: Called with each step's name.
    """
    names = roles.names
    progress("playing slow control movements")
    lfos = sweep_by_lfo(folder, net, sample_rate, names, music)
    progress("sweeping between settings")
    pairs = choose_sweeps(roles)
    measured = [
        sweep
        for rate_hz in smoothness.SWEEP_RATES_HZ
        for sweep in smoothness.measure_sweeps(net, sample_rate, pairs, rate_hz)
    ]
    write_csv(sweep_figures(measured, lfos, names), folder / SWEEPS_CSV)
    progress("playing blends")
    outputs = play_blends(net, sample_rate, blends, music)
    results = compare_blends(net, sample_rate, blends, outputs)
    write_csv(blend_figures(results, names), folder / BLENDS_CSV)
    write_blend_sounds(folder, blends, outputs, sample_rate)
    progress("drawing blends")
    draw_blends(folder, net, sample_rate, names, blends, outputs)
    return [sweep_table(measured, roles), *(blend_table(results, sound, names) for sound in outputs)]
