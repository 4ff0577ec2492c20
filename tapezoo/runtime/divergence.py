"""The null test of an artifact: a stream in any blocks against the same audio in long ones, for hours."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tapezoo.bundle.play import Audio
from tapezoo.runtime.stream import Stream

LONGEST_BLOCK_SAMPLES = 4096
HELD_SAMPLES = (2_000, 130_000)  # how long controls stay where they are, in one block of the reference


@dataclass(frozen=True)
class Divergence:
    """How far a stream is from its reference over a stretch.

    Args:
        end_samples: Where the stretch ends.
        blocks: That the stream had played by then.
        changes: Of the controls by then.
        max_abs_error: In the stretch; sample value.
        error_db: RMS of the difference in the stretch, dB relative to the reference's; -inf where there is none.
    """

    end_samples: int
    blocks: int
    changes: int
    max_abs_error: float
    error_db: float


def null_test(
    bundle: Path | str,
    samples: int,
    report_samples: int,
    engine: str | None = None,
    reference: str | None = None,
    seed: int = 0,
) -> Iterator[Divergence]:
    """Plays made-up audio through two streams of a bundle and compares them; memory does not grow.

    The stream under test gets blocks of 1 to 4096 samples, of random length, evenly over the octaves; the reference
    each stretch between two changes of the controls at once. Both carry their state from beginning to end.

    Args:
        bundle: The bundle's folder.
        samples: Of audio.
        report_samples: Length of a stretch; the last one is what is left.
        engine: Of the stream under test, see `Stream`.
        reference: Engine of the reference; None: the same.
        seed: Of audio, block lengths and controls.
    """
    tested = Stream(bundle, engine=engine)
    wanted = Stream(bundle, engine=reference or engine)
    random = np.random.default_rng(seed)
    knobs = len(tested.manifest.controls)
    position = blocks = changes = 0
    worst = squares = power = 0.0
    reported = 0
    while position < samples:
        end = min(position + int(random.integers(*HELD_SAMPLES)), samples, reported + report_samples)
        audio = _audio(random, position, end - position, tested.manifest.sample_rate)
        controls = random.random(knobs, dtype=np.float32)
        changes += bool(knobs)
        one_shot = wanted.process(audio, controls)
        start = 0
        while start < len(audio):
            length = round(LONGEST_BLOCK_SAMPLES ** random.random())
            output = tested.process(audio[start : start + length], None if start else controls)
            part = one_shot[start : start + length].astype(np.float64)
            error = output - part
            worst = max(worst, float(np.abs(error).max()))
            squares, power = squares + float(error @ error), power + float(part @ part)
            start, blocks = start + length, blocks + 1
        position = end
        if position == reported + report_samples or position == samples:
            yield Divergence(position, blocks, changes, worst, _ratio_db(squares, power))
            worst = squares = power = 0.0
            reported = position


def _audio(random: np.random.Generator, start: int, samples: int, sample_rate: int) -> Audio:
    """Tones of changing level in noise, with rests; under full scale."""
    time_s = np.arange(start, start + samples) / sample_rate
    tone = np.sin(2 * np.pi * random.uniform(60, 3000) * time_s) * np.sin(2 * np.pi * 0.7 * time_s) ** 2
    noise = random.standard_normal(samples, dtype=np.float32)
    level = 10 ** random.uniform(-2, -0.1)
    audio = level * (0.7 * tone + 0.07 * noise)
    if random.random() < 0.1:
        audio[: samples // 2] = 0
    clipped: Audio = np.clip(audio, -1, 1).astype(np.float32)
    return clipped


def _ratio_db(squares: float, power: float) -> float:
    return 10 * math.log10(squares / max(power, 1e-300)) if squares else -math.inf
