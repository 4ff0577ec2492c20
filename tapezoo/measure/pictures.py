"""Pictures of what a model does beside what it should do; every function returns a figure of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from tapezoo.esr import esr
from tapezoo.layers.responses import Response
from tapezoo.measure.transfer import TransferLoop
from tapezoo.staging import replaced_file

Signal = NDArray[np.floating]  # (samples,), full scale is +-1

INPUT, TARGET, OUTPUT, ERROR = "#4c78a8", "#222222", "#f28e2b", "#d62728"
WINDOW_SAMPLES, SPECTRUM_HOP_SAMPLES = 2048, 512
RANGE_DB = 90.0  # what a spectrogram shows below its loudest point
COLUMNS = 1600  # more columns than pixels are not seen, and cost seconds to draw
ZOOM_MS = 15.0
SHOWN_DB = 60.0  # of a magnitude response, below its highest point


def spectrograms(input: Signal, target: Signal, output: Signal, sample_rate: int, title: str) -> Figure:
    """Input, target, output and the error on one scale of time, frequency and level.

    Args:
        input: (samples,)
        target: (samples,)
        output: (samples,), aligned with the target.
        sample_rate: Hz.
        title: What is shown.
    """
    rows = {"input": input, "target": target, "output": output, "error (output - target)": output - target}
    levels = {name: _level_db(signal, sample_rate) for name, signal in rows.items()}
    figure = Figure(figsize=(10, 10), layout="constrained")
    figure.suptitle(title)
    draw_levels(figure, levels, len(target) / sample_rate, sample_rate, RANGE_DB)
    return figure


def draw_levels(
    figure: Figure,
    levels: Mapping[str, NDArray[np.floating]],
    length_s: float,
    sample_rate: int,
    range_db: float,
) -> None:
    """One panel per spectrogram, on one scale of time, frequency and level.

    Args:
        figure: Empty but for a title.
        levels: (frequencies, times) in dB, by name.
        length_s: What the columns cover, seconds.
        sample_rate: Hz; the rows go up to half of it.
        range_db: What is shown below the loudest point of all.
    """
    top = max(float(level.max()) for level in levels.values())
    axes = figure.subplots(len(levels), 1, sharex=True, sharey=True)
    for at, (name, level) in zip(axes, levels.items(), strict=True):
        image = at.imshow(
            level,
            origin="lower",
            aspect="auto",
            extent=(0, length_s, 0, sample_rate / 2000),
            vmin=top - range_db,
            vmax=top,
            cmap="magma",
            interpolation="nearest",
        )
        at.set_title(name, loc="left", fontsize="medium")
        at.set_ylabel("frequency (kHz)")
    axes[-1].set_xlabel("time (s)")
    figure.colorbar(image, ax=axes, label="level (dB re full-scale sine)")


def waveforms(target: Signal, output: Signal, sample_rate: int, title: str) -> Figure:
    """Target, output and error over the whole excerpt, and close up around the loudest sample.

    Args:
        target: (samples,)
        output: (samples,), aligned with the target.
        sample_rate: Hz.
        title: What is shown; the excerpt's ESR (error energy over target energy) is added.
    """
    error = output - target
    energies = (float(np.sum(np.square(signal, dtype=np.float64))) for signal in (error, target))
    middle, half = int(np.argmax(np.abs(target))), round(ZOOM_MS * 0.5e-3 * sample_rate)
    figure = Figure(figsize=(10, 7), layout="constrained")
    figure.suptitle(f"{title}: ESR {esr(*energies):.2g}")
    whole, close = figure.subplots(2, 1)
    for at, part in (
        (whole, slice(0, len(target))),
        (close, slice(max(0, middle - half), middle + half + 1)),
    ):
        for signal, name, colour, width in (
            (target, "target", TARGET, 1.6),
            (output, "output", OUTPUT, 0.9),
            (error, "error", ERROR, 0.8),
        ):
            time_s, value = _drawable(signal[part], sample_rate)
            at.plot(time_s + part.start / sample_rate, value, color=colour, linewidth=width, label=name)
        at.set_xlabel("time (s)")
        at.set_ylabel("amplitude (full scale = 1)")
        at.margins(x=0)
        at.grid(alpha=0.3)
    close.set_title(f"{ZOOM_MS:g} ms around the loudest sample", loc="left", fontsize="medium")
    whole.legend(loc="upper right", ncols=3)
    return figure


def transfer_curve(loops: Sequence[TransferLoop], frequency_hz: float, title: str) -> Figure:
    """Output over input for one period of a sine at each level, the target's where there is one.

    Args:
        loops: From `tapezoo.measure.transfer.transfer_loops`.
        frequency_hz: Of the sine, Hz.
        title: What is shown.
    """
    figure = Figure(figsize=(7, 6.5), layout="constrained")
    at: Axes = figure.subplots()
    shades = _shades(len(loops))
    for loop, shade in zip(loops, shades, strict=True):
        if loop.target is not None:
            at.plot(_closed(loop.input), _closed(loop.target), color=TARGET, linewidth=2.5, alpha=0.35)
        at.plot(
            _closed(loop.input),
            _closed(loop.output),
            color=shade,
            linewidth=1.4,
            label=f"{loop.level_db:g} dB",
        )
    reach = max((float(np.abs(loop.input).max()) for loop in loops), default=1.0)
    at.plot(
        [-reach, reach], [-reach, reach], color="grey", linewidth=0.8, linestyle=":", label="output = input"
    )
    at.set_title(f"{title}: {frequency_hz:g} Hz sine, one period" + _target_note(loops))
    at.set_xlabel("input (full scale = 1)")
    at.set_ylabel("output (full scale = 1)")
    at.grid(alpha=0.3)
    at.legend(title="input peak re full scale", loc="upper left")
    return figure


def block_response(responses: Sequence[Response], title: str) -> Figure:
    """The lines of one block: level over frequency, or output over input; the first one stands out.

    Args:
        responses: Of one block, at least one, all of one kind.
        title: What is shown.
    """
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    at: Axes = figure.subplots()
    for index, response in enumerate(responses):
        colour, width = (f"C{index - 1}", 1.1) if index else (TARGET, 2.2)
        at.plot(response.x, response.y, label=response.label, color=colour, linewidth=width)
    if responses[0].kind == "magnitude":
        at.set_xscale("log")
        at.set_xlabel("frequency (Hz)")
        at.set_ylabel("gain (dB)")
        top = max(float(response.y.max()) for response in responses)
        lowest = min(float(response.y.min()) for response in responses)
        at.set_ylim(max(lowest, top - SHOWN_DB) - 1.0, top + 1.0)
    else:
        at.set_xlabel("input (full scale = 1)")
        at.set_ylabel("output (full scale = 1)")
    at.set_title(title)
    at.margins(x=0)
    at.grid(alpha=0.3, which="both")
    at.legend(fontsize="small")
    return figure


def write_png(figure: Figure, path: Path) -> Path:
    """Writes `figure` with 100 dots per inch and returns `path`; its texts are no formulas, whatever they hold.

    Raises:
        UnwritableOutputError: It cannot be written, or the disk is full.
    """
    _take_literally(figure)
    with replaced_file(path) as part:
        figure.savefig(part, dpi=100, format="png")
    return path


def _take_literally(figure: Figure) -> None:
    # `a$b$.wav` is no formula, and `$\x$` none that could be drawn; powers of ten at an axis are
    ticks = {
        id(label)
        for at in figure.axes
        for axis in (at.xaxis, at.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
    }
    for text in figure.findobj(Text):
        if isinstance(text, Text) and id(text) not in ticks:
            text.set_parse_math(False)


def _level_db(signal: Signal, sample_rate: int) -> NDArray[np.float64]:
    """(frequencies, frames): a full-scale sine has a peak of 0 dB."""
    window = hann(WINDOW_SAMPLES, sym=False)
    hop = max(SPECTRUM_HOP_SAMPLES, len(signal) // COLUMNS)
    if len(signal) < WINDOW_SAMPLES:
        signal = np.pad(signal, (0, WINDOW_SAMPLES - len(signal)))
    transform = ShortTimeFFT(window, hop, fs=sample_rate, scale_to="magnitude")
    magnitude = 2 * np.abs(
        transform.stft(np.asarray(signal, dtype=np.float64))
    )  # one side holds half of a sine
    level: NDArray[np.float64] = 20 * np.log10(np.maximum(magnitude, 1e-10))
    return level


def _drawable(signal: Signal, sample_rate: int) -> tuple[NDArray[np.float64], Signal]:
    """Times and values; a long signal becomes the lowest and highest value of each of `COLUMNS` stretches."""
    stretch = len(signal) // COLUMNS
    if stretch < 4:
        return np.arange(len(signal)) / sample_rate, signal
    cut = signal[: COLUMNS * stretch].reshape(COLUMNS, stretch)
    values = np.stack((cut.min(axis=1), cut.max(axis=1)), axis=1).reshape(-1)
    return np.arange(len(values)) * (stretch / 2) / sample_rate, values


def _closed(period: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.append(period, period[:1])


def _shades(count: int) -> list[tuple[float, float, float]]:
    """From light to the output's orange to dark, quiet to loud."""
    return [
        (0.99 - 0.4 * at, 0.75 - 0.6 * at, 0.45 - 0.4 * at) for at in np.linspace(0, 1, max(count, 1))[:count]
    ]


def _target_note(loops: Sequence[TransferLoop]) -> str:
    return " (grey: target)" if any(loop.target is not None for loop in loops) else ""
