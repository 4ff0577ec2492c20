"""How fast a bundle plays here: block times as a host meets them, on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from tapezoo.blocks import whole_hops
from tapezoo.bundle import Manifest, read_manifest
from tapezoo.bundle.play import Audio
from tapezoo.runtime.engines import engines_of, missing_modules
from tapezoo.runtime.stream import Stream

BLOCKS_SAMPLES = (32, 64, 128, 256, 512)
WARM_BLOCKS = 50
LEAST_BLOCKS = 100  # fewer have no 99th percentile
LOAD_LIMIT = 0.7
NOISE_RMS = 0.1  # -20 dBFS


@dataclass(frozen=True)
class BlockTimes:
    """Of one engine at one block length.

    Args:
        engine: Its name.
        block_samples: Asked for, rounded up to whole hops.
        real_time_factor: Seconds of audio per second of this thread's CPU time.
        p50_us: Median time of a block by the clock, in microseconds; so the next two.
        p99_us: What 99 of 100 blocks stay under.
        max_us: The longest, interruptions by other work on the machine included.
        instances_per_core: `floor(0.7 block duration / p99_us)`: how many fit on a core that is kept free to 30 %,
            so that one late block in a hundred of each does not make all of them late.
    """

    engine: str
    block_samples: int
    real_time_factor: float
    p50_us: float
    p99_us: float
    max_us: float
    instances_per_core: int


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
        bundle: The bundle's folder; nothing is written into it.
        engines: See `tapezoo.runtime.engine_names`; None: all of the bundle's that are installed.
        seconds: By the clock, for each engine and block length.
        blocks_samples: Block lengths.
        progress: Called with the name of what is measured next.
        tell: Called with what it took to get an engine ready, where there is something to say.

    Raises:
        BundleError: See `verify_hashes`.
        TapezooError: An engine cannot play this bundle, see `open_engine`.
    """
    root = Path(bundle)
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
    times_s = []
    until, cpu_s = time.perf_counter() + seconds, time.thread_time()
    for block in blocks:
        before = time.perf_counter()
        stream.process(block)
        after = time.perf_counter()
        times_s.append(after - before)
        if after >= until and len(times_s) >= LEAST_BLOCKS:
            break
    cpu_s = max(time.thread_time() - cpu_s, 1e-9)
    duration_s = length / stream.manifest.sample_rate
    p50, p99 = np.percentile(times_s, [50, 99])
    return BlockTimes(
        engine=name,
        block_samples=length,
        real_time_factor=len(times_s) * duration_s / cpu_s,
        p50_us=1e6 * float(p50),
        p99_us=1e6 * float(p99),
        max_us=1e6 * max(times_s),
        instances_per_core=int(LOAD_LIMIT * duration_s / float(p99)),
    )
