"""The picture of a sound whose controls move."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tapezoo.measure.spectrum import measure_pitch_spectrogram
from tapezoo.report.figures import SHADES, new_figure
from tapezoo.report.waveforms import RANGE_DB, draw_pitch_levels


def draw_lfo_sweep(
    output: NDArray[np.float64],
    positions: NDArray[np.float64],
    names: Sequence[str],
    sample_rate: int,
    title: str,
) -> Figure:
    """The spectrogram of an output, and under it where the controls were meanwhile.

    Args:
        output: (samples,); samples that are not finite are shown as silence.
        positions: (points, controls), 0..1, evenly over the whole time.
        names: Of the controls.
        sample_rate: Hz.
        title: What is shown.
    """
    seconds = len(output) / sample_rate
    figure = new_figure(11, 6.5, title)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    shown = measure_pitch_spectrogram(np.nan_to_num(output, posinf=0.0, neginf=0.0), sample_rate)
    top_db = float(shown.level_db.max())
    image = draw_pitch_levels(above, shown, (top_db - RANGE_DB, top_db))
    figure.colorbar(image, ax=[above, below], label="level (dB re full-scale sine)", pad=0.01, aspect=30)
    time_s = np.linspace(0.0, seconds, len(positions))
    for number, name in enumerate(names):
        below.plot(time_s, positions[:, number], color=SHADES[number % len(SHADES)], linewidth=2, label=name)
    below.set_ylim(-0.05, 1.05)
    below.set_ylabel("position")
    below.set_xlabel("time (s)")
    below.set_xlim(0.0, seconds)
    below.grid(alpha=0.3)
    figure.legend(*below.get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
    return figure
