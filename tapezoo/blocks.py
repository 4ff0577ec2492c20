"""Signals in blocks: how they are cut, and which block lengths a net takes."""

from __future__ import annotations

from collections.abc import Iterator


def blocks(total_samples: int, block_samples: int) -> Iterator[slice]:
    """Slices that cut `total_samples` into blocks of `block_samples`, the last one shorter."""
    for start in range(0, total_samples, block_samples):
        yield slice(start, min(start + block_samples, total_samples))


def whole_hops(samples: int, hop_samples: int) -> int:
    """`samples` rounded up to a multiple of `hop_samples`."""
    return -(-samples // hop_samples) * hop_samples


def allowed_block(block_samples: int, hop_samples: int, max_block_samples: int | None) -> int:
    """`block_samples` rounded up to whole hops, and down to the longest sensible one; at least one hop."""
    block = whole_hops(block_samples, hop_samples)
    if max_block_samples is None:
        return block
    return max(min(block, max_block_samples // hop_samples * hop_samples), hop_samples)
