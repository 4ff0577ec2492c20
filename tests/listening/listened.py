"""A test of made-up systems on a made-up recording, which costs little to make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.module import Passage
from tapezoo.listening.design import ListeningTest
from tapezoo.listening.make import make_test
from tapezoo.listening.material import Material
from tapezoo.listening.systems import System

RATE_HZ = 22050


def programme(seconds: float, seed: int = 0) -> NDArray[np.float64]:
    """Noise whose level changes every quarter of a second, with sound up to half the rate."""
    draw = np.random.default_rng(seed)
    levels = np.repeat(draw.uniform(0.1, 0.4, round(4 * seconds)), RATE_HZ // 4)
    return levels * draw.uniform(-1, 1, len(levels))


def machine(dry: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.3 * np.tanh(2 * dry)


def recordings(*lengths_s: float) -> Material:
    """The test split of so many recordings, each with a second before it."""
    passages = []
    for number, length_s in enumerate(lengths_s):
        dry = programme(length_s + 1, number).astype(np.float32)
        wet = machine(dry).astype(np.float32)
        passages.append(Passage(f"take {number}", dry, wet, RATE_HZ, len(dry), np.zeros(0, np.float32), ()))
    return Material("made-up takes", RATE_HZ, (), passages, "hash")


def system(name: str, play, sample_rate: int = RATE_HZ, dataset_hash: str = "hash") -> System:
    return System(
        name, Path("runs") / name / "best.ckpt", sample_rate, (), dataset_hash, lambda x, at: play(x)
    )


SYSTEMS = (
    system("good", lambda dry: 0.5 * np.tanh(2.05 * dry)),
    system("middling", lambda dry: 2.0 * np.tanh(3 * dry)),
    system("linear", lambda dry: dry),
)


def made(folder: Path, kind: str = "mushra", systems=SYSTEMS, excerpts: int = 3, **options) -> ListeningTest:
    """A test in a new folder."""
    folder.mkdir()
    settings = {"seconds": 0.5, "repeats": 2, "seed": 0, **options}
    return make_test(folder, folder.name, recordings(1.75, 1.25), systems, kind, excerpts, **settings)
