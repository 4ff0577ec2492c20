"""What a bundle costs to run here: times real time on one thread, in blocks as hosts use them."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from tapezoo.blocks import allowed_block
from tapezoo.bundle import Manifest, StateArrays, Step
from tapezoo.bundle.play import Audio, play_from_rest
from tapezoo.runtime.engine import Engine

BLOCKS_SAMPLES = (64, 2048)
REPEATS = 5
MEASURED_SAMPLES = 1 << 14
FIELDS = ("real_time_factor", "threads", "processor")  # of one target's cost in a manifest


def measure_cost(
    step: Step, manifest: Manifest, audio: Audio, rest: StateArrays, controls: Audio
) -> dict[str, Any]:
    """The cost of one step; see `measure_costs`."""
    return measure_costs({"": step}, manifest, audio, rest, controls)[""]


def measure_costs(
    steps: Mapping[str, Step], manifest: Manifest, audio: Audio, rest: StateArrays, controls: Audio
) -> dict[str, dict[str, Any]]:
    """Seconds of audio per second of this thread's CPU time, the median of five runs, by block length.

    All steps take turns, so that other work on the machine affects all of them alike: their ratios are more reliable
    than the figures themselves.

    Args:
        steps: Opened targets, by name.
        manifest: Of the bundle.
        audio: (1, samples) of programme.
        rest: StateArrays at rest.
        controls: (num_controls,) positions.
    """
    audio = audio[:, : MEASURED_SAMPLES // manifest.hop_samples * manifest.hop_samples]
    factors: dict[str, dict[str, float]] = {name: {} for name in steps}
    path = controls.reshape(1, 1, -1)
    for length in BLOCKS_SAMPLES:
        block = allowed_block(length, manifest.hop_samples, manifest.max_block_samples)
        for step in steps.values():
            play_from_rest(step, audio[:, : 4 * block], path, rest, block)  # first runs allocate
        seconds: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(REPEATS):
            for name, step in steps.items():
                seconds[name].append(_cpu_seconds(step, audio, path, rest, block))
        for name, taken in seconds.items():
            factors[name][str(block)] = audio.shape[1] / manifest.sample_rate / median(taken)
    return {
        name: {"real_time_factor": found, "threads": 1, "processor": _processor()}
        for name, found in factors.items()
    }


def engine_step(engine: Engine, controls: Audio) -> Step:
    """An engine as a step, from rest, for one channel at controls that stand still; it keeps its state itself."""
    engine.start(1, controls)

    def step(input: Audio, _: Audio, state: StateArrays) -> tuple[Audio, StateArrays]:
        return engine.play(input[:, 0], controls)[:, np.newaxis], state

    return step


def _cpu_seconds(step: Step, audio: Audio, path: Audio, rest: StateArrays, block: int) -> float:
    start = time.thread_time()  # CPU time: other work on the machine does not count
    play_from_rest(step, audio, path, rest, block)
    return max(time.thread_time() - start, 1e-9)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")  # platform.processor() is empty on most Linux systems
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
