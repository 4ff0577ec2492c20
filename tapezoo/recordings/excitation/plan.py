"""Which sounds an excitation is made of, for how long and at what levels: the same for the same design.

By time it is 80 % training, 10 % validation and 10 % test, each with every kind of sound, and silence on the
boundaries. Test signals take two fifths of a short file and a few minutes of a long one; the rest is music.
"""

from __future__ import annotations

from dataclasses import dataclass

from tapezoo.data.splits import TRAIN_SHARE, VAL_SHARE, Split
from tapezoo.recordings.excitation.design import Design
from tapezoo.recordings.excitation.layout import Kind, Layout, Segment
from tapezoo.recordings.excitation.marks import END_MARK_S, START_MARK_S, middle_of_pair

LEAD_S = 1.0  # silence before the first mark and after the last
GAP_S = 0.1  # after each segment
SWEEP_GAP_S = 0.2  # a sweep's harmonics and a room's reverberation come late
MARK_GAP_S = 0.4
BOUNDARY_GAP_S = 0.3
SWEEP_HZ = (20.0, 20_000.0)
SWEEP_LEVELS_DB = (-40, -24, -12, -6, -1)  # at 0 the crests of its first cycles would look clipped
FLUTTER_HZ = 3150.0  # IEC 60386
# third octaves from 25 Hz to 16 kHz, exact ones about 1 kHz
MULTITONE_HZ = tuple(round(1000 * 10 ** (step / 10), 3) for step in range(-16, 13))
# intermodulation of bass and treble (SMPTE RP 120) and of two high tones
TWO_TONES_HZ = ((60.0, 7000.0), (11_000.0, 12_000.0))
SLOT_S = 15.0  # of music at one level
MUSIC_LEVELS_DB = (-1.0, -12.0, -6.0, -20.0, -3.0)  # in turn
PROGRAMME_LEVEL_DB = -0.5


@dataclass(frozen=True)
class _Wish:
    kind: Kind
    seconds: float
    level_db: float | None = None
    frequencies_hz: tuple[float, ...] = ()
    colour: str = ""

    @property
    def gap_s(self) -> float:
        return SWEEP_GAP_S if self.kind == "sweep" else GAP_S


def plan(design: Design, sample_rate: int) -> Layout:
    """The layout of the file that a design makes at a sample rate.

    Args:
        design: What it is made from.
        sample_rate: In Hz.
    """
    total_s = 60.0 * design.minutes
    begin_s, end_s = LEAD_S, total_s - LEAD_S
    sounding_s = end_s - begin_s
    to_val_s = begin_s + TRAIN_SHARE * sounding_s
    to_test_s = begin_s + (TRAIN_SHARE + VAL_SHARE) * sounding_s
    half = BOUNDARY_GAP_S / 2
    parts: tuple[tuple[Split, float, float], ...] = (
        ("train", begin_s + START_MARK_S + MARK_GAP_S, to_val_s - half),
        ("val", to_val_s + half, to_test_s - half),
        ("test", to_test_s + half, end_s - END_MARK_S - MARK_GAP_S),
    )
    segments: list[Segment] = []
    for split, start_s, stop_s in parts:
        segments += _part(split, start_s, stop_s, design.has_music, sample_rate)
    middle = middle_of_pair(sample_rate)
    return Layout(
        design,
        sample_rate,
        round(total_s * sample_rate),
        round(LEAD_S * sample_rate) + middle,
        end_mark_start(design, sample_rate) + middle,
        tuple(segments),
    )


def end_mark_start(design: Design, sample_rate: int) -> int:
    """The first sample of the last mark."""
    return round((60.0 * design.minutes - LEAD_S - END_MARK_S) * sample_rate)


def _part(split: Split, start_s: float, stop_s: float, has_music: bool, rate: int) -> list[Segment]:
    length_s = stop_s - start_s
    wishes = _train_signals(length_s) if split == "train" else _short_signals(length_s)
    left_s = length_s - sum(wish.seconds + wish.gap_s for wish in wishes)
    wishes += _music(left_s, has_music)
    segments, at_s = [], start_s
    for wish in wishes:
        stop = at_s + wish.seconds
        segments.append(
            Segment(
                wish.kind,
                round(at_s * rate),
                round(stop * rate),
                split,
                wish.level_db,
                wish.frequencies_hz,
                wish.colour,
            )
        )
        at_s = stop + wish.gap_s
    return segments


def _train_signals(length_s: float) -> list[_Wish]:
    def share(of_length: float, least_s: float, most_s: float) -> float:
        return min(max(of_length * length_s, least_s), most_s)

    sweep_s, step_s = share(0.02, 0.8, 10), share(0.004, 0.2, 2)
    chord_s, noise_s = share(0.008, 0.4, 4), share(0.006, 0.3, 3)
    return [
        _Wish("silence", share(0.1, 5, 20)),
        *(_Wish("sweep", sweep_s, level, SWEEP_HZ) for level in SWEEP_LEVELS_DB),
        *(_Wish("tone", step_s, level, (1000.0,)) for level in range(-40, 1, 5)),
        *(_Wish("tone", step_s, level, (hz,)) for hz in (100.0, 6300.0) for level in (-20, -10, 0)),
        _Wish("tone", share(0.04, 2, 15), -12, (FLUTTER_HZ,)),
        *(_Wish("multitone", chord_s, level, MULTITONE_HZ) for level in (-30, -12, -3)),
        *(_Wish("multitone", chord_s, -6, pair) for pair in TWO_TONES_HZ),
        *(_Wish("noise", noise_s, level, colour="pink") for level in (-40, -30, -20, -10, -1)),
        *(_Wish("noise", noise_s, level, colour="white") for level in (-20, -6)),
    ]


def _short_signals(length_s: float) -> list[_Wish]:
    def share(of_length: float, most_s: float) -> float:
        return min(of_length * length_s, most_s)

    sweep_s, step_s, noise_s = share(0.08, 5), share(0.02, 1), share(0.03, 2)
    return [
        _Wish("silence", share(0.1, 10)),
        *(_Wish("sweep", sweep_s, level, SWEEP_HZ) for level in (-20, -3)),
        *(_Wish("tone", step_s, level, (1000.0,)) for level in (-30, -10, 0)),
        *(_Wish("tone", step_s, -10, (hz,)) for hz in (100.0, 6300.0)),
        _Wish("multitone", share(0.04, 3), -12, MULTITONE_HZ),
        *(_Wish("noise", noise_s, level, colour="pink") for level in (-20, -3)),
        _Wish("noise", noise_s, -12, colour="white"),
    ]


def _music(left_s: float, has_music: bool) -> list[_Wish]:
    # two thirds of the slots are the user's own; the synthetic programme covers what that music may lack
    turns: tuple[Kind, ...] = ("music", "programme", "music") if has_music else ("programme",)
    slots = max(round(left_s / SLOT_S), 2 if has_music else 1)
    seconds = left_s / slots - GAP_S
    wishes, pieces = [], 0
    for slot in range(slots):
        kind = turns[slot % len(turns)]
        level_db = PROGRAMME_LEVEL_DB
        if kind == "music":
            level_db, pieces = MUSIC_LEVELS_DB[pieces % len(MUSIC_LEVELS_DB)], pieces + 1
        wishes.append(_Wish(kind, seconds, level_db))
    return wishes
