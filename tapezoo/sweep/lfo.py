"""Every control in slow motion, on music and on sawtooths: sounds and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tapezoo.measure.lfo import LfoResult, measure_lfo, slow_lfo
from tapezoo.measure.playing import play_moving, sawtooth
from tapezoo.net import Net
from tapezoo.render.soundfiles import write_float_wav
from tapezoo.report.figures import write_png
from tapezoo.report.lfo import draw_lfo_sweep
from tapezoo.sweep.sounds import Signal, saw_name

SAWS_HZ = (262.5, 525.0, 1050.0)
DRAWN_POINTS = 2000


def sweep_by_lfo(
    folder: Path, net: Net, sample_rate: int, names: Sequence[str], music: Signal
) -> list[LfoResult]:
    """Plays music and sawtooths while the controls move; writes inputs, outputs and a picture of each.

    Args:
        folder: Where the files go.
        net: In evaluation mode.
        sample_rate: Of the net, Hz; sawtooths over 0.45 of it are left out.
        names: Of the controls.
        music: (samples,); the sawtooths are as long.
    """
    path = slow_lfo(len(names))
    seconds = len(music) / sample_rate
    inputs = {"music": music} | {
        saw_name(hz): sawtooth(hz, seconds, sample_rate)[: len(music)]
        for hz in SAWS_HZ
        if hz < 0.45 * sample_rate
    }
    outputs = play_moving(net, np.stack(list(inputs.values())), [path] * len(inputs), sample_rate)
    positions = path.at(np.linspace(0, seconds, DRAWN_POINTS))
    labels = [f"{name}, {rate:g} Hz" for name, rate in zip(names, path.rates_hz, strict=True)]
    results = []
    for (sound, input), output in zip(inputs.items(), outputs, strict=True):
        result = measure_lfo(sound, path, output)
        write_float_wav(folder / f"input_{sound}.wav", input, sample_rate)
        write_float_wav(folder / f"modulation_{sound}.wav", output, sample_rate)
        what = sound.replace("saw_", "Sawtooth of ").replace("hz", " Hz").replace("music", "Music")
        title = f"{what}, controls moving slowly" + ("" if result.finite else ": NOT FINITE")
        figure = draw_lfo_sweep(output, positions, labels, sample_rate, title)
        write_png(figure, folder / f"modulation_{sound}.png")
        results.append(result)
    return results
