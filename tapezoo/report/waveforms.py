"""Signals over time: waveforms, and spectrograms one below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tapezoo.esr import esr
from tapezoo.measure.spectrum import Spectrogram, measure_pitch_spectrogram
from tapezoo.report.figures import ERROR, OUTPUT, TARGET, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

Signal = NDArray[np.floating]  # (samples,), full scale is +-1

RANGE_DB = 90.0  # what a spectrogram shows below its loudest point
COLUMNS = 1600  # of a waveform; more than the pixels are not seen, and cost seconds to draw
CLOSE_UP_MS = 15.0
LEVEL_WINDOW_S, LEVEL_RANGE_DB, LEAST_POWER = 0.05, 90.0, 1e-20
TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
TIME_IN_RECORDING = "time in the recording (s)"


@dataclass(frozen=True)
class Trace:
    """One line of a waveform: what it is called, (samples,), and how it is drawn."""

    name: str
    signal: Signal
    colour: str
    width: float = 0.9


def draw_excerpt_spectrograms(
    input: Signal, target: Signal, output: Signal, sample_rate: int, title: str, start_s: float = 0.0
) -> Figure:
    """Input, target, output and the error over time and pitch, on one scale of level.

    Args:
        input: (samples,)
        target: (samples,)
        output: (samples,), aligned with the target.
        sample_rate: Hz.
        title: What is shown.
        start_s: Where the excerpt begins in its recording, s.
    """
    signals = {"input": input, "target": target, "output": output, "error (output - target)": output - target}
    measured = {name: measure_pitch_spectrogram(signal, sample_rate) for name, signal in signals.items()}
    top_db = max(float(one.level_db.max()) for one in measured.values())
    figure = new_figure(10, 10, title)
    axes = figure.subplots(len(measured), 1, sharex=True, sharey=True)
    for at, (name, one) in zip(axes, measured.items(), strict=True):
        placed = replace(one, start_s=one.start_s + start_s, end_s=one.end_s + start_s)
        image = draw_pitch_levels(at, placed, (top_db - RANGE_DB, top_db))
        at.set_title(name, loc="left", fontsize="medium")
    axes[-1].set_xlabel(TIME_IN_RECORDING)
    figure.colorbar(image, ax=axes, label="level (dB re full-scale sine)")
    return figure


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


def draw_pitch_levels(at: Axes, spectrogram: Spectrogram, scale_db: tuple[float, float]) -> AxesImage:
    """A spectrogram of even steps of pitch, its axis in Hz.

    Args:
        at: Where.
        spectrogram: From `measure_pitch_spectrogram`.
        scale_db: Levels of the darkest and of the brightest colour.
    """
    octaves = float(np.log2(spectrogram.low_hz)), float(np.log2(spectrogram.high_hz))
    image = draw_levels(at, spectrogram, octaves, scale_db)
    ticks = [tick for tick in TICKS_HZ if spectrogram.low_hz <= tick <= spectrogram.high_hz]
    at.set_yticks([float(np.log2(tick)) for tick in ticks], [_short_hz(tick) for tick in ticks])
    at.set_ylabel("frequency (Hz)")
    return image


def draw_excerpt_waveforms(
    target: Signal,
    output: Signal,
    sample_rate: int,
    title: str,
    start_s: float = 0.0,
    validation_s: tuple[float, float] | None = None,
) -> Figure:
    """Target, output and error: over the whole excerpt, their levels, and close up around the loudest sample.

    Args:
        target: (samples,)
        output: (samples,), aligned with the target.
        sample_rate: Hz.
        title: What is shown; the ESR (error energy over target energy) of the part that is scored is added.
        start_s: Where the excerpt begins in its recording, s.
        validation_s: The part that is scored and shaded, s in the recording; None: all of it.
    """
    error = output - target
    first_s, last_s = validation_s or (start_s, start_s + len(target) / sample_rate)
    scored = slice(*(max(0, round((at - start_s) * sample_rate)) for at in (first_s, last_s)))
    energies = (float(np.sum(np.square(signal[scored], dtype=np.float64))) for signal in (error, target))
    part = f", at {first_s:.2f} to {last_s:.2f} s (shaded)" if validation_s else ""
    traces = (
        Trace("target", target, TARGET, 1.6),
        Trace("output", output, OUTPUT),
        Trace("error", error, ERROR, 0.8),
    )
    figure = new_figure(10, 9, f"{title}\nESR {esr(*energies):.2g}{part}")
    whole, levels, close = figure.subplots(3, 1)
    _draw_whole(whole, traces, sample_rate, COLUMNS, start_s)
    _draw_level(levels, traces, sample_rate, start_s)
    _draw_close_up(close, traces, sample_rate, CLOSE_UP_MS, start_s)
    levels.set_xlim(whole.get_xlim())
    if validation_s is not None:
        for at in (whole, levels):
            at.axvspan(first_s, last_s, color="#f2e6b8", alpha=0.6, zorder=0)
    return figure


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
    whole, close = figure.subplots(2, 1)
    _draw_whole(whole, traces, sample_rate, columns, 0.0)
    _draw_close_up(close, traces, sample_rate, close_up_ms, 0.0)
    return figure


def _draw_whole(at: Axes, traces: Sequence[Trace], sample_rate: int, columns: int, start_s: float) -> None:
    for trace in traces:
        time_s, values = _thin_out(trace.signal, sample_rate, columns)
        at.plot(
            start_s + time_s, values, color=trace.colour, linewidth=trace.width, label=trace.name, alpha=0.8
        )
    _label(at, "amplitude (full scale = 1)", start_s)
    at.legend(loc="upper right", ncols=len(traces))


def _draw_close_up(
    at: Axes, traces: Sequence[Trace], sample_rate: int, close_up_ms: float, start_s: float
) -> None:
    loudest, half = int(np.argmax(np.abs(traces[0].signal))), round(close_up_ms * 0.5e-3 * sample_rate)
    start, end = max(0, loudest - half), loudest + half + 1
    for trace in traces:
        part = trace.signal[start:end]
        time_ms = 1000 * (start - loudest + np.arange(len(part))) / sample_rate
        at.plot(time_ms, part, color=trace.colour, linewidth=trace.width, label=trace.name)
    where = f"{close_up_ms:g} ms around the loudest sample, at {start_s + loudest / sample_rate:.3f} s"
    at.set_title(where, loc="left", fontsize="medium")
    _label(at, "amplitude (full scale = 1)", start_s)
    at.set_xlabel("time from the loudest sample (ms)")


def _draw_level(at: Axes, traces: Sequence[Trace], sample_rate: int, start_s: float) -> None:
    """RMS levels in windows of 50 ms."""
    window = max(1, round(LEVEL_WINDOW_S * sample_rate))
    top_db = -np.inf
    for trace in traces:
        power = np.square(np.asarray(trace.signal, dtype=np.float64))
        whole = power[: max(len(power) // window, 1) * window]
        mean = whole.reshape(-1, min(window, len(whole))).mean(axis=1)
        level_db = 10 * np.log10(np.maximum(mean, LEAST_POWER))
        time_s = start_s + (np.arange(len(level_db)) + 0.5) * window / sample_rate
        at.plot(time_s, level_db, color=trace.colour, linewidth=trace.width, label=trace.name)
        top_db = max(top_db, float(level_db.max()))
    at.set_ylim(top_db - LEVEL_RANGE_DB, top_db + 3)
    at.set_title(f"RMS level in windows of {1000 * LEVEL_WINDOW_S:g} ms", loc="left", fontsize="medium")
    _label(at, "level (dB re full scale)", start_s)


def _label(at: Axes, what: str, start_s: float) -> None:
    at.set_xlabel(TIME_IN_RECORDING if start_s else "time (s)")
    at.set_ylabel(what)
    at.margins(x=0)
    at.grid(alpha=0.3)


def _thin_out(signal: Signal, sample_rate: int, columns: int) -> tuple[NDArray[np.float64], Signal]:
    """Times and values; a long signal becomes the lowest and highest value of each of `columns` stretches."""
    stretch = -(-len(signal) // columns)
    if stretch < 4:
        return np.arange(len(signal)) / sample_rate, signal
    filled = np.pad(signal, (0, -len(signal) % stretch), mode="edge").reshape(-1, stretch)
    values = np.stack((filled.min(axis=1), filled.max(axis=1)), axis=1).reshape(-1)
    ends = np.minimum((np.arange(len(values)) + 1) * stretch // 2, len(signal) - 1)
    return ends / sample_rate, values


def _short_hz(frequency_hz: float) -> str:
    return f"{frequency_hz / 1000:g}k" if frequency_hz >= 1000 else f"{frequency_hz:g}"
