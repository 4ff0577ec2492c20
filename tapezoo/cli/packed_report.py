"""What a packed training says of its further nets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tapezoo import checkpoint
from tapezoo.callbacks.packed import best_of
from tapezoo.data.module import PairsDataModule
from tapezoo.measure.test_split import score_test_split
from tapezoo.training.packed import Packed


def packed_lines(run_dir: Path, packed: Packed, data: PairsDataModule | None) -> Iterator[str]:
    """A line for each further net: its own best epoch, and where it is.

    Args:
        run_dir: The run's folder.
        packed: The objective.
        data: Set up for the test; None: nothing is tested.
    """
    for name in packed.also:
        path = best_of(run_dir, name)
        if not path.is_file():
            continue  # fast_dev_run, or no epoch was trained
        text = f"{name:<12} best val_esr {checkpoint.score_of(path):.5f}"
        if data is not None:
            text += f", test_esr {score_test_split(checkpoint.load_model(path), data, {}).esr:.5f}"
        yield f"{text}: {path}"
