"""Finds an excitation's marks in a recording: which excitation it is, and where each mark is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft, ifft, next_fast_len
from scipy.ndimage import maximum_filter1d

from tapezoo.data.errors import DataError
from tapezoo.data.streams import release
from tapezoo.recordings.excitation.design import CODE_BITS, Design, decode
from tapezoo.recordings.excitation.layout import Layout
from tapezoo.recordings.excitation.marks import (
    BIT_CHIRP_S,
    BIT_SPACING_S,
    CODE_START_S,
    PAIR_CHIRP_S,
    PAIR_S,
    PAIR_SPACING_S,
    chirp,
)
from tapezoo.recordings.excitation.plan import plan

Signal = NDArray[np.floating[Any]]
Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

LIKE = 0.3  # cosine similarity to a chirp above which a mark is read: a chirp 10 dB below noise reaches it
SEARCH_S = 600.0  # from the start of a file that is not known yet
SPEED_DEVIATION = 0.01  # of a tape that is still worth recording on
BLOCK_SAMPLES = 1 << 17
# a wrong rate label makes a recording too long or too short by the same ratio
LABELS = tuple(
    dict.fromkeys(round(a / b, 9) for a in (1, 44.1, 48, 88.2, 96) for b in (1, 44.1, 48, 88.2, 96))
)
WRONG_LABELS = tuple(
    sorted((one for one in LABELS if 0.4 < one < 2.5 and one != 1), key=lambda r: abs(r - 1))
)


@dataclass(frozen=True)
class Marks:
    """Where the marks of an excitation came back; samples are those of the recording.

    A mark is matched over its whole band, so its measured delay is that of the sound as a whole, including a filter's
    own delay. The trajectory of `data.align` is anchored at the onset of the response and may lie before it.

    Args:
        start_mark: Middle of the first mark's pair of chirps.
        end_mark: Middle of the last one's; None: the recording stops before it, or too much was lost on the way.
        start_delay_samples: Delay of the first mark against dry, in samples of the recording.
        end_delay_samples: The same of the last mark.
        clock_ratio: Time in the recording per time in dry, between the marks, or along the first mark if there is no
            last one. Near 1, unless a file's rate is labelled wrong.
    """

    start_mark: float
    end_mark: float | None
    start_delay_samples: float
    end_delay_samples: float | None
    clock_ratio: float


@dataclass(frozen=True)
class _Found:
    middle: float  # of the pair
    likeness: float


@dataclass(frozen=True)
class _Read:
    design: Design
    middle: float
    ratio: float  # samples per nominal sample, along the mark


def recognise(dry: Signal, sample_rate: int) -> Layout | None:
    """Where the parts of an excitation are in `dry`; None: no first mark in its first ten minutes.

    Args:
        dry: The file as written, or a recording of it (of a loopback through the same converters).
        sample_rate: In Hz.

    Shape:
        dry: (samples,) or (channels, samples), of which only the first is used.
    """
    signal = dry if dry.ndim == 1 else dry[0]
    stop = min(signal.shape[-1], round(SEARCH_S * sample_rate))
    read = next(_read_marks(signal, sample_rate, 1.0, 0, stop), None)
    if read is None:
        return None
    planned = plan(read.design, sample_rate)
    if abs(read.middle - planned.start_mark) < 0.1 and signal.shape[-1] >= planned.samples:
        return planned  # the very file
    end = _find_end(signal, sample_rate, read.middle, planned, read.ratio)
    ratio = read.ratio
    if end is not None:
        ratio = (end - read.middle) / (planned.end_mark - planned.start_mark)
    return planned.moved(read.middle, ratio)


def find_marks(wet: Signal, sample_rate: int, layout: Layout) -> Marks | None:
    """Where the marks of `layout` came back in a recording that may begin earlier and end later; None: nowhere.

    Args:
        wet: What was recorded.
        sample_rate: Of wet, in Hz; need not be the layout's.
        layout: What was played, as `recognise` found it in dry.

    Shape:
        wet: (samples,) or (channels, samples), of which the first with the mark counts.

    Raises:
        DataError: It holds another excitation than the layout's.
    """
    others = []
    for signal in wet.reshape(-1, wet.shape[-1]) if wet.ndim > 1 else (wet,):
        for label in (1.0, *WRONG_LABELS):
            stop = signal.shape[-1] if label == 1 else min(signal.shape[-1], round(SEARCH_S * sample_rate))
            for read in _read_marks(signal, sample_rate, label, 0, stop):
                if read.design == layout.design:
                    return _marks(signal, sample_rate, layout, read)
                others.append(read.design)
            if others:
                break
    if others:
        raise DataError(
            "wet",
            found=f"the recording of another excitation ({others[0]})",
            expected=f"what was played, the excitation of {layout.design}",
            fix="Give as dry the excitation that was recorded, or as wet a recording of this one.",
        )
    return None


def _marks(signal: Signal, sample_rate: int, layout: Layout, read: _Read) -> Marks:
    planned = plan(layout.design, sample_rate)
    end = _find_end(signal, sample_rate, read.middle, planned, read.ratio)
    rates = sample_rate / layout.sample_rate
    expected = layout.start_mark * rates, layout.end_mark * rates
    if end is None:
        return Marks(read.middle, None, read.middle - expected[0], None, read.ratio)
    ratio = (end - read.middle) / (expected[1] - expected[0])
    return Marks(read.middle, end, read.middle - expected[0], end - expected[1], ratio)


def _find_end(signal: Signal, rate: int, start: float, planned: Layout, ratio: float) -> float | None:
    """The middle of the last mark's pair, by where the first one is and how fast it was."""
    # the speed over two seconds predicts that over an hour only roughly
    span = (planned.end_mark - planned.start_mark) * ratio
    reach = min(SPEED_DEVIATION * span, 30.0 * rate) + rate
    low = max(0, int(start + span - reach))
    high = min(signal.shape[-1], int(start + span + reach))
    candidates = list(_find_pairs(signal, rate * ratio, False, low, high))
    if not candidates:
        return None
    best = max(candidates, key=lambda one: one.likeness)
    return _refine_pair(signal, rate * ratio, False, best.middle)


