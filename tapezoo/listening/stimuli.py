"""The sounds of one trial: systems and anchors at the loudness of the reference, all under full scale."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric

from tapezoo.listening.anchors import LOW_HZ, MID_HZ, anchor
from tapezoo.listening.design import LOW_ANCHOR, METRICS, MID_ANCHOR, REFERENCE, Kind, Role, Stimulus, Trial
from tapezoo.listening.errors import ListeningError
from tapezoo.listening.excerpts import Excerpt
from tapezoo.listening.systems import System
from tapezoo.loudness import loudness
from tapezoo.metrics import make_metric
from tapezoo.metrics.sampled import MetricError, refused_for_length

Signal = NDArray[np.float64]  # (samples,), full scale is +-1

PEAK = 10 ** (-1 / 20)  # of the loudest sound of a trial: a converter's filter may overshoot by a dB
FADE_S = 0.01
ID_LETTERS = 10
OPEN = "open reference"


@dataclass(frozen=True)
class Played:
    """One sound of a trial before it has an id.

    Args:
        system: Name of what made it.
        role: What it is there for.
        sound: (samples,), as it was made.
        gain_db: To the loudness of the reference.
    """

    system: str
    role: Role
    sound: Signal
    gain_db: float


def play_trial(
    excerpt: Excerpt,
    systems: Sequence[System],
    kind: Kind,
    sample_rate: int,
    seed: int,
) -> tuple[Trial, dict[str, Signal]]:
    """One trial, and its sounds by their ids.

    Args:
        excerpt: What is played.
        systems: What plays it.
        kind: Of the test: MUSHRA has anchors, and all but ABX have a hidden reference.
        sample_rate: Hz.
        seed: Of the ids.

    Raises:
        ListeningError: A system that is silent, or whose output is not finite.
    """
    played = [
        _matched(system.name, "system", _output(system, excerpt), excerpt, sample_rate) for system in systems
    ]
    if kind != "abx":
        played.append(Played(REFERENCE, "reference", excerpt.target, 0.0))
    if kind == "mushra":
        for name, cutoff_hz in ((LOW_ANCHOR, LOW_HZ), (MID_ANCHOR, MID_HZ)):
            sound = anchor(excerpt.target, cutoff_hz, sample_rate)
            played.append(_matched(name, "anchor", sound, excerpt, sample_rate))
    opened = Played(OPEN, "reference", excerpt.target, 0.0)
    matched = {one.system: one.sound * 10 ** (one.gain_db / 20) for one in [*played, opened]}
    peak = max(float(np.abs(sound).max()) for sound in matched.values())
    gain = min(1.0, PEAK / peak)
    window = _fades(len(excerpt.target), sample_rate)
    place = f"{excerpt.recording} {excerpt.start_s:.6f}"  # one sound may be heard at two places
    ids = {name: _id(seed, kind, place, name, sound) for name, sound in matched.items()}
    sounds = {ids[name]: gain * window * sound for name, sound in matched.items()}
    judges = _judges(len(excerpt.target) / sample_rate, sample_rate)
    stimuli = [
        Stimulus(
            ids[one.system],
            one.system,
            one.role,
            round(one.gain_db, 3),
            _judged(judges, one.sound, excerpt.target),
            _judged(judges, matched[one.system], excerpt.target),
        )
        for one in played
    ]
    trial = Trial(
        _id(seed, kind, place, excerpt.target),
        excerpt.recording,
        round(excerpt.start_s, 6),
        excerpt.setting,
        round(20 * float(np.log10(gain)), 3),
        ids[OPEN],
        sorted(stimuli, key=lambda one: one.id),
    )
    return trial, sounds


def _output(system: System, excerpt: Excerpt) -> Signal:
    output = system.play(excerpt.input, excerpt.positions)[excerpt.preroll_samples :]
    if not np.isfinite(output).all():
        raise ListeningError(
            system.name,
            found=f"NaN or infinity in its output for {excerpt.recording} from {excerpt.start_s:.1f} s on",
            expected="audio",
            fix="Leave it out, or name another checkpoint.",
        )
    return output


def _matched(name: str, role: Role, sound: Signal, excerpt: Excerpt, sample_rate: int) -> Played:
    own, wanted = loudness(sound, sample_rate), loudness(excerpt.target, sample_rate)
    if not np.isfinite(own):
        raise ListeningError(
            name,
            found=f"silence for {excerpt.recording} from {excerpt.start_s:.1f} s on, where the recording has sound",
            expected="an output that can be brought to the loudness of the recording",
            fix="Leave it out, or name another checkpoint.",
        )
    return Played(name, role, sound, wanted - own)


def _fades(samples: int, sample_rate: int) -> Signal:
    """Raised cosines of 10 ms at both ends: a loop has no click."""
    length = min(round(FADE_S * sample_rate), samples // 2)
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)
    window = np.ones(samples)
    window[:length], window[samples - length :] = rise, rise[::-1]
    return window


def _judges(seconds: float, sample_rate: int) -> dict[str, Metric]:
    """The metrics that can judge sounds of this length and rate."""
    found = {}
    for name in METRICS:
        try:
            metric = make_metric(name, sample_rate)
        except MetricError:
            continue
        if not refused_for_length([metric], [seconds], name):
            found[name] = metric
    return found


def _judged(judges: Mapping[str, Metric], sound: Signal, target: Signal) -> dict[str, float]:
    rows = [torch.from_numpy(one.astype(np.float32))[None] for one in (sound, target)]
    values = {}
    with torch.no_grad():
        for name, metric in judges.items():
            metric.reset()
            metric.update(*rows)
            values[name] = float(f"{float(metric.compute()):.6g}")
    return values


def letters(digest: str) -> str:
    """Hexadecimal digits as letters: spreadsheets and YAML read 57e12 as a number."""
    return digest.translate(str.maketrans("0123456789abcdef", "bcdfghjklmnpqrst"))


def _id(seed: int, *parts: str | Signal) -> str:
    """Looks random and is the same every time; the sound is part of it, so an id cannot be guessed from a name."""
    digest = hashlib.sha256(str(seed).encode())
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part.astype("<f4").tobytes())
    return letters(digest.hexdigest())[:ID_LETTERS]
