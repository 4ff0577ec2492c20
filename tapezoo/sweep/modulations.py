"""Every control in slow motion, on music and on sawtooths: sounds and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tapezoo.measure import sweep_pictures
from tapezoo.measure.pictures import write_png
from tapezoo.measure.playing import play_moving, sawtooth
from tapezoo.measure.smoothness import Modulation
from tapezoo.net import Net
from tapezoo.sweep.sounds import Signal, write_wav
from tapezoo.sweep.words import saw_name

# Simionato, Fasciani, "Hybrid neural audio effects", SMC 2024
MODULATION_HZ = (0.05, 0.07, 0.09)
SAWS_HZ = (262.5, 525.0, 1050.0)
DRAWN_POINTS = 2000


@dataclass(frozen=True)
class Modulated:
    """One sound played while all controls moved.

    Args:
        sound: Its name.
        path: Of the controls.
        finite: No NaN or infinity in the output.
        peak: Of the output, full scale is 1; NaN if it is not finite.
    """

    sound: str
    path: Modulation
    finite: bool
    peak: float


def slow_modulation(num_controls: int) -> Modulation:
    """Each control from end to end at one of the three rates in turn, their phases spread over a period."""
    rates_hz = [MODULATION_HZ[number % len(MODULATION_HZ)] for number in range(num_controls)]
    # the first one begins at 0
    phases = [2 * np.pi * number / num_controls - np.pi / 2 for number in range(num_controls)]
    return Modulation([0.5] * num_controls, [0.5] * num_controls, rates_hz, phases)


def play_modulations(
    folder: Path, net: Net, sample_rate: int, names: Sequence[str], music: Signal
) -> list[Modulated]:
    """Plays music and sawtooths while the controls move; writes inputs, outputs and a picture of each.

    Args:
        folder: Where the files go.
        net: In evaluation mode.
        sample_rate: Of the net, Hz; sawtooths over 0.45 of it are left out.
        names: Of the controls.
        music: (samples,); the sawtooths are as long.
    """
    path = slow_modulation(len(names))
    seconds = len(music) / sample_rate
    inputs = {"music": music} | {
        saw_name(hz): sawtooth(hz, seconds, sample_rate)[: len(music)]
        for hz in SAWS_HZ
        if hz < 0.45 * sample_rate
    }
    outputs = play_moving(net, np.stack(list(inputs.values())), [path] * len(inputs), sample_rate)
    positions = path.at(np.linspace(0, seconds, DRAWN_POINTS))
    labels = [f"{name}, {rate:g} Hz" for name, rate in zip(names, path.rates_hz, strict=True)]
    result = []
    for (sound, input), output in zip(inputs.items(), outputs, strict=True):
        finite = bool(np.isfinite(output).all())
        peak = float(np.abs(output).max()) if finite else float("nan")
        write_wav(folder / f"input_{sound}.wav", input, sample_rate)
        write_wav(folder / f"modulation_{sound}.wav", output, sample_rate)
        what = sound.replace("saw_", "Sawtooth of ").replace("hz", " Hz").replace("music", "Music")
        title = f"{what}, controls moving slowly" + ("" if finite else ": NOT FINITE")
        figure = sweep_pictures.modulation(output, positions, labels, sample_rate, title)
        write_png(figure, folder / f"modulation_{sound}.png")
        result.append(Modulated(sound, path, finite, peak))
    return result
