"""Units of tapezoo's metrics, and their values in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

UNITS = {
    "crest": "dB",
    "level": "dB",
    "loudness": "LU",
    "lsd": "dB",
    "mae": "of full scale",
    "mcd": "dB",
    "mushra": "of 100",
    "noise_spectrum": "dB",
    "si_sdr": "dB",
    "si_snr": "dB",
    "snr": "dB",
    "visqol": "of 5",
}
"""By name; of others, and of a plugin's, none is known."""


def metrics_text(values: Mapping[str, float]) -> str:
    """By name, in their order, as in "snr 19.3 dB, mrstft 0.4423"; those without a figure say so."""
    shown = {
        name: "not measured" if math.isnan(value) else f"{value:.4g} {UNITS.get(name, '')}".strip()
        for name, value in values.items()
    }
    return ", ".join(f"{name} {text}" for name, text in shown.items())
