"""Made-up takes: a short programme through a machine, with every fault a recording session can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal

from tapezoo.data.pairs import Pair, PairsFile
from tapezoo.recordings.preparation import PairReport, Preparation
from tapezoo.recordings.recording import Recording, Wishes
from tapezoo.recordings.session import prepare

RATE = 24000
SECONDS = 3.0
Signal = NDArray[np.float64]


@cache
def programme(seed: int = 0, seconds: float = SECONDS, rate: int = RATE) -> Signal:
    """Plucked notes over noise bursts from -40 to -2 dBFS, half a second of silence in the middle."""
    rng = np.random.default_rng(seed)
    samples = round(seconds * rate)
    out = np.zeros(samples)
    for start in range(0, samples - rate // 4, rate // 8):
        time = np.arange(rate // 4) / rate
        pitch_hz = 82.4 * 2 ** (rng.integers(0, 24) / 12)
        note = sum(np.sin(2 * np.pi * pitch_hz * k * time) / k for k in range(1, 10)) * np.exp(-12 * time)
        note[:100] += rng.standard_normal(100)
        out[start : start + len(note)] += 10 ** rng.uniform(-1.6, 0) * note
    burst = signal.lfilter([0.01], [1, -0.99], (np.arange(samples) // 3000 % 3 == 0).astype(float))
    out += 0.1 * rng.standard_normal(samples) * burst
    middle = samples // 2
    fade = np.linspace(1, 0, 200)
    out[middle - 200 : middle] *= fade
    out[middle : middle + rate * 6 // 10] = 0
    return 0.8 * out / np.abs(out).max()


def machine(dry: Signal, noise_db: float = -75.0, seed: int = 9) -> Signal:
    """Gentle saturation, a filter that answers at once, and noise: no copy, and causal from the first sample."""
    bent = np.tanh(1.5 * dry) / 1.5
    filtered = signal.lfilter([0.9], [1, -0.1], bent)
    return np.asarray(
        filtered + 10 ** (noise_db / 20) * np.random.default_rng(seed).standard_normal(len(dry))
    )


def late(audio: Signal, delay_samples: float) -> Signal:
    """Moved by any delay of either sign, same length; the fraction by the phase of an FFT."""
    room = int(abs(delay_samples)) + 256
    padded = np.pad(audio, room)
    spectrum = np.fft.rfft(padded) * np.exp(-2j * np.pi * np.fft.rfftfreq(len(padded)) * delay_samples)
    return np.fft.irfft(spectrum, len(padded))[room : room + len(audio)]


@dataclass(frozen=True)
class Take:
    """What lies in the two files, (samples,) or (channels, samples)."""

    dry: Signal
    wet: Signal
    dry_rate: int = RATE
    wet_rate: int = RATE
    wishes: Mapping[str, Any] = field(default_factory=dict)

    def checked(self, folder: Path, out: Path | None = None) -> Preparation:
        dry, wet = folder / "take_dry.wav", folder / "take_wet.wav"
        soundfile.write(dry, self.dry.T, self.dry_rate, subtype="FLOAT")
        soundfile.write(wet, self.wet.T, self.wet_rate, subtype="FLOAT")
        return prepared([(dry, wet)], out, folder / "cache", **self.wishes)

    def report(self, folder: Path) -> PairReport:
        return self.checked(folder).pairs[0]


def prepared(
    files: list[tuple[Path, Path]],
    out: Path | None,
    cache_folder: Path,
    pilots: Sequence[tuple[Path, Path] | None] | None = None,
    **wishes: Any,
) -> Preparation:
    pairs = [Pair(dry, wet, {}) for dry, wet in files]
    recordings = [
        Recording(pair, pilot) for pair, pilot in zip(pairs, pilots or [None] * len(pairs), strict=True)
    ]
    return prepare(recordings, PairsFile([], pairs), Wishes(**wishes), out, cache_folder, lambda _: None)


def kinds(report: PairReport, effect: str) -> set[str]:
    return {remark.kind for remark in report.remarks if remark.effect == effect}


def text(report: PairReport, kind: str) -> str:
    return " | ".join(remark.full for remark in report.remarks if remark.kind == kind)