def _read_marks(signal: Signal, sample_rate: int, label: float, start: int, stop: int) -> Iterator[_Read]:
    """All first marks between two samples, in the order of time."""
    for found in _find_pairs(signal, sample_rate * label, True, start, stop):
        middle = _refine_pair(signal, sample_rate * label, True, found.middle)
        design, ratio = _read_code(signal, sample_rate * label, middle)
        if design is not None:
            yield _Read(design, middle, label * ratio)


def _find_pairs(signal: Signal, rate: float, first_rises: bool, start: int, stop: int) -> Iterator[_Found]:
    """Where both chirps of a pair are found at the right distance, to a millisecond."""
    sounds = [chirp(PAIR_CHIRP_S, rate, rising) for rising in (first_rises, not first_rises)]
    length, spacing = len(sounds[0]), round(PAIR_SPACING_S * rate)
    whole = spacing + length
    half_window = max(1, round(1e-3 * rate))
    size = next_fast_len(BLOCK_SAMPLES + whole)
    spectra = [np.conj(fft(sound.astype(np.complex64), size)) for sound in sounds]
    middle = (whole - 1) / 2
    weight = float(np.sum(np.abs(sounds[0]) ** 2))
    last = -np.inf
    for begin in range(start, max(start + 1, stop - whole + 1), BLOCK_SAMPLES):
        block = np.asarray(signal[begin : min(begin + BLOCK_SAMPLES + whole, stop)], dtype=np.float64)
        release(signal)
        count = min(BLOCK_SAMPLES, len(block) - whole + 1)
        if count < 1:
            return
        spectrum = fft(
            block.astype(np.float32), size
        )  # single precision is twice as fast, and places are refined
        heard = [np.abs(ifft(spectrum * one)[: count + spacing]) for one in spectra]
        energy = np.concatenate(([0.0], np.cumsum(block**2)))
        power = np.maximum(energy[length:] - energy[:-length], 1e-12 * length)[: count + spacing]
        alike = [
            maximum_filter1d(one * np.sqrt(2 / (weight * power[: len(one)])), 2 * half_window + 1)
            for one in (heard[0][:count], heard[1][spacing : spacing + count])
        ]
        both = np.minimum(*alike)
        # a stretch above the threshold is one mark: its middle
        above = np.flatnonzero(both > LIKE)
        for run in np.split(above, np.flatnonzero(np.diff(above) > whole // 4) + 1):
            if len(run) == 0:
                continue
            top = run[both[run] >= 0.999 * both[run].max()]
            place = begin + float(top.mean()) + middle
            if place - last > whole // 4:  # the edge of a block may split one mark in two
                yield _Found(place, float(both[run].max()))
                last = place


def _refine_pair(signal: Signal, rate: float, first_rises: bool, middle: float) -> float:
    """The mean of both chirps' places: a stretched tape shifts them in opposite directions."""
    offset = round(PAIR_SPACING_S * rate) / 2
    places = [
        _place_of(signal, chirp(PAIR_CHIRP_S, rate, rising), middle + side * offset, 3e-3 * rate)[0]
        for rising, side in ((first_rises, -1), (not first_rises, 1))
    ]
    return (places[0] + places[1]) / 2


def _read_code(signal: Signal, rate: float, middle: float) -> tuple[Design | None, float]:
    """The design that is played after the pair at `middle`, and how much slower than nominal."""
    sounds = {rising: chirp(BIT_CHIRP_S, rate, rising) for rising in (True, False)}
    spacing = BIT_SPACING_S * rate
    first = middle + (CODE_START_S + BIT_CHIRP_S / 2 - PAIR_S / 2) * rate
    bits, places, expected = [], [], first
    for _ in range(CODE_BITS):
        # ten thousandths of speed over the distance to the last chirp are less than a millisecond
        rising, falling = (_place_of(signal, sounds[up], expected, 2e-3 * rate) for up in (True, False))
        bits.append(rising[1] > falling[1])
        places.append(max(rising, falling, key=lambda one: one[1])[0])
        expected = places[-1] + spacing
    slope = float(np.polyfit(np.arange(CODE_BITS), places, 1)[0])
    return decode(tuple(bits)), slope / spacing


def _place_of(signal: Signal, sound: Complex, middle: float, reach: float) -> tuple[float, float]:
    """The middle of the best match within +-`reach` of `middle`, to a fraction of a sample, and its height."""
    around = 32  # samples that the interpolation uses on each side
    centre = round(middle - (len(sound) - 1) / 2)
    low, high = centre - int(reach) - around, centre + int(reach) + around
    begin, end = max(0, low), min(signal.shape[-1], high + len(sound))
    if end - begin < len(sound):
        return middle, 0.0
    cut = np.asarray(signal[begin:end], dtype=np.float64)
    cut = np.pad(cut, (begin - low, high + len(sound) - end))
    size = next_fast_len(len(cut))
    match = ifft(fft(cut, size) * np.conj(fft(sound, size)))[: high - low + 1]
    inside = np.abs(match[around:-around])
    peak = around + int(np.argmax(inside))
    near = np.arange(max(0, peak - around), min(len(match), peak + around + 1))
    fine = peak + np.linspace(-1, 1, 201)
    height = np.abs(np.sinc(fine[:, None] - near) @ match[near])
    top = int(np.argmax(height))
    return low + float(fine[top]) + (len(sound) - 1) / 2, float(height[top])
