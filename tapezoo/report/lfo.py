"""The picture of a sound whose controls move."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tapezoo.measure.spectrum import measure_pitch_spectrogram
from tapezoo.report.figures import SHADES, new_figure
from tapezoo.report.waveforms import RANGE_DB, draw_levels

TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)


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
    octaves = float(np.log2(shown.low_hz)), float(np.log2(shown.high_hz))
    image = draw_levels(above, shown, octaves, (top_db - RANGE_DB, top_db))
    ticks = [tick for tick in TICKS_HZ if shown.low_hz <= tick <= shown.high_hz]
    above.set_yticks([float(np.log2(tick)) for tick in ticks], [_short_hz(tick) for tick in ticks])
    above.set_ylabel("frequency (Hz)")
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


def _short_hz(frequency_hz: float) -> str:
    return f"{frequency_hz / 1000:g}k" if frequency_hz >= 1000 else f"{frequency_hz:g}"
