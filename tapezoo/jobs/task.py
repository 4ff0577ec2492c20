"""What a training process is given, wherever it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tapezoo.jobs.settings import Config
from tapezoo.measure.comparison import Figures


@dataclass(frozen=True)
class Task(ABC):
    """One training, and how it is judged; a subclass is a module's own, since workers of a cluster import it.

    Args:
        name: Of its folder.
        config: What `fit` gets.
        arguments: Further arguments of `fit`: where to track.
        start: Content of a checkpoint whose weights it starts from; None: from none.
    """

    kind: ClassVar[str]
    """The verb that it belongs to."""
    tries: ClassVar[int] = 1
    """How often it is started if its process is killed."""

    name: str
    config: Config
    arguments: tuple[str, ...] = ()
    start: bytes | None = None

    @abstractmethod
    def measure(self, folder: Path) -> Figures | None:
        """What came out, once the training has ended well; None: no figures are asked for.

        Raises:
            JobFailure: The training has no usable result; the reason in one line.
        """


class JobFailure(Exception):
    """Why a training has no result, in one line."""
