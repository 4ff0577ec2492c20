"""What a trained generator makes, and how like the signal it is: beside the simple model of the same recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tapezoo.tape.classical import learn_classical
from tapezoo.tape.distances import TakeDistance, compare_takes
from tapezoo.tape.generator import Generator, make_loop
from tapezoo.tape.noise import learn_noise, make_noise
from tapezoo.tape.noise_distances import NoiseDistance, compare_noise
from tapezoo.tape.spectral import learn_spectrum, make_take
from tapezoo.tape.stretches import POINTS_PER_S, Real, Stretch, delay_of

MOST_TAKE_S, MOST_NOISE_S = (
    600.0,
    4.0,
)  # that are made to be compared: a minute of takes takes some six seconds
MADE, SIMPLE, CLASSICAL = "made", "spectral model", "classical"

Distance = TypeVar("Distance", TakeDistance, NoiseDistance)


@dataclass(frozen=True)
class Judged(Generic[Distance]):
    """A signal that a generator made, and how far it is from the recorded one.

    Args:
        made: (points,): a delay, s, or a noise.
        recorded: The longest stretch that it was compared with.
        distances: Of what the generator makes, and of what simpler models of the same recordings do, from recordings
            that none of them has learned from.
    """

    made: Real
    recorded: Real
    distances: dict[str, Distance]


def judge_takes(
    generator: Generator,
    learned_from: Sequence[Real],
    held_out: Sequence[Real],
    seed: int = 0,
    most_s: float = MOST_TAKE_S,
) -> Judged[TakeDistance]:
    """Compares delays.

    Args:
        generator: Of a speed.
        learned_from: Speeds, (points,) each.
        held_out: Likewise.
        seed: Of what is made.
        most_s: How much of them is compared, s.
    """
    real = [delay_of(speed) for speed in _up_to(held_out, round(most_s * POINTS_PER_S))]
    points = max(sum(map(len, real)), 2 * generator.window_points)
    made = delay_of(make_loop(generator, points, seed).double().numpy())
    distances = {MADE: compare_takes(real, made)}
    stretches = [Stretch("", delay_of(speed), 0.0) for speed in learned_from]
    for name, learn in ((SIMPLE, learn_spectrum), (CLASSICAL, learn_classical)):
        distances[name] = compare_takes(real, make_take(learn(stretches), points / POINTS_PER_S, seed))
    return Judged(made, max(real, key=len), distances)


def judge_noise(
    generator: Generator, learned_from: Sequence[Real], held_out: Sequence[Real], rate_hz: int, seed: int = 0
) -> Judged[NoiseDistance]:
    """Compares noise.

    Args:
        generator: Of a noise.
        learned_from: (points,) each.
        held_out: Likewise; up to four seconds of them are compared.
        rate_hz: Of all.
        seed: Of what is made.
    """
    real = _up_to(held_out, round(MOST_NOISE_S * rate_hz))
    points = max(sum(map(len, real)), 2 * generator.window_points)
    made = make_loop(generator, points, seed).double().numpy()
    beside = make_noise(learn_noise(learned_from, rate_hz), points / rate_hz, seed)
    distances = {MADE: compare_noise(real, made, rate_hz), SIMPLE: compare_noise(real, beside, rate_hz)}
    return Judged(made, max(real, key=len), distances)


def _up_to(stretches: Sequence[Real], points: int) -> list[Real]:
    """The first of them, as many as that."""
    found: list[Real] = []
    for stretch in stretches:
        left = points - sum(map(len, found))
        if left > 0:
            found.append(stretch[:left])
    return found
