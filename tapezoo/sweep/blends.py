"""Blends and their neighbours: played, compared, written as sounds and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tapezoo.filenames import unique_file_names
from tapezoo.measure import sweep_pictures
from tapezoo.measure.blends import (
    Blend,
    BlendReport,
    play_settings,
    report,
    setting_name,
    settings_of,
    ways,
)
from tapezoo.measure.pictures import write_png
from tapezoo.measure.playing import sawtooth
from tapezoo.measure.roles import Setting
from tapezoo.net import Net
from tapezoo.sweep.sounds import Signal, write_wav
from tapezoo.sweep.words import saw_name, setting_label

SAW_HZ = 262.5
MUSIC_S, SAW_S = 8.0, 2.0
LOOP_HZ, LOOP_PEAK, LOOP_PERIODS = 100.0, 0.5, 25

Outputs = dict[str, dict[Setting, Signal]]  # by sound and setting


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
    settings = settings_of(blends)
    return {sound: play_settings(net, sample_rate, settings, input) for sound, input in sounds.items()}


def compare_blends(
    net: Net, sample_rate: int, blends: Sequence[Blend], outputs: Outputs
) -> list[BlendReport]:
    """What is said of every blend on every sound of `play_blends`."""
    worst = ways(net, sample_rate, blends)
    return [
        report(blend, sound, outputs[sound], worst.get(blend.setting), sample_rate)
        for blend in blends
        for sound in outputs
    ]


def write_blend_sounds(folder: Path, blends: Sequence[Blend], outputs: Outputs, sample_rate: int) -> None:
    """Writes `blend_SETTING_SOUND.wav` and `neighbour_SETTING_SOUND.wav`."""
    own = {blend.setting for blend in blends}
    settings = settings_of(blends)
    names = [f"{'blend' if one in own else 'neighbour'}_{setting_name(one)}" for one in settings]
    file_names = dict(zip(settings, unique_file_names(names), strict=True))
    for sound, by_setting in outputs.items():
        for setting, output in by_setting.items():
            write_wav(folder / f"{file_names[setting]}_{sound}.wav", output, sample_rate)


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
    saw: Mapping[Setting, Signal] = outputs[saw_name(SAW_HZ)]
    around = {
        setting: setting_label(setting, names)
        for setting in dict.fromkeys(setting for blend in blends for setting in blend.neighbours)
    }
    order = f"positions of {', '.join(names)}"
    period = round(sample_rate / LOOP_HZ)
    sine = LOOP_PEAK * np.sin(2 * np.pi * np.arange(LOOP_PERIODS * period) / period)
    loops = {
        setting: output[-period:]
        for setting, output in play_settings(net, sample_rate, settings_of(blends), sine).items()
    }
    title = f"A sine of {sample_rate / period:g} Hz, peak {20 * np.log10(LOOP_PEAK):.0f} dB; {order}"
    figure = sweep_pictures.blend_loops(blends, sine[-period:], loops, around, title)
    write_png(figure, folder / "blends_loops.png")
    title = f"A sawtooth of {SAW_HZ:g} Hz; {order}"
    figure = sweep_pictures.blend_waveforms(blends, saw, around, SAW_HZ, sample_rate, title)
    write_png(figure, folder / "blends_waveforms.png")
    figure = sweep_pictures.blend_harmonics(blends, saw, around, SAW_HZ, sample_rate, title)
    write_png(figure, folder / "blends_harmonics.png")
