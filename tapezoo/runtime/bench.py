"""How fast a bundle plays on this machine: block times as in a host, on one thread."""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from tapezoo.blocks import whole_hops
from tapezoo.bundle import Manifest, find_bundle, read_manifest
from tapezoo.bundle.play import Audio
from tapezoo.runtime.engines import engines_of, missing_modules
from tapezoo.runtime.stream import Stream

BLOCKS_SAMPLES = (32, 64, 128, 256, 512)
WARM_BLOCKS = 50
LEAST_BLOCKS = 100  # fewer have no 99th percentile
LOAD_LIMIT = 0.7
NOISE_RMS = 0.1  # -20 dBFS
STEPS_PER_S = 10_000_000
TIME_STEPS = 1 << 20  # 0.1 s; a longer block counts as 0.1 s except in `max_us`
PAGE_KB = mmap.PAGESIZE // 1024


@dataclass(frozen=True)
class BlockTimes:
    """Of one engine at one block length.

    Args:
        engine: Its name.
        block_samples: Asked for, rounded up to whole hops.
        real_time_factor: Seconds of audio per second of this thread's CPU time.
        p50_us: Median time of a block by the clock, in microseconds; so the next three.
        p99_us: What 99 of 100 blocks do not exceed.
        p999_us: What 999 of 1000 do not exceed; of fewer blocks the longest.
        max_us: The longest, interruptions by other work on the machine included.
        instances_per_core: `floor(0.7 block duration / p99_us)`: how many fit on a core that is kept free to 30 %,
            so that one late block in a hundred of each does not make all of them late.
        grown_kb: By how much this process's memory grew meanwhile; None where the system does not tell.
    """

    engine: str
    block_samples: int
    real_time_factor: float
    p50_us: float
    p99_us: float
    p999_us: float
    max_us: float
    instances_per_core: int
    grown_kb: int | None


def playable_engines(manifest: Manifest) -> tuple[str, ...]:
    """The engines that have files in a bundle and are installed here."""
    return tuple(name for name in engines_of(manifest) if not missing_modules(name))


def bench(
    bundle: Path | str,
    engines: Sequence[str] | None = None,
    seconds: float = 1.0,
    blocks_samples: Sequence[int] = BLOCKS_SAMPLES,
    progress: Callable[[str], None] = lambda step: None,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[BlockTimes, ...]:
    """Plays noise through a bundle, one channel, its controls at their defaults, and times every block.

    Args:
        bundle: The bundle's folder, or the name of a shipped bundle; nothing is written into it.
        engines: See `tapezoo.runtime.engine_names`; None: all of the bundle's that are installed.
        seconds: By the clock, for each engine and block length.
        blocks_samples: Block lengths.
        progress: Called with the name of what is measured next.
        tell: Called with a note on getting an engine ready, such as the compile time, if there is one.

    Raises:
        BundleError: See `verify_hashes`.
        TapezooError: An engine cannot play this bundle, see `open_engine`.
    """
    root = find_bundle(bundle)
    names = playable_engines(read_manifest(root)) if engines is None else tuple(dict.fromkeys(engines))
    streams = {name: Stream(root, engine=name) for name in names or ("onnx",)}
    noise = np.random.default_rng(0).standard_normal(1 << 16).astype(np.float32) * NOISE_RMS
    rows = []
    for name, stream in streams.items():
        if stream.preparation:
            tell(f"{name} {stream.preparation}")
        for length in dict.fromkeys(
            whole_hops(length, stream.manifest.hop_samples) for length in blocks_samples
        ):
            progress(f"{name}, blocks of {length}")
            rows.append(_time_blocks(stream, name, noise, length, seconds))
    return tuple(rows)


def _time_blocks(stream: Stream, name: str, noise: Audio, length: int, seconds: float) -> BlockTimes:
    whole = np.resize(noise, -(-len(noise) // length) * length)
    blocks = cycle(whole.reshape(-1, length))
    stream.reset()
    for block in islice(blocks, WARM_BLOCKS):  # first ones allocate, compile and fill caches
        stream.process(block)
    times, grown_kb = _Times(), resident_kb()
    until, cpu_s = time.perf_counter() + seconds, time.thread_time()
    for block in blocks:
        before = time.perf_counter()
        stream.process(block)
        after = time.perf_counter()
        times.add(after - before)
        if after >= until and times.count >= LEAST_BLOCKS:
            break
    cpu_s = max(time.thread_time() - cpu_s, 1e-9)
    after_kb = resident_kb()
    duration_s = length / stream.manifest.sample_rate
    p99_us = times.quantile_us(0.99)
    return BlockTimes(
        engine=name,
        block_samples=length,
        real_time_factor=times.count * duration_s / cpu_s,
        p50_us=times.quantile_us(0.5),
        p99_us=p99_us,
        p999_us=times.quantile_us(0.999),
        max_us=1e6 * times.longest_s,
        instances_per_core=int(1e6 * LOAD_LIMIT * duration_s / p99_us),
        grown_kb=None if grown_kb is None or after_kb is None else after_kb - grown_kb,
    )


class _Times:
    """Times of any number of blocks, counted in steps of 0.1 us: a list of them would grow as the blocks are played."""

    def __init__(self) -> None:
        self.count, self.longest_s = 0, 0.0
        self._counts = [0] * TIME_STEPS

    def add(self, time_s: float) -> None:
        """One more block."""
        self.count += 1
        self.longest_s = max(self.longest_s, time_s)
        self._counts[min(int(time_s * STEPS_PER_S), TIME_STEPS - 1)] += 1

    def quantile_us(self, share: float) -> float:
        """What this share of the blocks does not exceed, to 0.1 us."""
        within = np.searchsorted(np.cumsum(self._counts), share * self.count)
        return 1e6 * min(float(within + 1) / STEPS_PER_S, self.longest_s)


def resident_kb() -> int | None:
    """This process's memory that is not swapped out; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * PAGE_KB
