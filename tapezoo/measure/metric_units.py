"""Units of tapezoo's metrics, what they mean, and their values in words."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping

from tapezoo import registry

UNITS = {
    "aliases": "dB",
    "ccif": "points",
    "crest": "dB",
    "group_delay": "ms",
    "harmonics": "dB",
    "level": "dB",
    "loudness": "LU",
    "lsd": "dB",
    "ltas": "dB",
    "mae": "of full scale",
    "mcd": "dB",
    "mushra": "of 100",
    "noise_spectrum": "dB",
    "response": "dB",
    "si_sdr": "dB",
    "si_snr": "dB",
    "smpte": "points",
    "snr": "dB",
    "thd": "dB",
    "visqol": "of 5",
}
"""By name; of others, and of a plugin's, none is known."""

MEANINGS = {
    "aliases": "how much higher the model's aliases are than the machine's",
    "ccif": "difference of the intermodulation of 19 and 20 kHz",
    "crest": "difference of the crest factors: transients",
    "esr": "energy of the error over that of the target",
    "group_delay": "difference of the group delays over frequency",
    "harmonics": "difference of the harmonics of sines at several levels",
    "level": "difference of the RMS levels",
    "loudness": "difference in loudness",
    "lsd": "difference of the spectra, where quiet bins count as much as loud ones",
    "ltas": "difference of the average spectra of all that is played",
    "mae": "mean absolute error",
    "mcd": "difference of the timbre, in mel bands",
    "mrstft": "difference of the spectra over time, without phase",
    "mushra": "predicted score of a listening test; 100: no difference",
    "noise_spectrum": "difference of the spectra where the target is quietest: hiss and hum",
    "response": "difference of the gains over frequency",
    "si_sdr": "target over error at the best gain; higher is better",
    "si_snr": "the same after DC is taken off; higher is better",
    "smpte": "difference of the intermodulation of 60 Hz and 7 kHz",
    "snr": "target over error; higher is better",
    "thd": "difference of the harmonic distortion of 1 kHz",
    "visqol": "predicted opinion score; 4.73: no difference",
}


def metric_meaning(name: str) -> str:
    """A line; of a plugin's metric the first one of its docstring."""
    if name in MEANINGS or not any(entry.name == name for entry in registry.registrations("metrics")):
        return MEANINGS.get(name, "")
    from tapezoo.metrics import resolve  # brings torch, which a measurement of a bundle does without

    return (inspect.getdoc(resolve(name)) or "").split("\n", 1)[0]


def metrics_text(values: Mapping[str, float]) -> str:
    """By name, in their order, as in "snr 19.3 dB, mrstft 0.4423"; those without a figure say so."""
    shown = {
        name: "not measured" if math.isnan(value) else f"{value:.4g} {UNITS.get(name, '')}".strip()
        for name, value in values.items()
    }
    return ", ".join(f"{name} {text}" for name, text in shown.items())
