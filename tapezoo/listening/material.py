"""What is listened to: the test split of a data set, or one recording, channel by channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tapezoo.controls import Control
from tapezoo.data.module import PairsDataModule, Passage
from tapezoo.data.timing_findings import name_channels
from tapezoo.measure.pair_scores import read_channels


@dataclass(frozen=True)
class Material:
    """Recordings of one machine.

    Args:
        name: Whose they are, for messages.
        sample_rate: Hz.
        controls: Of the machine; none: of a recording, at whose setting every model is held (`held_at`).
        passages: What may be listened to, within the recordings.
        dataset_hash: Of the data set; "": one pair of files.
        setting: Of the controls in a recording, in their own units, as far as it was said.
        in_channels: Whether channels of one file are passages of their own: models have one channel.
    """

    name: str
    sample_rate: int
    controls: Sequence[Control]
    passages: Sequence[Passage]
    dataset_hash: str = ""
    setting: Mapping[str, float] = field(default_factory=dict)
    in_channels: bool = False


def material_of_data(data: PairsDataModule, name: str) -> Material:
    """The test split of a data set that is set up."""
    controls = [Control(**control) for control in data.controls]
    passages = data.passages("test")
    channels = {channel for name in data.row_names() for channel in name_channels(name, 2)}
    in_channels = any(passage.recording in channels for passage in passages)
    return Material(name, data.sample_rate, controls, passages, data.dataset_hash, {}, in_channels)


def material_of_pair(dry: Path, wet: Path, setting: Mapping[str, float]) -> Material:
    """One pair of files, aligned as for training; all of it may be listened to, of stereo files every channel.

    Args:
        dry: The machine's input.
        wet: Its output.
        setting: Where the machine's controls stood, in their own units.

    Raises:
        TapezooError: Files that do not fit together.
    """
    channels = read_channels(dry, wet)
    none = np.zeros(0, dtype=np.float32)
    passages = [Passage(one.name, one.input, one.target, 0, len(one.target), none, ()) for one in channels]
    rate = channels[0].sample_rate
    return Material(wet.name, rate, (), passages, setting=setting, in_channels=len(channels) > 1)
