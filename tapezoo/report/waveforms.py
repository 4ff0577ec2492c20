"""Signals over time: waveforms, and spectrograms one below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tapezoo.esr import esr
from tapezoo.measure.spectrum import Spectrogram, measure_spectrogram
from tapezoo.report.figures import ERROR, OUTPUT, TARGET, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

Signal = NDArray[np.floating]  # (samples,), full scale is +-1

RANGE_DB = 90.0  # what a spectrogram shows below its loudest point
COLUMNS = 1600  # of a waveform; more than the pixels are not seen, and cost seconds to draw
CLOSE_UP_MS = 15.0


@dataclass(frozen=True)
class Trace:
    """One line of a waveform: what it is called, (samples,), and how it is drawn."""

    name: str
    signal: Signal
    colour: str
    width: float = 0.9


def draw_excerpt_spectrograms(
    input: Signal, target: Signal, output: Signal, sample_rate: int, title: str
) -> Figure:
    """Input, target, output and the error on one scale of time, frequency and level.

    Args:
        input: (samples,)
        target: (samples,)
        output: (samples,), aligned with the target.
        sample_rate: Hz.
        title: What is shown.
    """
    signals = {"input": input, "target": target, "output": output, "error (output - target)": output - target}
    measured = {name: measure_spectrogram(signal, sample_rate) for name, signal in signals.items()}
    return draw_spectrograms(measured, new_figure(10, 10, title), RANGE_DB)


def draw_spectrograms(spectrograms: Mapping[str, Spectrogram], figure: Figure, range_db: float) -> Figure:
    """One panel per spectrogram, on one scale of time, frequency and level.

    Args:
        spectrograms: By name, of even steps of frequency.
        figure: Empty but for a title; it is returned.
        range_db: What is shown below the loudest point of all.
    """
    top_db = max(float(one.level_db.max()) for one in spectrograms.values())
    axes = figure.subplots(len(spectrograms), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for at, (name, one) in zip(axes, spectrograms.items(), strict=True):
        image = draw_levels(at, one, (one.low_hz / 1000, one.high_hz / 1000), (top_db - range_db, top_db))
        at.set_title(name, loc="left", fontsize="medium")
        at.set_ylabel("frequency (kHz)")
    axes[-1].set_xlabel("time (s)")
    figure.colorbar(image, ax=axes, label="level (dB re full-scale sine)")
    return figure


def draw_levels(
    at: Axes, spectrogram: Spectrogram, rows: tuple[float, float], scale_db: tuple[float, float]
) -> AxesImage:
    """The levels as an image.

    Args:
        at: Where.
        spectrogram: What.
        rows: Lower edge of its first row and upper edge of its last, in the unit of the vertical axis.
        scale_db: Levels of the darkest and of the brightest colour.
    """
    return at.imshow(
        spectrogram.level_db,
        origin="lower",
        aspect="auto",
        extent=(spectrogram.start_s, spectrogram.end_s, *rows),
        vmin=scale_db[0],
        vmax=scale_db[1],
        cmap="magma",
        interpolation="nearest",
    )


def draw_excerpt_waveforms(target: Signal, output: Signal, sample_rate: int, title: str) -> Figure:
    """Target, output and error over the whole excerpt, and close up around the loudest sample.

    Args:
        target: (samples,)
        output: (samples,), aligned with the target.
        sample_rate: Hz.
        title: What is shown; the excerpt's ESR (error energy over target energy) is added.
    """
    error = output - target
    energies = (float(np.sum(np.square(signal, dtype=np.float64))) for signal in (error, target))
    traces = (
        Trace("target", target, TARGET, 1.6),
        Trace("output", output, OUTPUT),
        Trace("error", error, ERROR, 0.8),
    )
    figure = new_figure(10, 7, f"{title}: ESR {esr(*energies):.2g}")
    return draw_waveforms(traces, sample_rate, figure)


def draw_waveforms(
    traces: Sequence[Trace],
    sample_rate: int,
    figure: Figure,
    close_up_ms: float = CLOSE_UP_MS,
    columns: int = COLUMNS,
) -> Figure:
    """All traces over the whole time, and close up around the loudest sample of the first one.

    Args:
        traces: In the order in which they are drawn over each other.
        sample_rate: Hz.
        figure: Empty but for a title; it is returned.
        close_up_ms: What the close-up shows, ms.
        columns: Of the whole: a longer signal is drawn as the range of its values in each.
    """
    loudest, half = int(np.argmax(np.abs(traces[0].signal))), round(close_up_ms * 0.5e-3 * sample_rate)
    whole, close = figure.subplots(2, 1)
    for at, start, end in (
        (whole, 0, len(traces[0].signal)),
        (close, max(0, loudest - half), loudest + half + 1),
    ):
        for trace in traces:
            time_s, values = _thin_out(trace.signal[start:end], sample_rate, columns)
            at.plot(
                time_s + start / sample_rate,
                values,
                color=trace.colour,
                linewidth=trace.width,
                label=trace.name,
            )
        at.set_xlabel("time (s)")
        at.set_ylabel("amplitude (full scale = 1)")
        at.margins(x=0)
        at.grid(alpha=0.3)
    close.set_title(f"{close_up_ms:g} ms around the loudest sample", loc="left", fontsize="medium")
    whole.legend(loc="upper right", ncols=len(traces))
    return figure


def _thin_out(signal: Signal, sample_rate: int, columns: int) -> tuple[NDArray[np.float64], Signal]:
    """Times and values; a long signal becomes the lowest and highest value of each of `columns` stretches."""
    stretch = len(signal) // columns
    if stretch < 4:
        return np.arange(len(signal)) / sample_rate, signal
    cut = signal[: columns * stretch].reshape(columns, stretch)
    values = np.stack((cut.min(axis=1), cut.max(axis=1)), axis=1).reshape(-1)
    return np.arange(len(values)) * (stretch / 2) / sample_rate, values
