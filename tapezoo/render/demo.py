"""A synthetic passage through bundles at matched levels, to hear trained models before training one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from tapezoo.bundle import read_manifest
from tapezoo.devices.program_music import music_phrase
from tapezoo.devices.program_percussion import percussion_phrase
from tapezoo.render.automation import Automation
from tapezoo.render.bundles import BundlePlayer
from tapezoo.render.effect import play_effect
from tapezoo.render.soundfiles import Layout
from tapezoo.runtime import Stream, engine_for_one_file

DRY = "dry"
SAMPLE_RATE = 44100  # Hz
SECONDS = 12.0
SEED = 11  # of the passage: chords, bass and melody together
DRUMS = 0.5  # their peak, of the music's
DRIVEN_PEAK = 0.7  # peak of the input to the machines; full scale is 1
SAFE_PEAK = 0.5  # of the loudest file, -6 dB: headroom for converters and for what bundles may be added
CROSSFADE_S = 1.0  # from one control to the next
BLOCK_SAMPLES = 8192

Signal = NDArray[np.float64]  # (samples,)


@dataclass(frozen=True)
class DemoFile:
    """One of the files.

    Args:
        path: Of it.
        gain_db: What matches its level to that of the dry one, dB; 0 for the dry one itself.
        controls: Names of the bundle's controls, which are turned up one after another.
    """

    path: Path
    gain_db: float
    controls: tuple[str, ...] = ()


def render_demo(folder: Path, bundles: Mapping[str, Path], seconds: float) -> list[DemoFile]:
    """Writes `dry.wav` and one file per bundle, 24 bit, mono.

    All have the power of the dry passage, and one common gain keeps the loudest peak at -6 dB. A bundle with controls
    plays each of them alone in turn, crossfaded.

    Args:
        folder: Where to; exists.
        bundles: Folders by name.
        seconds: Length of the passage, s; 2 or more.

    Raises:
        BundleError: See `Stream`.
        OSError: A file cannot be written.
    """
    dry = made_up_passage(seconds)
    signals, controls = {DRY: dry}, {}
    for name, root in bundles.items():
        stream = Stream(root, engine=engine_for_one_file(read_manifest(root)))
        signals[name] = _played(stream, dry)
        controls[name] = tuple(control.name for control in stream.manifest.controls)
    gains = matching_gains(signals)
    files = []
    for name, signal in signals.items():
        path = folder / f"{name}.wav"
        soundfile.write(path, gains[name] * signal, SAMPLE_RATE, subtype="PCM_24")
        gain_db = 20 * float(np.log10(gains[name] / gains[DRY]))
        files.append(DemoFile(path, gain_db, controls.get(name, ())))
    return files


def made_up_passage(seconds: float) -> Signal:
    """(samples,): music with drums at 44.1 kHz, its peak at `DRIVEN_PEAK`.

    Args:
        seconds: Length, s.
    """
    music, drums = (
        phrase(seconds, SAMPLE_RATE, np.random.default_rng(SEED))
        for phrase in (music_phrase, percussion_phrase)
    )
    both = music / np.abs(music).max() + DRUMS * drums / np.abs(drums).max()
    return np.asarray(both * (DRIVEN_PEAK / np.abs(both).max()), dtype=np.float64)


def matching_gains(signals: Mapping[str, Signal]) -> dict[str, float]:
    """What every signal is multiplied by, so that all have the power of the first and the loudest peaks at `SAFE_PEAK`.

    Args:
        signals: By name, none of them silent.
    """
    power = {name: float(np.mean(np.square(signal))) for name, signal in signals.items()}
    first = next(iter(power.values()))
    gains = {name: float(np.sqrt(first / power[name])) for name in signals}
    loudest = max(gains[name] * float(np.abs(signal).max()) for name, signal in signals.items())
    return {name: gain * SAFE_PEAK / loudest for name, gain in gains.items()}


def one_after_another(num_controls: int, seconds: float) -> Automation:
    """Each control at 1 for its share of the time, the others at 0, with crossfades between.

    Args:
        num_controls: 0 or more.
        seconds: Altogether, s.
    """
    share_s = seconds / max(num_controls, 1)
    fade_s = min(CROSSFADE_S, share_s / 2)
    times_s, positions = [0.0], [np.eye(num_controls)[:1].sum(axis=0)]
    for number in range(1, num_controls):
        change_s = number * share_s
        times_s += [change_s - fade_s / 2, change_s + fade_s / 2]
        positions += [np.eye(num_controls)[number - 1], np.eye(num_controls)[number]]
    return Automation(np.array(times_s), np.array(positions))


def _played(stream: Stream, dry: Signal) -> Signal:
    player = BundlePlayer(stream)
    layout = Layout(SAMPLE_RATE, 1, len(dry), "WAV", "PCM_24")
    path = one_after_another(player.num_controls, len(dry) / SAMPLE_RATE)
    blocks: Iterator[NDArray[np.float64]] = iter([dry[:, np.newaxis]])
    wet = np.concatenate(list(play_effect(player, path, blocks, layout, 0.0, BLOCK_SAMPLES)))
    return np.asarray(wet[:, 0])
