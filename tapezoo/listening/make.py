"""Makes the folder of a listening test."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from tapezoo import __version__
from tapezoo.listening.design import STIMULI, Kind, ListeningTest, Trial, check_count
from tapezoo.listening.errors import ListeningError
from tapezoo.listening.excerpts import choose_excerpts
from tapezoo.listening.material import Material
from tapezoo.listening.page import MOST_BYTES, check_page_size, packed, write_page
from tapezoo.listening.stimuli import letters, play_trial
from tapezoo.listening.systems import System, check_systems
from tapezoo.listening.webmushra import PAIR, write_webmushra

Signal = NDArray[np.float64]  # (samples,), full scale is +-1

PAUSE_S = 0.5  # between the two sounds of a DMOS pair; P.800, D.2.3 asks for 0.5 to 1 s
ID_LETTERS = 12
ROOM_SHARE = 0.9  # of a page: passages are not packed alike


def make_test(
    folder: Path,
    place: str,
    material: Material,
    systems: Sequence[System],
    kind: Kind,
    excerpts: int,
    seconds: float,
    repeats: int,
    seed: int,
    progress: Callable[[str], None] = lambda step: None,
) -> ListeningTest:
    """Plays the systems and writes the page, the stimuli, webMUSHRA's configuration and `test.json`.

    Args:
        folder: An empty one.
        place: Name that the folder will have.
        material: What is listened to.
        systems: What is judged.
        kind: The method.
        excerpts: How many passages.
        seconds: Length of each, s.
        repeats: How often each pair of an ABX test is asked.
        seed: Of passages and ids.
        progress: Called with each step's name.

    Raises:
        ListeningError: Systems that do not belong together, too little audio, or too much for one page.
    """
    check_systems(systems, material)
    check_count(kind, len(systems))
    rate = material.sample_rate
    chosen = choose_excerpts(material, excerpts, seconds, seed)
    trials: list[Trial] = []
    audio: dict[str, str] = {}
    digest = hashlib.sha256(f"{kind} {repeats} {seed}".encode())
    (folder / STIMULI).mkdir()
    for number, excerpt in enumerate(chosen):
        progress(f"passage {number + 1} of {len(chosen)}")
        trial, sounds = play_trial(excerpt, systems, kind, rate, seed)
        for name, sound in sorted(sounds.items()):
            _write(folder / STIMULI / f"{name}.wav", sound, rate)
            digest.update(sound.astype("<f4").tobytes())
            audio[name] = packed(sound, rate)
        if kind == "dmos":
            pause = np.zeros(round(PAUSE_S * rate))
            for one in trial.stimuli:
                pair = np.concatenate((sounds[trial.reference], pause, sounds[one.id]))
                _write(folder / STIMULI / f"{one.id}{PAIR}.wav", pair, rate)
        trials.append(trial)
        check_page_size(sum(map(len, audio.values())) * len(chosen) // (number + 1), len(chosen), seconds)
    _check_different(trials)
    test = ListeningTest(
        letters(digest.hexdigest())[:ID_LETTERS],
        kind,
        rate,
        seconds,
        repeats if kind == "abx" else 1,
        seed,
        {system.name: str(system.source) for system in systems},
        trials,
        __version__,
    )
    test.write(folder)
    write_page(test, audio, folder)
    write_webmushra(test, folder, place)
    return test


def page_room(material: Material, systems: Sequence[System], kind: Kind, seconds: float, seed: int) -> int:
    """How many passages a page holds, at least 1: as many as one that is played fits into it, less a tenth.

    Args:
        material: What is listened to; it has one passage of this length at least, or is refused.
        systems: What is judged.
        kind: The method.
        seconds: Length of each passage, s.
        seed: As of `make_test`.

    Raises:
        ListeningError: As `make_test`.
    """
    check_systems(systems, material)
    [excerpt] = choose_excerpts(material, 1, seconds, seed)
    _, sounds = play_trial(excerpt, systems, kind, material.sample_rate, seed)
    size = sum(len(packed(sound, material.sample_rate)) for sound in sounds.values()) * 3 // 4
    return max(1, int(ROOM_SHARE * MOST_BYTES / size))


def _check_different(trials: Sequence[Trial]) -> None:
    """Two sounds with one id are the same sound."""
    for trial in trials:
        ids = [one.id for one in trial.stimuli]
        if len(set(ids)) < len(ids):
            raise ListeningError(
                trial.recording,
                found="two sounds with one id",
                expected="an id each",
                fix="Pass another --seed.",
            )


def _write(path: Path, sound: Signal, sample_rate: int) -> None:
    soundfile.write(path, sound, sample_rate, subtype="PCM_24")
