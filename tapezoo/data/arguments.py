"""Limits of the data modules' arguments: a range for each, and a limit on the memory that all need together."""

from __future__ import annotations

import math

from tapezoo.data.errors import DataError

MOST_ROWS = 1 << 14  # of a batch
MOST_SAMPLES = 1 << 24  # of a segment, or of a burn-in
MOST_BATCHES = 1_000_000  # of an epoch
MOST_BATCH_SAMPLES = 1 << 27  # of all rows: input and target are 1 GiB
MOST_EPOCH_ROWS = 1 << 24
MOST_SEED = (1 << 63) - 1
BYTES_PER_SAMPLE = 8  # input and target, float32


def check_range(name: str, value: float, least: float, most: float, unit: str = "") -> None:
    """Raises DataError where an argument is outside its range, or no number."""
    if not least <= value <= most:
        bounds = f"{_shown(least)} to {_shown(most)} {unit}".rstrip()
        raise DataError(f"--data.{name}", found=_shown(value), expected=bounds, fix="Correct the argument.")


def check_sizes(
    batch_size: int, segment_samples: int, batches_per_epoch: int | None, burn_in_samples: int, seed: int
) -> None:
    """Raises DataError where an argument is out of its range, or together they need too much memory."""
    check_range("batch_size", batch_size, 1, MOST_ROWS, "rows")
    check_range("segment_samples", segment_samples, 1, MOST_SAMPLES, "samples")
    check_range("burn_in_samples", burn_in_samples, 0, MOST_SAMPLES, "samples")
    check_range("seed", seed, 0, MOST_SEED)
    row = burn_in_samples + segment_samples
    if batch_size * row > MOST_BATCH_SAMPLES:
        raise DataError(
            "--data.batch_size",
            found=f"{batch_size} rows of {row} samples, {in_bytes(batch_size * row * BYTES_PER_SAMPLE)} a batch",
            expected=f"{in_bytes(MOST_BATCH_SAMPLES * BYTES_PER_SAMPLE)} at most",
            fix=f"Pass {MOST_BATCH_SAMPLES // row} or less, or shorter segments.",
        )
    if batches_per_epoch is not None:
        check_range("batches_per_epoch", batches_per_epoch, 1, MOST_BATCHES, "batches")
        check_epoch(batches_per_epoch, batch_size)


def check_epoch(batches: int, batch_size: int) -> None:
    """Raises DataError where the rows of an epoch are too many to be drawn at once."""
    if batches * batch_size > MOST_EPOCH_ROWS:
        raise DataError(
            "--data.batches_per_epoch",
            found=f"an epoch of {batches} batches of {batch_size} rows",
            expected=f"{MOST_EPOCH_ROWS} rows at most",
            fix=f"Pass {MOST_EPOCH_ROWS // batch_size} batches or less.",
        )


def in_bytes(count: float) -> str:
    """A size as text: "1.1 GB"."""
    thousands = min(6, int(math.log10(count) // 3)) if count >= 1 else 0
    unit = ("B", "kB", "MB", "GB", "TB", "PB", "EB")[thousands]
    return f"{count / 1000**thousands:.3g} {unit}"


def _shown(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"
