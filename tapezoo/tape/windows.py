"""Windows of a random signal: what generators are trained on."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tapezoo.data.arguments import check_range
from tapezoo.data.described import DescribedData
from tapezoo.tape.errors import TapeError
from tapezoo.tape.lines import Quantity, find_periodic, without_periodic
from tapezoo.tape.stretches import Real
from tapezoo.tape.synthesis import Line

Split = Literal["train", "val"]
VAL_SHARE = 0.1  # of the windows, at the end of the stretches
MOST_VAL_WINDOWS = 512
LEAST_SCALE = 1e-12  # where all of it is lines


class SignalWindows(DescribedData):
    """Windows of stretches of one signal without its lines: at random places in training, side by side in validation.

    Args:
        quantity: What the signal is.
        rate_hz: Points per second.
        window_points: Length of a window, 32 to 2^18.
        batch_size: Windows of a batch, 1 to 16384.
        batches_per_epoch: Length of an epoch, 1 or more.
        seed: Of the places, 0 or more.

    Raises:
        DataError: A value out of its range.
    """

    def __init__(
        self,
        quantity: Quantity,
        rate_hz: int,
        window_points: int,
        batch_size: int,
        batches_per_epoch: int,
        seed: int,
    ) -> None:
        super().__init__()
        check_range("window_points", window_points, 32, 1 << 18, "points")
        check_range("batch_size", batch_size, 1, 1 << 14, "windows")
        check_range("batches_per_epoch", batches_per_epoch, 1, 1_000_000, "batches")
        check_range("seed", seed, 0, (1 << 63) - 1)
        self.quantity: Quantity = quantity
        self.rate_hz, self.window_points = rate_hz, window_points
        self.batch_size, self.batches_per_epoch, self.seed = batch_size, batches_per_epoch, seed
        self.stretches: dict[Split, list[Real]] = {}
        self.lines: tuple[Line, ...] = ()
        """What is periodic in the stretches that are trained on; after `setup`."""
        self._left: dict[Split, list[Real]] = {}

    @abstractmethod
    def read(self) -> tuple[list[Real], list[Real]]:
        """Stretches to train on and to validate on, each (points,); of an empty second list `split_off` makes one."""

    @property
    def scale(self) -> float:
        """Standard deviation of what is trained on, without the lines."""
        return max(float(np.concatenate(self._left["train"]).std()), LEAST_SCALE)

    def setup(self, stage: str | None = None) -> None:
        """Reads everything.

        Raises:
            TapeError: Stretches that are all shorter than a window.
        """
        if self.stretches:
            return
        train, val = self.read()
        if not val:
            train, val = split_off(train, self.window_points)
        long = {"train": self._long(train), "val": self._long(val)}
        for split, found in long.items():
            if not found:
                given = train if split == "train" else val
                longest_s = max(map(len, given), default=0) / self.rate_hz
                use = "train" if split == "train" else "validate"
                raise TapeError(
                    self.title,
                    found=f"stretches of {longest_s:.3g} s at most to {use} on",
                    expected=f"{self.window_points / self.rate_hz:.3g} s at least, a window",
                    fix="Record longer, or shorten --data.window_points.",
                )
        self.stretches = {"train": long["train"], "val": long["val"]}
        self.lines = find_periodic(self.quantity, long["train"], self.rate_hz)
        self._left = {
            split: [without_periodic(self.quantity, each, self.lines, self.rate_hz) for each in own]
            for split, own in self.stretches.items()
        }
        digest = hashlib.sha256()
        for stretch in (*long["train"], *long["val"]):
            digest.update(stretch.astype(np.float32).tobytes())
        self.dataset_hash = digest.hexdigest()

    def describe(self) -> str:
        """What there is, for people; after `setup`."""
        parts, lines = [], ""
        for split, own in self.stretches.items():
            seconds = sum(map(len, own)) / self.rate_hz
            parts.append(f"{split} {seconds:.0f} s in {len(own)} stretch{'es' * (len(own) != 1)}")
        if self.lines:
            lines = "; lines at " + ", ".join(f"{line.frequency_hz:.4g}" for line in self.lines) + " Hz"
        window_s = self.window_points / self.rate_hz
        rms = f"RMS {self.scale:.3g}{' without them' * bool(lines)}"
        return f"{self.title}: {', '.join(parts)}{lines}; windows of {window_s:.3g} s, {rms}"

    def origin(self) -> dict[str, str]:
        """See `DescribedData`."""
        return {"dataset_hash": self.dataset_hash, "recordings": self.title}

    def train_dataloader(self) -> DataLoader[Tensor]:
        """(batch, 1, window_points), from random places; every epoch has its own."""
        data = RandomWindows(self._left["train"], self.window_points, self.batch_size, self.seed)
        return DataLoader(data, batch_size=None, sampler=_Epochs(self.batches_per_epoch))

    def val_dataloader(self) -> DataLoader[Tensor]:
        """All of them side by side, up to 512, in one batch."""
        windows = side_by_side(self._left["val"], self.window_points)[:MOST_VAL_WINDOWS]
        return DataLoader(_Whole(windows), batch_size=None)

    def _long(self, stretches: Sequence[Real]) -> list[Real]:
        return [stretch for stretch in stretches if len(stretch) >= self.window_points]


class RandomWindows(Dataset[Tensor]):
    """Batch `number` of a training: as many windows, each as likely as any other.

    Args:
        stretches: Each as long as a window or longer.
        window_points: Of a window.
        batch_size: Windows of a batch.
        seed: Of their places.
    """

    def __init__(self, stretches: Sequence[Real], window_points: int, batch_size: int, seed: int) -> None:
        self._signal = torch.from_numpy(np.concatenate(stretches).astype(np.float32))
        lengths = np.asarray([len(stretch) for stretch in stretches])
        first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        self._starts = np.concatenate(
            [
                np.arange(begin, begin + length - window_points + 1)
                for begin, length in zip(first, lengths, strict=True)
            ]
        )
        self._window, self._rows, self._seed = torch.arange(window_points), batch_size, seed

    def __getitem__(self, number: int) -> Tensor:
        """(batch, 1, window_points)."""
        random = np.random.Generator(np.random.Philox(key=[self._seed, number]))
        places = torch.from_numpy(random.choice(self._starts, self._rows))
        return self._signal[places[:, None] + self._window].unsqueeze(1)


class _Epochs:
    """Numbers of batches, which go on from epoch to epoch."""

    def __init__(self, batches: int) -> None:
        self._batches, self._epoch = batches, 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls it, also where a training is resumed."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._epoch * self._batches, (self._epoch + 1) * self._batches))


class _Whole(Dataset[Tensor]):
    def __init__(self, windows: Real) -> None:
        self._windows = torch.from_numpy(windows.astype(np.float32)).unsqueeze(1)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, number: int) -> Tensor:
        return self._windows


def side_by_side(stretches: Sequence[Real], window_points: int) -> Real:
    """(windows, window_points), without what is left over at the ends."""
    whole = [stretch[: len(stretch) // window_points * window_points] for stretch in stretches]
    return np.concatenate([part.reshape(-1, window_points) for part in whole])


def split_off(stretches: Sequence[Real], window_points: int) -> tuple[list[Real], list[Real]]:
    """The last tenth for the validation, one window at least: whole stretches, or the end of one."""
    wanted = max(window_points, round(VAL_SHARE * sum(map(len, stretches))))
    train, val = list(stretches), list[Any]()
    while wanted > 0 and train:
        last = train.pop()
        if len(last) - wanted >= window_points:
            train.append(last[:-wanted])
            last = last[-wanted:]
        val.insert(0, last)
        wanted -= len(last)
    return train, val
