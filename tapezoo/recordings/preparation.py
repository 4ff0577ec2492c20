"""What preparing a session found and did, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tapezoo.data.align.timing import PairTiming
from tapezoo.data.pairs import PairsFile
from tapezoo.data.splits import Regions, Split
from tapezoo.recordings.excitation.layout import Layout
from tapezoo.recordings.figures import ChannelFigures
from tapezoo.recordings.laying import Laying
from tapezoo.recordings.recording import Recording
from tapezoo.recordings.remarks import Remark, Verdict, because, verdict_of


@dataclass(frozen=True)
class WrittenPair:
    """Files of the data set, by name; a pair whose channels wander has one of these for each channel.

    Args:
        dry: Sound file.
        wet: Sound file.
        delay: Trajectory of what is left of the delay; None: nothing is left.
        channels: Which channels of the recording, from 0.
    """

    dry: str
    wet: str
    delay: str | None
    channels: tuple[int, ...]


@dataclass(frozen=True)
class PairReport:
    """One pair.

    Args:
        recording: What the user gave.
        name: Unique in the data set; its files are called after it.
        remarks: All of them, the first ones first.
        timing: As measured; None where it did not come to that.
        laying: How wet was laid over dry.
        channels: Figures per channel; none where it did not come to that.
        seconds: Length of what was written.
        source: Hash of the dry file's samples.
        files: Of the data set.
        regions: Where the splits lie if it is split by time, in samples of what was written.
        split: The split that it is in as a whole; None: by time.
        excitation: Layout of the dry file, where it is an excitation.
    """

    recording: Recording
    name: str
    remarks: tuple[Remark, ...]
    timing: PairTiming | None = None
    laying: Laying | None = None
    channels: tuple[ChannelFigures, ...] = ()
    seconds: float = 0.0
    source: str = ""
    files: tuple[WrittenPair, ...] = ()
    regions: Regions | None = None
    split: Split | None = None
    excitation: Layout | None = None

    @property
    def verdict(self) -> Verdict:
        """Of this pair alone."""
        return verdict_of(self.remarks)


@dataclass(frozen=True)
class Preparation:
    """A whole session.

    Args:
        pairs: In the user's order.
        file: The pairs file, or what stands for it: controls and switches.
        sample_rate: Of the data set, Hz.
        remarks: About all pairs together.
    """

    pairs: Sequence[PairReport]
    file: PairsFile
    sample_rate: int
    remarks: tuple[Remark, ...]

    @property
    def verdict(self) -> Verdict:
        """Of the data set: the worst of any pair and of all together."""
        return verdict_of([*self.remarks, *(remark for pair in self.pairs for remark in pair.remarks)])

    def reasons(self) -> list[str]:
        """What decides the verdict, each with the pair it is about."""
        decisive = self.verdict
        found = because(self.remarks) if verdict_of(self.remarks) == decisive else []
        for pair in self.pairs:
            if pair.verdict == decisive:
                found += [f"{pair.name}: {text}" for text in because(pair.remarks)]
        return found
