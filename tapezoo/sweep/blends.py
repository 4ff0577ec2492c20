"""Blends and their neighbours: played, compared, written as sounds and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tapezoo.filenames import unique_file_names
from tapezoo.measure.blend_comparison import (
    BlendResult,
    compare_with_neighbours,
    measure_ways,
    play_positions,
)
from tapezoo.measure.blends import Blend, all_positions, positions_name
from tapezoo.measure.playing import sawtooth
from tapezoo.measure.roles import Positions
from tapezoo.net import Net
from tapezoo.render.soundfiles import write_float_wav
from tapezoo.report.blends import draw_blend_harmonics, draw_blend_loops, draw_blend_waveforms
from tapezoo.report.figures import write_png
from tapezoo.report.sweep import blend_text
from tapezoo.sweep.sounds import Signal, saw_name

SAW_HZ = 262.5
MUSIC_S, SAW_S = 8.0, 2.0
LOOP_HZ, LOOP_PEAK, LOOP_PERIODS = 100.0, 0.5, 25

Outputs = dict[str, dict[Positions, Signal]]  # by sound and positions


def play_blends(net: Net, sample_rate: int, blends: Sequence[Blend], music: Signal) -> Outputs:
    """The outputs of all blends and neighbours for the start of the music and for a sawtooth.

    Args:
        net: In evaluation mode.
        sample_rate: Of the net, Hz.
        blends: What is compared.
        music: (samples,); at most its first 8 s are played.
    """
    sounds = {
        "music": music[: round(MUSIC_S * sample_rate)],
        saw_name(SAW_HZ): sawtooth(SAW_HZ, SAW_S, sample_rate),
    }
    positions = all_positions(blends)
    return {sound: play_positions(net, sample_rate, positions, input) for sound, input in sounds.items()}


def compare_blends(
    net: Net, sample_rate: int, blends: Sequence[Blend], outputs: Outputs
) -> list[BlendResult]:
    """Every blend beside its neighbours on every sound of `play_blends`."""
    ways = measure_ways(net, sample_rate, blends)
    results = []
    for blend in blends:
        for sound, by_positions in outputs.items():
            others = [by_positions[neighbour] for neighbour in blend.neighbours]
            compared = compare_with_neighbours(by_positions[blend.positions], others, sample_rate)
            results.append(BlendResult(blend, sound, compared, ways.get(blend.positions)))
    return results


def write_blend_sounds(folder: Path, blends: Sequence[Blend], outputs: Outputs, sample_rate: int) -> None:
    """Writes `blend_POSITIONS_SOUND.wav` and `neighbour_POSITIONS_SOUND.wav`."""
    own = {blend.positions for blend in blends}
    played = all_positions(blends)
    names = [f"{'blend' if one in own else 'neighbour'}_{positions_name(one)}" for one in played]
    file_names = dict(zip(played, unique_file_names(names), strict=True))
    for sound, by_positions in outputs.items():
        for positions, output in by_positions.items():
            write_float_wav(folder / f"{file_names[positions]}_{sound}.wav", output, sample_rate)


def draw_blends(
    folder: Path, net: Net, sample_rate: int, names: Sequence[str], blends: Sequence[Blend], outputs: Outputs
) -> None:
    """Writes `blends_loops.png`, `blends_waveforms.png` and `blends_harmonics.png`.

    Args:
        folder: Where the files go.
        net: In evaluation mode; plays a sine for the loops.
        sample_rate: Of the net, Hz.
        names: Of the controls.
        blends: What is drawn, each with its neighbours.
        outputs: Of `play_blends`; the sawtooth's are drawn.
    """
    saw: Mapping[Positions, Signal] = outputs[saw_name(SAW_HZ)]
    neighbours = dict.fromkeys(neighbour for blend in blends for neighbour in blend.neighbours)
    around = {neighbour: blend_text(neighbour, names) for neighbour in neighbours}
    order = f"positions of {', '.join(names)}"
    period = round(sample_rate / LOOP_HZ)
    sine = LOOP_PEAK * np.sin(2 * np.pi * np.arange(LOOP_PERIODS * period) / period)
    loops = {
        positions: output[-period:]
        for positions, output in play_positions(net, sample_rate, all_positions(blends), sine).items()
    }
    title = f"A sine of {sample_rate / period:g} Hz, peak {20 * np.log10(LOOP_PEAK):.0f} dB; {order}"
    figure = draw_blend_loops(blends, sine[-period:], loops, around, title)
    write_png(figure, folder / "blends_loops.png")
    title = f"A sawtooth of {SAW_HZ:g} Hz; {order}"
    figure = draw_blend_waveforms(blends, saw, around, SAW_HZ, sample_rate, title)
    write_png(figure, folder / "blends_waveforms.png")
    figure = draw_blend_harmonics(blends, saw, around, SAW_HZ, sample_rate, title)
    write_png(figure, folder / "blends_harmonics.png")
