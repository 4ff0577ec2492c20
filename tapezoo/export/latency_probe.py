"""The probe of a net's latency, as a part of a bundle: when it answers noise, beside what the manifest declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tapezoo.bundle import Manifest
from tapezoo.bundle.play import Audio
from tapezoo.controls import control_vector
from tapezoo.measure.machine.arrival import Arrival, measure_arrival
from tapezoo.measure.machine.machine import machine_of_net
from tapezoo.net import Net

ENTRY = "latency_probe"  # of the manifest's provenance
LATE_S = 0.25e-3  # a filter answers within it; mixed with dry, this delay cuts what is around 2 kHz


class LatencyProbe:
    """Plays noise through the net, unless its waveform is its own.

    A net that was trained on recordings whose delay was not removed has learned the delay, which nothing else tells.

    Args:
        settings: Values of controls by name, in user units; the others are at their defaults.
    """

    def __init__(self, settings: Mapping[str, float] | None = None) -> None:
        self._settings = dict(settings or {})

    def check(self, net: Net) -> None:
        """See `Part.check`: any net answers."""

    def write(
        self,
        folder: Path,
        net: Net,
        manifest: Manifest,
        programme: Audio,
        progress: Callable[[str], None],
    ) -> Manifest:
        """See `tapezoo.export.targets.target.Part`; writes no file."""
        if net.own_phase:
            return manifest  # its answer to noise is another noise
        progress("probing the latency")
        positions = control_vector(manifest.controls, self._settings)
        found = measure_arrival(machine_of_net(net, manifest.architecture, manifest.sample_rate, positions))
        entry = {"after_declared_samples": found.found_samples, "inverted": found.inverted}
        return replace(manifest, provenance={**manifest.provenance, ENTRY: entry})


def probed(manifest: Manifest) -> Arrival | None:
    """What the probe found; None for a bundle that was not probed."""
    entry = manifest.provenance.get(ENTRY)
    if entry is None:
        return None
    return Arrival(manifest.latency_samples, int(entry["after_declared_samples"]), bool(entry["inverted"]))


def latency_text(arrival: Arrival, sample_rate: int) -> str:
    """In words, with what follows from it where the net answers late, early or upside down."""
    away = arrival.found_samples
    text = f"declared {arrival.declared_samples} samples"
    if away == 0:
        text += ", and the response is largest there"
    else:
        text += f"; the response is largest {abs(away)} samples {'after' if away > 0 else 'before'} it"
    if abs(away) > LATE_S * sample_rate:
        text += (
            f" ({1000 * abs(away) / sample_rate:.1f} ms): mixed with dry it will comb. Was the delay of the recordings "
            "removed? `tapezoo prepare` does so"
        )
    return f"{text}; its polarity is inverted" if arrival.inverted else text
