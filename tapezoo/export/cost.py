"""What a bundle costs to run here: times real time on one thread, in blocks as hosts use them."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from statistics import median
from typing import Any

from tapezoo.bundle import Manifest, State, Step
from tapezoo.bundle.golden import Audio, stream

BLOCKS_SAMPLES = (64, 2048)
REPEATS = 5
MEASURED_SAMPLES = 1 << 14


def measured_cost(
    step: Step, manifest: Manifest, audio: Audio, rest: State, controls: Audio
) -> dict[str, Any]:
    """Seconds of audio per second of this thread's CPU time, the median of five runs, by block length.

    Args:
        step: An opened target.
        manifest: Of the bundle.
        audio: (1, samples) of programme.
        rest: State at rest.
        controls: (num_controls,) positions.
    """
    audio = audio[:, :MEASURED_SAMPLES]
    factors = {}
    for length in BLOCKS_SAMPLES:
        block = -(-length // manifest.hop_samples) * manifest.hop_samples
        path = controls.reshape(1, 1, -1)
        stream(step, audio[:, : 4 * block], path, rest, block)  # first runs allocate
        factors[str(block)] = median(
            audio.shape[1] / manifest.sample_rate / _cpu_seconds(step, audio, path, rest, block)
            for _ in range(REPEATS)
        )
    return {"real_time_factor": factors, "threads": 1, "processor": _processor()}


def _cpu_seconds(step: Step, audio: Audio, path: Audio, rest: State, block: int) -> float:
    start = time.thread_time()  # CPU time: other work on the machine does not count
    stream(step, audio, path, rest, block)
    return max(time.thread_time() - start, 1e-9)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")  # platform.processor() is empty on most Linux systems
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
