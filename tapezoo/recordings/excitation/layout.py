"""Where each part of an excitation is: the types that the measuring code works with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from tapezoo.data.splits import Split
from tapezoo.recordings.excitation.design import Design

Kind = Literal["silence", "sweep", "tone", "multitone", "noise", "programme", "music"]


@dataclass(frozen=True)
class Segment:
    """A stretch of one kind of sound, with silence before and after it.

    Args:
        kind: "programme" is made-up music, percussion and speech, "music" the user's own.
        start: First sample.
        stop: One past the last.
        split: What it is for, when the file is cut by time: 80 % train, 10 % val, 10 % test.
        level_db: Its peak in dB of full scale; of music the peak that the whole piece has at this gain; None: silence.
        frequencies_hz: Of its tones; of a sweep where it begins and ends; else empty.
        colour: Of noise, "pink" or "white"; else empty.
    """

    kind: Kind
    start: int
    stop: int
    split: Split
    level_db: float | None = None
    frequencies_hz: tuple[float, ...] = ()
    colour: str = ""


@dataclass(frozen=True)
class Layout:
    """Where an excitation's parts are in one file: the one that was written, or a recording of it.

    Args:
        design: What it was made from.
        sample_rate: Of the file, in Hz.
        samples: From the first sample of the programme's lead-in to its end.
        start_mark: Middle of the first mark's pair of chirps, in samples.
        end_mark: Middle of the last mark's.
        segments: In the order of time; marks are none of them.
    """

    design: Design
    sample_rate: int
    samples: int
    start_mark: float
    end_mark: float
    segments: tuple[Segment, ...]

    def of_kind(self, kind: Kind, split: Split | None = None) -> tuple[Segment, ...]:
        """The segments of one kind, of one split or of all."""
        return tuple(one for one in self.segments if one.kind == kind and split in (None, one.split))

    @property
    def regions(self) -> dict[Split, tuple[int, int]]:
        """Split -> first sample, one past the last: cut in the middle of the silence between."""
        bounds: dict[Split, tuple[int, int]] = {}
        start = 0
        for one, following in zip(self.segments, self.segments[1:], strict=False):
            if one.split != following.split:
                cut = (one.stop + following.start) // 2
                bounds[one.split] = (start, cut)
                start = cut
        bounds[self.segments[-1].split] = (start, self.samples)
        return bounds

    def moved(self, start_mark: float, clock_ratio: float) -> Layout:
        """The same in a recording of it.

        Args:
            start_mark: Where the first mark's pair is there.
            clock_ratio: Samples there per sample here.
        """

        def place(sample: float) -> float:
            return start_mark + (sample - self.start_mark) * clock_ratio

        return replace(
            self,
            samples=round(place(self.samples)),
            start_mark=start_mark,
            end_mark=place(self.end_mark),
            segments=tuple(
                replace(one, start=round(place(one.start)), stop=round(place(one.stop)))
                for one in self.segments
            ),
        )
