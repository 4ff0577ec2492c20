"""The pictures of the model card, as a part of a bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from tapezoo.bundle import Manifest, read_rest
from tapezoo.bundle.golden import Audio, stream
from tapezoo.controls import control_vector
from tapezoo.export.golden import allowed_block, net_step
from tapezoo.measure.pictures import INPUT, OUTPUT, draw_levels, transfer_curve, write_png
from tapezoo.measure.transfer import transfer_loops
from tapezoo.net import Net

SHOWN_SAMPLES = 1 << 17  # three seconds at 44.1 kHz
BLOCK_SAMPLES = 2048
CLOSE_UP_MS = 6.0
SINE_HZ = 100.0  # of the transfer curve
WINDOW_SAMPLES = 1024
CELLS = (64, 200)  # rows and columns of a spectrogram: flat cells keep the file small
RANGE_DB = 80.0
COLUMNS = 300  # of a waveform


class Pictures:
    """Draws what the net makes of the golden programme, and its transfer curve, at the controls' defaults."""

    def check(self, net: Net) -> None:
        """See `Part.check`: any net can be drawn."""

    def write(
        self,
        folder: Path,
        net: Net,
        manifest: Manifest,
        programme: Audio,
        progress: Callable[[str], None],
    ) -> Manifest:
        """See `tapezoo.export.targets.target.Part`; the card finds the files by their names, see `card.PICTURES`."""
        progress("drawing pictures")
        (folder / "pictures").mkdir()
        default = np.array(control_vector(manifest.controls, {}), dtype=np.float32)
        dry = programme[:1, :SHOWN_SAMPLES]
        block = allowed_block(BLOCK_SAMPLES, manifest.hop_samples, manifest.max_block_samples)
        wet = stream(net_step(net), dry, default.reshape(1, 1, -1), read_rest(folder, manifest), block)
        latency = manifest.latency_samples
        signals = {"dry": dry[0, : dry.shape[1] - latency], "out": wet[0, latency:]}
        title = f"{manifest.architecture}, golden programme"
        pictures = {
            "waveforms": waveforms(signals, manifest.sample_rate, title),
            "spectrograms": spectrograms(signals, manifest.sample_rate, title),
        }
        loops = transfer_loops(net, manifest.sample_rate, default.tolist(), frequency_hz=SINE_HZ)
        pictures["transfer_curve"] = transfer_curve(loops, SINE_HZ, manifest.architecture)
        for name, figure in pictures.items():
            write_png(figure, folder / "pictures" / f"{name}.png")
        return manifest


def waveforms(signals: dict[str, Audio], sample_rate: int, title: str) -> Figure:
    """Each signal over the whole excerpt, lowest and highest value by column, and all close up where it is loud.

    Args:
        signals: (samples,) each, by name.
        sample_rate: Hz.
        title: What is shown.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    figure.suptitle(title)
    whole, close = figure.subplots(2, 1)
    dry = next(iter(signals.values()))
    middle, half = int(np.argmax(np.abs(dry))), round(CLOSE_UP_MS * 0.5e-3 * sample_rate)
    part = slice(max(0, middle - half), middle + half + 1)
    columns = min(COLUMNS, len(dry))
    for (name, signal), colour in zip(signals.items(), (INPUT, OUTPUT), strict=True):
        cut = signal[: len(signal) // columns * columns].reshape(columns, -1)
        time_s = np.arange(columns) * cut.shape[1] / sample_rate
        whole.fill_between(
            time_s, cut.min(axis=1), cut.max(axis=1), color=colour, alpha=0.6, linewidth=0, label=name
        )
        close.plot(
            np.arange(part.start, part.start + len(signal[part])) / sample_rate, signal[part], color=colour
        )
    for at in (whole, close):
        at.set_xlabel("time (s)")
        at.set_ylabel("amplitude (full scale = 1)")
        at.margins(x=0)
        at.grid(alpha=0.3)
    whole.legend(loc="upper right", ncols=2)
    return figure


def spectrograms(signals: dict[str, Audio], sample_rate: int, title: str) -> Figure:
    """Each signal's level over time and frequency, in large cells, on one scale.

    Args:
        signals: (samples,) each, by name; `WINDOW_SAMPLES` or more.
        sample_rate: Hz.
        title: What is shown.
    """
    levels = {name: _level_db(signal, sample_rate) for name, signal in signals.items()}
    figure = Figure(figsize=(8, 5), layout="constrained")
    figure.suptitle(title)
    length_s = max(map(len, signals.values())) / sample_rate
    draw_levels(figure, levels, length_s, sample_rate, RANGE_DB)
    return figure


def _level_db(signal: Audio, sample_rate: int) -> Audio:
    """(rows, columns): the highest level in each cell; a full-scale sine has a peak of 0 dB."""
    rows, columns = CELLS
    hop = max(WINDOW_SAMPLES // 4, len(signal) // columns)
    transform = ShortTimeFFT(hann(WINDOW_SAMPLES, sym=False), hop, fs=sample_rate, scale_to="magnitude")
    power = np.square(2 * np.abs(transform.stft(signal.astype(np.float64))[: WINDOW_SAMPLES // 2]))
    cells = power.reshape(rows, -1, power.shape[1]).max(axis=1)
    return np.asarray(10 * np.log10(np.maximum(cells, 1e-12)), dtype=np.float32)
