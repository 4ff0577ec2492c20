"""The pictures of the model card, as a part of a bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tapezoo.blocks import allowed_block
from tapezoo.bundle import Manifest, read_rest
from tapezoo.bundle.play import Audio, play_from_rest
from tapezoo.controls import control_vector
from tapezoo.export.rounding import net_step
from tapezoo.measure.spectrum import measure_spectrogram
from tapezoo.measure.transfer import transfer_loops
from tapezoo.net import Net
from tapezoo.report.figures import INPUT, OUTPUT, new_figure, write_png
from tapezoo.report.transfer import draw_transfer_curve
from tapezoo.report.waveforms import Trace, draw_spectrograms, draw_waveforms

SHOWN_SAMPLES = 1 << 17  # three seconds at 44.1 kHz
BLOCK_SAMPLES = 2048
CLOSE_UP_MS = 6.0
SINE_HZ = 100.0  # of the transfer curve
WINDOW_SAMPLES = 1024
ROWS, COLUMNS = 64, 200  # of a spectrogram: flat cells keep the file small
RANGE_DB = 80.0
WAVEFORM_COLUMNS = 400
SIZE_IN = (8, 5)


class Pictures:
    """Draws what the net makes of the golden audio, and its transfer curve, at the controls' defaults."""

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
        """See `tapezoo.export.targets.target.Part`; the card finds the files by their names, see `report.card`."""
        progress("drawing pictures")
        (folder / "pictures").mkdir()
        default = np.array(control_vector(manifest.controls, {}), dtype=np.float32)
        dry = programme[:1, :SHOWN_SAMPLES]
        block = allowed_block(BLOCK_SAMPLES, manifest.hop_samples, manifest.max_block_samples)
        wet = play_from_rest(
            net_step(net), dry, default.reshape(1, 1, -1), read_rest(folder, manifest), block
        )
        latency = manifest.latency_samples
        signals = {"dry": dry[0, : dry.shape[1] - latency], "out": wet[0, latency:]}
        rate, title = manifest.sample_rate, f"{manifest.architecture}, golden audio"
        traces = [
            Trace(name, signal, colour)
            for (name, signal), colour in zip(signals.items(), (INPUT, OUTPUT), strict=True)
        ]
        spectrograms = {
            name: measure_spectrogram(
                signal, rate, window_samples=WINDOW_SAMPLES, most_frames=COLUMNS, rows=ROWS
            )
            for name, signal in signals.items()
        }
        loops = transfer_loops(net, rate, default.tolist(), frequency_hz=SINE_HZ)
        figures = {
            "waveforms": draw_waveforms(
                traces, rate, new_figure(*SIZE_IN, title), CLOSE_UP_MS, WAVEFORM_COLUMNS
            ),
            "spectrograms": draw_spectrograms(spectrograms, new_figure(*SIZE_IN, title), RANGE_DB),
            "transfer_curve": draw_transfer_curve(loops, SINE_HZ, manifest.architecture),
        }
        for name, figure in figures.items():
            write_png(figure, folder / "pictures" / f"{name}.png")
        return manifest
