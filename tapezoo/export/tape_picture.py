"""The picture of what stands behind a net: a passage through the net, then with one part of the tape after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tapezoo.blocks import allowed_block
from tapezoo.bundle import Manifest, read_rest
from tapezoo.bundle.play import Audio, play_from_rest
from tapezoo.controls import Control, control_vector
from tapezoo.export.pictures import BLOCK_SAMPLES, COLUMNS, RANGE_DB, ROWS, SHOWN_SAMPLES, WINDOW_SAMPLES
from tapezoo.export.rounding import net_step
from tapezoo.measure.spectrum import measure_spectrogram
from tapezoo.net import Net
from tapezoo.report.figures import new_figure, write_png
from tapezoo.report.waveforms import draw_spectrograms

PICTURE = "pictures/tape.png"
WIDTH_IN, ROW_IN = 8, 2.3
ADDED = {  # in the order of a machine, by the control of each that is off or not
    "modulation_noise": "with the modulation noise",
    "wow": "with the delay",
    "hiss": "with the noise",
}


class TapePicture:
    """Spectrograms with the tape's parts switched on one after another; a `tapezoo.export.targets.target.Part`.

    Args:
        off: The lowest value of every control of the tape, by its name.
    """

    def __init__(self, off: dict[str, float]) -> None:
        self.off = off

    def check(self, net: Net) -> None:
        """See `Part.check`: any tape can be drawn."""

    def write(
        self,
        folder: Path,
        net: Net,
        manifest: Manifest,
        programme: Audio,
        progress: Callable[[str], None],
    ) -> Manifest:
        """See `Part.write`; stands behind `Pictures`, which makes the folder."""
        progress("drawing the tape")
        dry = programme[:1, :SHOWN_SAMPLES]
        block = allowed_block(BLOCK_SAMPLES, manifest.hop_samples, manifest.max_block_samples)
        shown = {}
        for name, settings in stages(manifest.controls, self.off).items():
            knobs = np.array(control_vector(manifest.controls, settings), np.float32).reshape(1, 1, -1)
            wet = play_from_rest(net_step(net), dry, knobs, read_rest(folder, manifest), block)
            shown[name] = measure_spectrogram(
                wet[0, manifest.latency_samples :],
                manifest.sample_rate,
                window_samples=WINDOW_SAMPLES,
                most_frames=COLUMNS,
                rows=ROWS,
            )
        figure = new_figure(WIDTH_IN, ROW_IN * len(shown), f"{manifest.architecture}, golden audio")
        write_png(draw_spectrograms(shown, figure, RANGE_DB), folder / PICTURE)
        return manifest


def stages(controls: Sequence[Control], off: dict[str, float]) -> dict[str, dict[str, float]]:
    """What is switched off, by what is then heard: the net alone, then with one part after another."""
    left = {name: low for name, low in off.items() if any(control.name == name for control in controls)}
    found = {"nonlinearity": dict(left)}
    for name, added in ADDED.items():
        if name in left:
            for control in (name, "flutter") if name == "wow" else (name,):
                del left[control]
            found[added] = dict(left)
    return found
