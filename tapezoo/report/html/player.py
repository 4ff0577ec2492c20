"""The player of a page: signals that play in step, of which one is heard."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template

import numpy as np
import soundfile
from numpy.typing import NDArray

from tapezoo.report.html.document import asset

Signal = NDArray[np.floating]  # (samples,), full scale is +-1

SIGNALS = ("input", "target", "output")
PEAK = 0.98  # of what is played: files of 16 bits clip, the floats beside the page do not
HOW = (
    "All signals play in step; the buttons, or the keys 1 to 4, choose which one is heard. "
    "Blind hides which is which."
)


def read_signals(folder: Path, stem: str) -> tuple[dict[str, Signal], int] | None:
    """The first channels of STEM_input.wav, STEM_target.wav and STEM_output.wav, and their rate in Hz.

    None where not even two of them are there and can be read; `not_heard_text` says so.
    """
    signals, rate = {}, 0
    for name in SIGNALS:
        try:
            sound, rate = soundfile.read(folder / f"{stem}_{name}.wav", dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            continue
        signals[name] = sound[:, 0]
    return (signals, rate) if len(signals) > 1 else None


def not_heard_text(folder: Path, stem: str) -> str:
    """That a passage is not heard, and where its files were looked for."""
    names = ", ".join(f"{stem}_{name}.wav" for name in SIGNALS)
    return f"Not heard: of {names}, not even two are in {folder} and can be read."


def player(signals: Mapping[str, Signal], sample_rate: int, labels: Mapping[str, str]) -> tuple[str, float]:
    """Markup, and by how many dB all signals were made quieter to fit.

    Args:
        signals: Of SIGNALS, each (samples,); with a target and an output, their difference can be heard too.
        sample_rate: Hz.
        labels: What the buttons are called, by signal and for "difference"; by default by its name.
    """
    peak = max(float(np.abs(signal).max(initial=0.0)) for signal in signals.values())
    gain = min(1.0, PEAK / peak) if peak else 1.0
    packed = json.dumps({name: _packed(gain * signal, sample_rate) for name, signal in signals.items()})
    names = [name for name in SIGNALS if name in signals]
    names += ["difference"] if {"target", "output"} <= set(signals) else []
    buttons = "\n".join(
        f'<button data-signal="{name}" aria-pressed="false">{escape(labels.get(name, name.capitalize()))}</button>'
        for name in names
    )
    markup = Template(asset("player.html")).substitute(signals=packed, rate=sample_rate, buttons=buttons)
    return markup, -20 * float(np.log10(gain))


def _packed(signal: Signal, sample_rate: int) -> str:
    """FLAC of 16 bits in base64: half the size of WAV, and every browser decodes it."""
    buffer = io.BytesIO()
    soundfile.write(buffer, signal, sample_rate, format="FLAC", subtype="PCM_16")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
