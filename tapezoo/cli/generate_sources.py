"""What makes the takes and noises of `tapezoo generate`: the simple model of recordings, or a trained generator."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from math import log10, sqrt
from typing import Any

from tapezoo.errors import ArgumentsError
from tapezoo.tape.checkpoints import load_generator
from tapezoo.tape.modulation import heard_deviation, learn_modulation, make_modulation
from tapezoo.tape.noise import learn_noise, make_noise
from tapezoo.tape.rests import read_rests
from tapezoo.tape.sources import read_stretches
from tapezoo.tape.spectral import learn_spectrum, make_take
from tapezoo.tape.steady_tones import LOWEST_HZ, read_tones
from tapezoo.tape.steady_tones import POINTS_PER_S as TONE_POINTS_PER_S
from tapezoo.tape.stretches import POINTS_PER_S, check_stretches, delay_of


@dataclass(frozen=True)
class Source:
    """What makes a signal, and what it is compared with.

    Args:
        make: (seconds, seed) -> a delay, s, or a noise.
        recorded: Stretches of the same; none: there is nothing to compare with.
        rate_hz: Points per second.
        learned: What is said of it.
    """

    make: Callable[[float, int], Any]
    recorded: list[Any]
    rate_hz: int
    learned: str


def learned_take(options: argparse.Namespace) -> Source:
    """By the spectrum of recorded delays."""
    stretches = read_stretches(options.source, options.sample_rate)
    check_stretches(stretches, ", ".join(map(str, options.source)))
    transport = learn_spectrum(stretches)
    recorded = [stretch.delay_s for stretch in stretches]
    lines = ", ".join(
        f"{line.frequency_hz:.2f} Hz (+-{100 * line.amplitude:.2g} %)" for line in transport.lines
    )
    seconds = sum(map(len, recorded)) / POINTS_PER_S
    learned = f"from {seconds:.0f} s in {len(stretches)} stretch{'es' * (len(stretches) != 1)}"
    learned += f"; steady lines: {lines or 'none'}"
    return Source(
        lambda length_s, seed: make_take(transport, length_s, seed), recorded, POINTS_PER_S, learned
    )


def learned_noise(options: argparse.Namespace) -> Source:
    """By the spectrum of recorded noise."""
    rests, rate = read_rests(options.source)
    noise = learn_noise(rests, rate)
    hum = ", ".join(
        f"{line.frequency_hz:.1f} Hz ({20 * log10(line.amplitude / sqrt(2)):.0f} dB)" for line in noise.hum
    )
    seconds = sum(map(len, rests)) / rate
    parts = f"{len(rests)} part{'s' * (len(rests) != 1)}"
    learned = f"from {seconds:.1f} s in {parts}, {rate} Hz; hum: {hum or 'none'}"
    return Source(lambda length_s, seed: make_noise(noise, length_s, seed), rests, rate, learned)


@dataclass(frozen=True)
class ToneSource(Source):
    """A source of modulation noise, which is heard beside hiss.

    Args:
        heard: (seconds, seed) -> modulation noise and hiss as the tones have them, at `TONE_POINTS_PER_S`.
    """

    heard: Callable[[float, int], Any]


def learned_modulation(options: argparse.Namespace) -> ToneSource:
    """By the spectrum of what the level of recorded tones does."""
    tones, rate = read_tones(options.source)
    modulation = learn_modulation(tones, ", ".join(map(str, options.source)))
    with_hiss = modulation.heard_with_hiss
    seconds = sum(tone.seconds for tone in tones)
    tones_hz = ", ".join(sorted({f"{tone.frequency_hz:.0f}" for tone in tones}, key=int))
    learned = (
        f"from {seconds:.1f} s of {tones_hz} Hz in {len(tones)} part{'s' * (len(tones) != 1)}, {rate} Hz: "
        f"{modulation.level_db():.1f} dB re the tone from {LOWEST_HZ:g} to {modulation.highest_hz:.0f} Hz, "
        f"{modulation.level_db(5, 200):.1f} dB from 5 to 200 Hz, without the hiss beside it"
    )
    return ToneSource(
        lambda length_s, seed: make_modulation(modulation, length_s, rate, seed),
        [heard_deviation(tone, modulation.highest_hz) for tone in tones],
        rate,
        learned,
        lambda length_s, seed: make_modulation(with_hiss, length_s, TONE_POINTS_PER_S, seed),
    )


def trained(options: argparse.Namespace, quantity: str) -> Source:
    """A checkpoint of a generator, compared with what `--against` names."""
    (path,) = options.source
    model = load_generator(path)
    if model.quantity != quantity:
        kind = "TAKE.csv" if model.quantity == "speed" else "NOISE.wav"
        raise ArgumentsError("tapezoo generate", f"--out {options.out} of {path}, which makes {kind}")
    recorded: list[Any] = []
    if options.against and quantity == "speed":
        recorded = [one.delay_s for one in read_stretches(options.against, options.sample_rate)]
    elif options.against:
        recorded, rate = read_rests(options.against)
        if rate != model.rate_hz:
            raise ArgumentsError(
                "tapezoo generate", f"--against {rate} Hz, where {path} makes {model.rate_hz} Hz"
            )

    def make(seconds: float, seed: int) -> Any:
        made = model.loop(seconds, seed).double().numpy()
        return delay_of(made) if quantity == "speed" else made

    learned = f"by {path} ({type(model).__name__})"
    return Source(make, recorded, model.rate_hz, learned)
