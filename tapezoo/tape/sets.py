"""The DataModules of generators: a virtual transport, measured ones, and a machine's noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tapezoo.data.arguments import check_range
from tapezoo.tape.errors import TapeError
from tapezoo.tape.rests import read_rests
from tapezoo.tape.sources import read_stretches
from tapezoo.tape.stretches import POINTS_PER_S, Real, check_stretches
from tapezoo.tape.virtual import virtual_speed
from tapezoo.tape.windows import SignalWindows

VAL_SEEDS = 1_000_000  # from here on: no recording of a training


class VirtualTransport(SignalWindows):
    """The speed of a made-up machine whose parts are known (`tapezoo.tape.virtual`).

    Args:
        recordings: How many there are to train on, 1 to 10000; a tenth as many to validate on.
        recording_s: Length of each, s, up to 600.
        window_points: See `SignalWindows`.
        batch_size: See `SignalWindows`.
        batches_per_epoch: See `SignalWindows`.
        seed: Of the machine's recordings and of the windows' places.
    """

    def __init__(
        self,
        recordings: int = 90,
        recording_s: float = 20.48,
        window_points: int = 512,
        batch_size: int = 64,
        batches_per_epoch: int = 50,
        seed: int = 0,
    ) -> None:
        super().__init__("speed", POINTS_PER_S, window_points, batch_size, batches_per_epoch, seed)
        check_range("recordings", recordings, 1, 10_000)
        check_range("recording_s", recording_s, 1.0, 600.0, "s")
        self.recordings, self.recording_s = recordings, recording_s

    @property
    def title(self) -> str:
        """What the signal is of."""
        return "virtual transport"

    def read(self) -> tuple[list[Real], list[Real]]:
        """See `SignalWindows`; no recording of the validation is one of the training."""
        first = self.seed * 10_000
        train = [virtual_speed(self.recording_s, first + number) for number in range(self.recordings)]
        held_out = max(1, self.recordings // 10)
        val = [virtual_speed(self.recording_s, VAL_SEEDS + first + number) for number in range(held_out)]
        return train, val


class MeasuredTransport(SignalWindows):
    """The speed of a machine, from delays that were measured (`tapezoo prepare`).

    Args:
        sources: Folders of data sets, or CSV files of a delay over time.
        sample_rate: Hz, for files whose delays are in samples of a rate that they do not state; None: such are refused.
        window_points: See `SignalWindows`.
        batch_size: See `SignalWindows`.
        batches_per_epoch: See `SignalWindows`.
        seed: Of the windows' places.

    Raises:
        TapeError: See `tapezoo.tape.sources.read_stretches`.
    """

    def __init__(
        self,
        sources: list[str],
        sample_rate: int | None = None,
        window_points: int = 512,
        batch_size: int = 64,
        batches_per_epoch: int = 50,
        seed: int = 0,
    ) -> None:
        super().__init__("speed", POINTS_PER_S, window_points, batch_size, batches_per_epoch, seed)
        self.sources, self.recorded_hz = _paths(sources), sample_rate

    @property
    def title(self) -> str:
        """What the signal is of."""
        return _named(self.sources)

    def read(self) -> tuple[list[Real], list[Real]]:
        """See `SignalWindows`."""
        stretches = read_stretches(self.sources, self.recorded_hz)
        check_stretches(stretches, ", ".join(map(str, self.sources)))
        return [stretch.speed for stretch in stretches], []


class MeasuredNoise(SignalWindows):
    """What a machine gives when nothing goes in: pauses of data sets, and recordings of a blank tape.

    Args:
        sources: Folders of data sets, or sound files.
        window_points: See `SignalWindows`.
        batch_size: See `SignalWindows`.
        batches_per_epoch: See `SignalWindows`.
        seed: Of the windows' places.

    Raises:
        TapeError: See `tapezoo.tape.rests.read_rests`.
    """

    def __init__(
        self,
        sources: list[str],
        window_points: int = 8192,
        batch_size: int = 16,
        batches_per_epoch: int = 50,
        seed: int = 0,
    ) -> None:
        self.sources = _paths(sources)
        self._rests, rate = read_rests(self.sources)
        super().__init__("noise", rate, window_points, batch_size, batches_per_epoch, seed)

    @property
    def title(self) -> str:
        """What the signal is of."""
        return _named(self.sources)

    def read(self) -> tuple[list[Real], list[Real]]:
        """See `SignalWindows`."""
        return list(self._rests), []


def _paths(sources: Sequence[str]) -> list[Path]:
    if not sources:
        raise TapeError(
            "--data.sources",
            found="none",
            expected="files, or the folders of data sets",
            fix="Name one: --data.sources '[dataset]'.",
        )
    return [Path(source) for source in sources]


def _named(sources: Sequence[Path]) -> str:
    """The first by its name, and how many more there are."""
    more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
    return f"{sources[0].name}{more}"
