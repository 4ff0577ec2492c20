"""Blends that no machine can produce: what can be said of them without a ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from tapezoo.measure.loudness import loudness, loudness_unit
from tapezoo.measure.playing import play_moving
from tapezoo.measure.roles import Roles, Setting
from tapezoo.measure.smoothness import Sweep, power_spectrum, sweeps
from tapezoo.net import Net
from tapezoo.render.automation import Constant

Signal = NDArray[np.float64]  # (samples,)

# Simionato, Fasciani, "Hybrid neural audio effects", SMC 2024: the triplets they show
TRIPLETS: tuple[Setting, ...] = (
    (0.3, 0.3, 0.3),
    (0.5, 0.25, 0.25),
    (0.25, 0.5, 0.25),
    (0.25, 0.25, 0.5),
    (0.5, 0.5, 0.5),
    (0.3, 0.8, 0.5),
    (0.0, 0.0, 0.0),
    (1.0, 1.0, 1.0),
)
BETWEEN_TWO: tuple[Setting, ...] = ((0.25,), (0.5,), (0.75,))
MOST_CORNERS = 16  # 4 controls; of more, the corners with all controls equal or one alone at its end
MOST_MOVING = 3  # controls between their ends whose corners, 8, are still all neighbours

LOUDNESS_TOLERANCE_DB = 0.5  # passes: a difference that is hardly heard
BAND_HZ = 100.0
EMPTY_DB, STRAY_DB = -80.0, -60.0
WAY_HZ = 0.5


@dataclass(frozen=True)
class Blend:
    """A setting between others.

    Args:
        setting: Positions, one per control.
        neighbours: The settings it lies between; none where there is nothing to compare with.
    """

    setting: Setting
    neighbours: tuple[Setting, ...]

    @property
    def name(self) -> str:
        """`0.5-0.25-0.25`, good in names of files."""
        return setting_name(self.setting)


@dataclass(frozen=True)
class Comparison:
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


def setting_name(setting: Setting) -> str:
    """`0.5-0.25-0.25`: good in names of files and titles; no two settings share one."""
    return "-".join(repr(float(position)).removesuffix(".0") for position in setting)


def blends_of(roles: Roles, at: Sequence[Setting] = ()) -> list[Blend]:
    """The settings worth listening to.

    Of switches: quarters of one, the paper's triplets of three; of other numbers all machines alike, and each over
    the others; knobs stand at 0.5, and each machine is also heard alone beside the ends of its knobs. Of knobs
    alone: quarters of one, else the centre, and all corners or, of more than 16, those with all controls at one end
    or one control alone at the other.

    Args:
        roles: Of the controls, one or more.
        at: More settings, after these.
    """
    count = len(roles.switches)
    if count:
        mixes = BETWEEN_TWO if count == 1 else TRIPLETS if count == 3 else _mixes(count)
        chosen = [roles.at(mix) for mix in mixes]
        chosen += [roles.at(machine) for machine in roles.machines()] if roles.knobs else []
    elif len(roles.knobs) == 1:
        chosen = list(BETWEEN_TWO)
    else:
        chosen = [(0.5,) * len(roles.knobs), *_corners(len(roles.knobs))]
    settings = list(dict.fromkeys((*chosen, *(tuple(float(value) for value in setting) for setting in at))))
    return [Blend(setting, neighbours(setting, roles)) for setting in settings]


def neighbours(setting: Setting, roles: Roles) -> tuple[Setting, ...]:
    """The settings that a blend lies between, itself excluded.

    A mix of machines lies between those alone that have a part in it, knobs where they are. At one machine alone,
    and without switches, every knob that is heard there and stands between its ends is moved to either end, all
    combinations of up to three of them (the corners around the setting); of more, one at a time. With every switch
    of several at 0 there is nothing to lie between.
    """
    chosen, machines = roles.chosen(setting), roles.machines()
    knobs = tuple(setting[number] for number in roles.knobs)
    if roles.switches and chosen not in machines:
        parts = machines
        if len(roles.switches) > 1:
            parts = [machine for machine, weight in zip(machines, chosen, strict=True) if weight > 0]
        return tuple(roles.at(machine, knobs) for machine in parts)
    moving = [number for number in roles.knobs if 0 < setting[number] < 1 and chosen in roles.heard(number)]
    found = []
    if len(moving) <= MOST_MOVING:
        for ends in product((0.0, 1.0), repeat=len(moving)):
            found.append(_moved(setting, dict(zip(moving, ends, strict=True))))
    else:
        found = [_moved(setting, {number: end}) for number in moving for end in (0.0, 1.0)]
    return tuple(one for one in found if one != setting)


def compare(blend: Signal, others: Sequence[Signal], sample_rate: int) -> Comparison:
    """What the output of a blend has that its neighbours' outputs for the same input have not.

    Loudness: `loudness` of each; a blend is expected between the quietest and the loudest neighbour.

    Stray energy: power spectra as in `tapezoo.measure.smoothness.power_spectrum`, summed in bands of 100 Hz
    from 0 Hz on. A band is empty if every neighbour has less than -80 dB of its whole power in it; the blend
    is expected to have less than -60 dB of its own there.

    Args:
        blend: (samples,)
        others: Of the neighbours, each (samples,); those that are not finite are left out.
        sample_rate: Hz.
    """
    unit = loudness_unit(len(blend), sample_rate)
    if not np.isfinite(blend).all():
        return Comparison(False, None, unit, None, None, None, None, None, None, None)
    own = loudness(blend, sample_rate)
    others = [other for other in others if np.isfinite(other).all()]
    if not others:
        return Comparison(True, own, unit, None, None, None, None, None, None, None)
    levels = [loudness(other, sample_rate) for other in others]
    low, high = min(levels), max(levels)
    outside = 0.0 if low <= own <= high else max(low - own, own - high)

    bands = _bands(blend, sample_rate)
    around = np.stack([_bands(other, sample_rate) for other in others])  # (neighbours, bands)
    whole = around.sum(axis=1, keepdims=True)
    empty = np.flatnonzero(np.all(around <= 10 ** (EMPTY_DB / 10) * whole, axis=0))
    if len(empty) == 0:
        return Comparison(True, own, unit, low, high, outside, 0, None, None, None)
    worst = int(empty[np.argmax(bands[empty])])
    return Comparison(
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


def _mixes(count: int) -> list[Setting]:
    share = 1 / count
    over = [tuple(share / 2 + 0.5 * (number == other) for other in range(count)) for number in range(count)]
    return [(share,) * count, *over]


def _corners(count: int) -> list[Setting]:
    if 2**count <= MOST_CORNERS:
        return list(product((0.0, 1.0), repeat=count))
    return [(0.0,) * count, (1.0,) * count, *(_alone(number, count) for number in range(count))]


def _alone(number: int, count: int) -> Setting:
    return tuple(float(number == other) for other in range(count))


def _moved(setting: Setting, ends: dict[int, float]) -> Setting:
    return tuple(ends.get(number, position) for number, position in enumerate(setting))


def _bands(signal: Signal, sample_rate: int) -> NDArray[np.float64]:
    spectrum = power_spectrum(signal, sample_rate)
    bin_hz = sample_rate / 2 / (len(spectrum) - 1)
    index = (np.arange(len(spectrum)) * bin_hz / BAND_HZ).astype(int)
    return np.asarray(np.bincount(index, weights=spectrum), dtype=np.float64)


def _ratio_db(part: float, whole: float) -> float:
    if part <= 0:
        return float("-inf")
    return 10 * float(np.log10(part / whole)) if whole > 0 else float("inf")


@dataclass(frozen=True)
class BlendReport:
    """Everything said of one blend on one sound.

    Args:
        blend: The setting and its neighbours.
        sound: Name of what was played.
        comparison: With the neighbours' outputs for the same sound.
        way: The least smooth sweep from a neighbour to the blend and back; None without neighbours.
    """

    blend: Blend
    sound: str
    comparison: Comparison
    way: Sweep | None


def settings_of(blends: Sequence[Blend]) -> list[Setting]:
    """Every blend and every neighbour once, in order of appearance."""
    return list(dict.fromkeys(setting for blend in blends for setting in (blend.setting, *blend.neighbours)))


def play_settings(
    net: Net, sample_rate: int, settings: Sequence[Setting], input: Signal
) -> dict[Setting, Signal]:
    """The output at every setting for one input, (samples,) each."""
    paths = [Constant(setting) for setting in settings]
    outputs = play_moving(net, np.tile(input, (len(settings), 1)), paths, sample_rate)
    return dict(zip(settings, outputs, strict=True))


def ways(net: Net, sample_rate: int, blends: Sequence[Blend]) -> dict[Setting, Sweep]:
    """Of every blend that has neighbours, the least smooth sweep from one of them to it, at 0.5 Hz."""
    pairs = [(neighbour, blend.setting) for blend in blends for neighbour in blend.neighbours]
    worst: dict[Setting, Sweep] = {}
    for sweep in sweeps(net, sample_rate, pairs, WAY_HZ) if pairs else []:
        known = worst.get(sweep.end)
        if known is None or sweep.severity > known.severity:
            worst[sweep.end] = sweep
    return worst


def report(
    blend: Blend, sound: str, outputs: Mapping[Setting, Signal], way: Sweep | None, sample_rate: int
) -> BlendReport:
    """Compares the outputs of one sound, from `play_settings`; the way is from `ways`."""
    others = [outputs[setting] for setting in blend.neighbours]
    return BlendReport(blend, sound, compare(outputs[blend.setting], others, sample_rate), way)
