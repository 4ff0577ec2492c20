"""What a run says of the data it was trained on."""

from __future__ import annotations

from abc import ABC, abstractmethod

from lightning.pytorch import LightningDataModule


class DescribedData(LightningDataModule, ABC):
    """A DataModule that can be named in runs, checkpoints and bundles."""

    dataset_hash: str = ""
    """Of all that is trained on; after `setup`."""

    def __str__(self) -> str:
        """The title. Lightning's counts what is in every loader: it would prepare all, and jsonargparse asks."""
        return self.title

    @property
    def title(self) -> str:
        """What the recordings are of, for people: tracked runs are named after it."""
        return type(self).__name__

    @abstractmethod
    def describe(self) -> str:
        """What there is, for people; after `setup`."""

    @abstractmethod
    def origin(self) -> dict[str, str]:
        """What checkpoints say of it, "dataset_hash" and "recordings" among it; after `setup`."""
