"""Pictures of a model whose controls move, and of settings between those it was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from tapezoo.measure.blends import Blend
from tapezoo.measure.pictures import COLUMNS, OUTPUT, RANGE_DB
from tapezoo.measure.roles import Setting

Signal = NDArray[np.float64]  # (samples,), full scale is +-1

WINDOW_SAMPLES = 4096  # bass notes are told apart
LOWEST_HZ, ROWS = 40.0, 360
TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
PANELS_ACROSS = 4
SHOWN_HARMONICS, SHOWN_DB = 40, 80.0
SHOWN_PERIODS = 2
SHADES = ("#2a7f9e", "#c2477f", "#5b8c3a", "#7a5fb5", "#a8742a", "#4d4d4d", "#d0a000", "#00897b")


def modulation(
    output: Signal,
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
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    figure.suptitle(title)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    shown = np.nan_to_num(output, posinf=0.0, neginf=0.0)
    level, frequencies_hz, ends_s = _log_level_db(shown, sample_rate)
    top = float(level.max())
    image = above.imshow(
        level,
        origin="lower",
        aspect="auto",
        extent=(*ends_s, float(np.log2(frequencies_hz[0])), float(np.log2(frequencies_hz[-1]))),
        vmin=top - RANGE_DB,
        vmax=top,
        cmap="magma",
        interpolation="nearest",
    )
    ticks = [tick for tick in TICKS_HZ if frequencies_hz[0] <= tick <= frequencies_hz[-1]]
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


def blend_loops(
    blends: Sequence[Blend],
    input: Signal,
    outputs: Mapping[Setting, Signal],
    names: Mapping[Setting, str],
    title: str,
) -> Figure:
    """Output over input for one period of a sine, one panel per blend, its neighbours in thin lines.

    Args:
        blends: What is shown.
        input: (samples,), whole periods.
        outputs: Of every blend and every neighbour, aligned with the input.
        names: Of the neighbours.
        title: What is shown.
    """
    figure, panels = _grid(len(blends), 2.9, title)
    for at, blend in zip(panels, blends, strict=False):
        at.plot(*_extremes(input), color="grey", linewidth=0.8, linestyle=":")
        for setting in blend.neighbours:
            at.plot(
                _closed(input),
                _closed(outputs[setting]),
                color=_shade(setting, names),
                linewidth=1.1,
                alpha=0.8,
            )
        at.plot(_closed(input), _closed(outputs[blend.setting]), color=OUTPUT, linewidth=2.2)
        at.set_title(blend.name.replace("-", "  "), fontsize="medium")
        at.grid(alpha=0.3)
    _finish(figure, panels, len(blends), names, "input (full scale = 1)", "output (full scale = 1)")
    return figure


def blend_waveforms(
    blends: Sequence[Blend],
    outputs: Mapping[Setting, Signal],
    names: Mapping[Setting, str],
    frequency_hz: float,
    sample_rate: int,
    title: str,
) -> Figure:
    """Two periods of a periodic sound, at the end of each output; one panel per blend, with its neighbours.

    Args:
        blends: What is shown.
        outputs: Of every blend and every neighbour for one input of this fundamental.
        names: Of the neighbours.
        frequency_hz: The fundamental, Hz.
        sample_rate: Hz.
        title: What is shown.
    """
    figure, panels = _grid(len(blends), 2.4, title)
    samples = round(SHOWN_PERIODS * sample_rate / frequency_hz)
    time_ms = 1000 * np.arange(samples) / sample_rate
    for at, blend in zip(panels, blends, strict=False):
        for setting in blend.neighbours:
            at.plot(
                time_ms, outputs[setting][-samples:], color=_shade(setting, names), linewidth=1.1, alpha=0.8
            )
        at.plot(time_ms, outputs[blend.setting][-samples:], color=OUTPUT, linewidth=2.0)
        at.set_title(blend.name.replace("-", "  "), fontsize="medium")
        at.margins(x=0)
        at.grid(alpha=0.3)
    _finish(figure, panels, len(blends), names, "time (ms)", "amplitude (full scale = 1)")
    return figure


def blend_harmonics(
    blends: Sequence[Blend],
    outputs: Mapping[Setting, Signal],
    names: Mapping[Setting, str],
    frequency_hz: float,
    sample_rate: int,
    title: str,
) -> Figure:
    """Levels of the harmonics of a periodic sound, one panel per blend, with its neighbours.

    Args:
        blends: What is shown.
        outputs: Of every blend and every neighbour for one input of this fundamental.
        names: Of the neighbours.
        frequency_hz: The fundamental, Hz.
        sample_rate: Hz.
        title: What is shown.
    """
    figure, panels = _grid(len(blends), 2.4, title)
    levels = {
        setting: harmonic_levels_db(output, frequency_hz, sample_rate) for setting, output in outputs.items()
    }
    top = max((float(level.max()) for level in levels.values()), default=0.0)
    for at, blend in zip(panels, blends, strict=False):
        for setting in (*blend.neighbours, blend.setting):
            own = setting == blend.setting
            at.plot(
                1 + np.arange(len(levels[setting])),
                levels[setting],
                color=OUTPUT if own else _shade(setting, names),
                linewidth=2.0 if own else 1.1,
                marker="o",
                markersize=3.0 if own else 2.0,
                alpha=1.0 if own else 0.8,
            )
        at.set_xscale("log")
        at.set_xticks([1, 2, 3, 5, 10, 20, 40], ["1", "2", "3", "5", "10", "20", "40"], minor=False)
        at.minorticks_off()
        at.set_ylim(top - SHOWN_DB, top + 4)
        at.set_title(blend.name.replace("-", "  "), fontsize="medium")
        at.grid(alpha=0.3)
    _finish(
        figure, panels, len(blends), names, f"harmonic of {frequency_hz:g} Hz", "level (dB re full scale)"
    )
    return figure


def harmonic_levels_db(signal: Signal, frequency_hz: float, sample_rate: int) -> NDArray[np.float64]:
    """Peaks of the first harmonics, dB re full scale, by the inner product with each over whole periods.

    Args:
        signal: (samples,), at least one period; its end is measured.
        frequency_hz: The fundamental, Hz.
        sample_rate: Hz.

    Shape:
        returns: (harmonics,), at most 40, under half the sample rate.
    """
    periods = int(len(signal) * frequency_hz / sample_rate)
    samples = round(periods * sample_rate / frequency_hz)
    count = min(SHOWN_HARMONICS, int(0.5 * sample_rate / frequency_hz - 1e-9))
    angle = 2 * np.pi * frequency_hz / sample_rate * np.arange(samples)
    window = hann(samples, sym=False)
    end = np.nan_to_num(signal[len(signal) - samples :], posinf=0.0, neginf=0.0) * window
    lines = np.array([np.exp(-1j * number * angle) @ end for number in range(1, count + 1)])
    level: NDArray[np.float64] = 20 * np.log10(np.maximum(2 * np.abs(lines) / window.sum(), 1e-10))
    return level


def _log_level_db(
    signal: Signal, sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, float]]:
    """Levels on rows of even steps in pitch, (rows, frames); the rows' edges in Hz; first and last time in s."""
    window = hann(WINDOW_SAMPLES, sym=False)
    hop = max(WINDOW_SAMPLES // 8, len(signal) // COLUMNS)
    if len(signal) < WINDOW_SAMPLES:
        signal = np.pad(signal, (0, WINDOW_SAMPLES - len(signal)))
    transform = ShortTimeFFT(window, hop, fs=sample_rate, scale_to="magnitude")
    # frame p lies around sample p * hop; only those that lie within the signal
    first = -(-WINDOW_SAMPLES // 2 // hop)
    last = max(first, (len(signal) - WINDOW_SAMPLES // 2) // hop)
    magnitude = 2 * np.abs(transform.stft(signal, p0=first, p1=last + 1))  # one side holds half of a sine
    ends_s = ((first - 0.5) * hop / sample_rate, (last + 0.5) * hop / sample_rate)
    rows_hz = np.geomspace(LOWEST_HZ, sample_rate / 2, ROWS + 1)
    bin_hz = sample_rate / WINDOW_SAMPLES
    level = np.empty((ROWS, magnitude.shape[1]))
    for row in range(ROWS):
        low, high = rows_hz[row] / bin_hz, rows_hz[row + 1] / bin_hz
        lowest, highest = int(np.ceil(low)), min(int(np.floor(high)), len(magnitude) - 1)
        if highest > lowest:  # several bins in one row: the loudest is seen
            level[row] = magnitude[lowest : highest + 1].max(axis=0)
        else:
            middle = min(0.5 * (low + high), len(magnitude) - 1.0)
            below = min(int(middle), len(magnitude) - 2)
            level[row] = magnitude[below] + (middle - below) * (magnitude[below + 1] - magnitude[below])
    return 20 * np.log10(np.maximum(level, 1e-10)), rows_hz, ends_s


def _grid(count: int, height: float, title: str) -> tuple[Figure, list[Axes]]:
    across = min(PANELS_ACROSS, max(count, 1))
    down = -(-count // across)
    figure = Figure(figsize=(max(3.0 * across, 6.0), height * down + 1.2), layout="constrained")
    figure.suptitle(title)
    return figure, list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)


def _finish(
    figure: Figure, panels: Sequence[Axes], count: int, names: Mapping[Setting, str], x: str, y: str
) -> None:
    across = min(PANELS_ACROSS, max(count, 1))
    for number, at in enumerate(panels):
        at.set_visible(number < count)
        if number + across >= count:  # nothing visible below
            at.set_xlabel(x)
            at.tick_params(labelbottom=True)
        if number % across == 0:
            at.set_ylabel(y)
    lines = [Line2D([], [], color=OUTPUT, linewidth=2.2, label="blend")]
    lines += [
        Line2D([], [], color=_shade(setting, names), linewidth=1.4, label=name)
        for setting, name in names.items()
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=min(len(lines), 6), frameon=False)


def _shade(setting: Setting, names: Mapping[Setting, str]) -> str:
    return SHADES[list(names).index(setting) % len(SHADES)]


def _closed(period: Signal) -> Signal:
    return np.append(period, period[:1])


def _extremes(input: Signal) -> tuple[list[float], list[float]]:
    ends = [float(input.min()), float(input.max())]
    return ends, ends


def _short_hz(frequency_hz: float) -> str:
    return f"{frequency_hz / 1000:g}k" if frequency_hz >= 1000 else f"{frequency_hz:g}"
