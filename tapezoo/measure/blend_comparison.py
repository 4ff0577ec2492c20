"""Compares a blend with its neighbours, since it has no ground truth of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.loudness import loudness, loudness_unit
from tapezoo.measure.blends import Blend
from tapezoo.measure.playing import play_moving
from tapezoo.measure.roles import Positions
from tapezoo.measure.smoothness import Sweep, measure_sweeps
from tapezoo.measure.spectrum import power_spectrum
from tapezoo.net import Net
from tapezoo.render.automation import Constant

Signal = NDArray[np.float64]  # (samples,)

LOUDNESS_TOLERANCE_DB = 0.5  # limit to pass: a barely audible difference
BAND_HZ = 100.0
EMPTY_DB, STRAY_DB = -80.0, -60.0
WAY_HZ = 0.5


@dataclass(frozen=True)
class BlendComparison:
    """One blend beside its neighbours on one sound; None: there was nothing to compare with.

    Args:
        finite: No NaN or infinity in the blend's output; if there is one, everything else is None.
        loudness: Of the blend, in `unit`.
        unit: "LUFS" (integrated, ITU-R BS.1770-4), or "dB" (RMS re full scale) of sounds under 0.4 s.
        quietest: Loudness of the quietest neighbour.
        loudest: Of the loudest.
        loudness_outside_db: How far the blend's loudness lies outside of these two; 0 between them.
        empty_bands: How many bands no neighbour has any energy in.
        stray_db: Level of the blend in the one of these where it has most, dB re its whole power.
        stray_hz: That band's centre.
        stray_over_neighbours_db: The same level over that of the neighbour that has most there, dB.
    """

    finite: bool
    loudness: float | None
    unit: str
    quietest: float | None
    loudest: float | None
    loudness_outside_db: float | None
    empty_bands: int | None
    stray_db: float | None
    stray_hz: float | None
    stray_over_neighbours_db: float | None

    @property
    def is_between(self) -> bool | None:
        """The loudness is at most 0.5 dB outside the neighbours'."""
        outside = self.loudness_outside_db
        return None if outside is None else outside <= LOUDNESS_TOLERANCE_DB

    @property
    def is_clean(self) -> bool | None:
        """Where no neighbour has energy, the blend stays under -60 dB of its own."""
        return None if self.stray_db is None else self.stray_db < STRAY_DB


@dataclass(frozen=True)
class BlendResult:
    """What was measured of one blend on one sound.

    Args:
        blend: The positions and their neighbours.
        sound: Name of what was played.
        comparison: With the neighbours' outputs for the same sound.
        way: The least smooth sweep from a neighbour to the blend and back; None without neighbours.
    """

    blend: Blend
    sound: str
    comparison: BlendComparison
    way: Sweep | None


def play_positions(
    net: Net, sample_rate: int, positions: Sequence[Positions], input: Signal
) -> dict[Positions, Signal]:
    """The outputs for one input with the controls held at each of the positions, (samples,) each."""
    paths = [Constant(held) for held in positions]
    outputs = play_moving(net, np.tile(input, (len(positions), 1)), paths, sample_rate)
    return dict(zip(positions, outputs, strict=True))


def measure_ways(net: Net, sample_rate: int, blends: Sequence[Blend]) -> dict[Positions, Sweep]:
    """Of every blend that has neighbours, the least smooth sweep from one of them to it, at 0.5 Hz."""
    pairs = [(neighbour, blend.positions) for blend in blends for neighbour in blend.neighbours]
    worst: dict[Positions, Sweep] = {}
    for sweep in measure_sweeps(net, sample_rate, pairs, WAY_HZ) if pairs else []:
        known = worst.get(sweep.end)
        if known is None or sweep.severity > known.severity:
            worst[sweep.end] = sweep
    return worst


def compare_with_neighbours(blend: Signal, others: Sequence[Signal], sample_rate: int) -> BlendComparison:
    """Compares the output of a blend with its neighbours' outputs for the same input.

    Loudness: `loudness` of each; a blend is expected between the quietest and the loudest neighbour.

    Stray energy: power spectra as in `tapezoo.measure.spectrum.power_spectrum`, summed in bands of 100 Hz
    from 0 Hz on. A band is empty if every neighbour has less than -80 dB of its whole power in it; the blend
    is expected to have less than -60 dB of its own there.

    Args:
        blend: (samples,)
        others: Of the neighbours, each (samples,); those that are not finite are left out.
        sample_rate: Hz.
    """
    unit = loudness_unit(len(blend), sample_rate)
    if not np.isfinite(blend).all():
        return BlendComparison(False, None, unit, None, None, None, None, None, None, None)
    own = loudness(blend, sample_rate)
    others = [other for other in others if np.isfinite(other).all()]
    if not others:
        return BlendComparison(True, own, unit, None, None, None, None, None, None, None)
    levels = [loudness(other, sample_rate) for other in others]
    low, high = min(levels), max(levels)
    outside = 0.0 if low <= own <= high else max(low - own, own - high)

    bands = _measure_bands(blend, sample_rate)
    around = np.stack([_measure_bands(other, sample_rate) for other in others])  # (neighbours, bands)
    whole = around.sum(axis=1, keepdims=True)
    empty = np.flatnonzero(np.all(around <= 10 ** (EMPTY_DB / 10) * whole, axis=0))
    if len(empty) == 0:
        return BlendComparison(True, own, unit, low, high, outside, 0, None, None, None)
    worst = int(empty[np.argmax(bands[empty])])
    return BlendComparison(
        True,
        own,
        unit,
        low,
        high,
        outside,
        len(empty),
        _ratio_db(bands[worst], bands.sum()),
        (worst + 0.5) * BAND_HZ,
        _ratio_db(bands[worst], around[:, worst].max()),
    )


def _measure_bands(signal: Signal, sample_rate: int) -> NDArray[np.float64]:
    spectrum = power_spectrum(signal, sample_rate)
    bin_hz = sample_rate / 2 / (len(spectrum) - 1)
    index = (np.arange(len(spectrum)) * bin_hz / BAND_HZ).astype(int)
    return np.asarray(np.bincount(index, weights=spectrum), dtype=np.float64)


def _ratio_db(part: float, whole: float) -> float:
    if part <= 0:
        return float("-inf")
    return 10 * float(np.log10(part / whole)) if whole > 0 else float("inf")
