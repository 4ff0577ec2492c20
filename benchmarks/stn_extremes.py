"""What music sounds like through a grid of state transition nets and through the solver, at extreme settings.

    python benchmarks/stn_extremes.py RUN/best.ckpt                     level of each band over the solver's
    python benchmarks/stn_extremes.py RUN/best.ckpt --files FOLDER      and extremes.png, and a WAV of each to listen to

Chowdhury heard less bass and harsher treble than the solver's at extreme settings (2020). Here 8 s of made-up music at
full scale are played at 48 kHz through the net and NR8 at the corners of the knobs. A level is the net's over the
solver's in a band; the error is the level of their difference over the solver's in that band.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from scipy.signal import welch
from stn_grid import CONTROLS, RATE_HZ, play

from tapezoo.checkpoint import load_model
from tapezoo.devices.hysteresis_fields import Fields
from tapezoo.devices.hysteresis_grid import render_cells
from tapezoo.devices.program_music import music_phrase

SECONDS = 8
SEED = 4711
EDGES_HZ = (30, 120, 500, 2_000, 8_000, 20_000)
CORNERS = tuple(itertools.product((0.0, 1.0), repeat=3))

Array = NDArray[np.float64]


def main() -> None:
    """Prints the figures, draws, and writes the audio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--files", type=Path, help="folder for the picture and the audio")
    options = parser.parse_args()
    torch.set_num_threads(1)
    net: Any = load_model(options.checkpoint).net.eval()
    music = music_phrase(float(SECONDS), RATE_HZ, np.random.default_rng(SEED))[: SECONDS * RATE_HZ]
    H = (music / np.abs(music).max())[None]
    fields = Fields(("music",), H.astype(np.float32).astype(np.float64), np.zeros(1), np.zeros(1))
    rows = np.array(CORNERS)[:, None]
    wanted = render_cells(fields, rows, RATE_HZ)[:, 0].astype(np.float64)
    played = np.stack([play(net, fields, row)[0] for row in rows])
    bands = [f"{low:g} to {high:g} Hz" for low, high in itertools.pairwise(EDGES_HZ)]
    print(f"{'level, error in dB':28}{'ESR':>9}" + "".join(f"{band:>20}" for band in bands))
    for corner, target, output in zip(CORNERS, wanted, played, strict=True):
        name = ", ".join(f"{control} {value:g}" for control, value in zip(CONTROLS, corner, strict=True))
        esr = np.square(output - target).sum() / np.square(target).sum()
        levels = band_powers(output) / band_powers(target)
        missed = band_powers(output - target) / band_powers(target)
        cells = "".join(
            f"{10 * np.log10(level):+12.2f}, {10 * np.log10(error):6.1f}"
            for level, error in zip(levels, missed, strict=True)
        )
        print(f"{name:28}{esr:9.5f}{cells}")
    if options.files:
        write(wanted, played, options.files)


def band_powers(signal: Array) -> Array:
    """Mean power in each band."""
    frequency_hz, power = welch(signal, RATE_HZ, nperseg=8192)
    return np.array(
        [
            power[(frequency_hz >= low) & (frequency_hz < high)].sum()
            for low, high in itertools.pairwise(EDGES_HZ)
        ]
    )


def write(wanted: Array, played: Array, folder: Path) -> None:
    """Spectra of net, solver and what is left, and a WAV of net and solver at each corner."""
    from tapezoo.report.figures import ERROR, OUTPUT, TARGET, new_figure, write_png

    folder.mkdir(parents=True, exist_ok=True)
    figure = new_figure(14, 7, "music at full scale: NR8 (black), net (orange) and their difference (red)")
    for panel, corner, target, output in zip(
        figure.subplots(2, 4).flat, CORNERS, wanted, played, strict=True
    ):
        title = ", ".join(f"{control} {value:g}" for control, value in zip(CONTROLS, corner, strict=True))
        for signal, color in ((target, TARGET), (output, OUTPUT), (output - target, ERROR)):
            frequency_hz, power = welch(signal, RATE_HZ, nperseg=8192)
            panel.semilogx(frequency_hz[1:], 10 * np.log10(power[1:] + 1e-30), color=color, linewidth=0.8)
        panel.set_xlim(EDGES_HZ[0], EDGES_HZ[-1])
        loudest_db = 10 * np.log10(welch(target, RATE_HZ, nperseg=8192)[1].max())
        panel.set_ylim(loudest_db - 60, loudest_db + 5)
        panel.set_title(title)
        panel.set_xlabel("Hz")
        panel.set_ylabel("dB per Hz")
        file = title.replace(", ", "_").replace(" ", "")
        peak = max(np.abs(target).max(), np.abs(output).max())
        for name, signal in (("solver", target), ("net", output)):
            soundfile.write(folder / f"{file}_{name}.wav", 0.9 * signal / peak, RATE_HZ, subtype="PCM_24")
    write_png(figure, folder / "extremes.png")


if __name__ == "__main__":
    main()
