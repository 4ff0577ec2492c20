"""The signal's way through a render, one generator per step; each pulls blocks from the one before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from tapezoo.render.soundfiles import Interleaved


def copy_blocks(blocks: Iterable[Interleaved], copies: deque[Interleaved]) -> Iterator[Interleaved]:
    """Passes blocks on and keeps them in `copies`."""
    for block in blocks:
        copies.append(block)
        yield block


def silence(samples: int, channels: int, block_samples: int) -> Iterator[Interleaved]:
    """So many samples of silence, in blocks."""
    for start in range(0, samples, block_samples):
        yield np.zeros((min(block_samples, samples - start), channels))


def resample(blocks: Iterable[Interleaved], from_hz: int, to_hz: int, channels: int) -> Iterator[Interleaved]:
    """The same sound at another rate."""
    # very high quality: passband to 0.95 of the lower Nyquist rate, images under the 24-bit noise
    stream = soxr.ResampleStream(from_hz, to_hz, channels, dtype="float64", quality="VHQ")
    for block in blocks:
        yield stream.resample_chunk(block).reshape(-1, channels)
    yield stream.resample_chunk(np.zeros((0, channels)), last=True).reshape(-1, channels)


def gather(blocks: Iterable[Interleaved], size: int, channels: int) -> Iterator[Interleaved]:
    """Blocks of `size` samples, the last one shorter."""
    waiting = np.zeros((0, channels))
    for block in blocks:
        waiting = np.concatenate((waiting, block)) if len(waiting) else block
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]
    if len(waiting):
        yield waiting


def drop(blocks: Iterable[Interleaved], skip: int) -> Iterator[Interleaved]:
    """What comes after the first `skip` samples."""
    for block in blocks:
        dropped = min(skip, len(block))
        skip -= dropped
        if dropped < len(block):
            yield block[dropped:]


def window(blocks: Iterable[Interleaved], skip: int, length: int) -> Iterator[Interleaved]:
    """`length` samples after the first `skip`; pulls the rest as well, so that the reader sees its end."""
    for block in drop(blocks, skip):
        if length > 0:
            yield block[:length]
        length -= len(block)


def mix_with_dry(
    wet: Iterable[Interleaved], dry: deque[Interleaved], mix: float, output_gain_db: float
) -> Iterator[Interleaved]:
    """`mix` of wet and the rest of dry, times the output gain; takes from `dry` what it has used."""
    gain = 10 ** (output_gain_db / 20)
    for block in wet:
        if mix < 1:
            # the dry samples have been read already, because the net's latency is never negative
            block = mix * block + (1 - mix) * _take(dry, len(block))
        yield gain * block


def _take(waiting: deque[Interleaved], samples: int) -> Interleaved:
    parts = []
    while samples > 0:
        head = waiting.popleft()
        if len(head) > samples:
            waiting.appendleft(head[samples:])
            head = head[:samples]
        parts.append(head)
        samples -= len(head)
    return np.concatenate(parts)
