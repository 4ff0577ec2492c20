"""What `Stream` adds to the net as C++: blocks of 64, beside the same header without Python, in turns in one run.

    taskset -c 0 python benchmarks/stream_cpp.py [NET ...]

Random weights. CPU time, one core, 44.1 kHz, medians of five rounds; "all": DC blocker, mix, and a limiter that bends.
"numba" is the same kernel where no compiler is: in brackets its share of `Stream` as C++, in blocks of 64 and of 2048,
where a call of Python weighs little.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from cpp import NETS, built, measured

from tapezoo.export import export_bundle
from tapezoo.export.targets.kernel import KernelTarget
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.runtime import SoftLimiter, Stream

BLOCK, LONG, RATE_HZ, ROUNDS, SECONDS = 64, 2048, 44100, 5, 0.5
PLAYED = ("LSTM-16", "LSTM-32", "GRU-32", "WaveNet")
ALL = {"mix": 0.5, "dc_blocker_hz": 5.0, "limiter": SoftLimiter(-40, -50)}


def times_real_time(stream: Stream, audio: np.ndarray, block_samples: int = BLOCK) -> float:
    """Of a stream that is warm."""
    blocks = list(audio.reshape(-1, block_samples))
    for block in blocks:
        stream.process(block)
    count, begin = 0, time.process_time()
    while (spent := time.process_time() - begin) < SECONDS:
        for block in blocks:
            stream.process(block)
        count += len(blocks)
    return count * block_samples / RATE_HZ / spent


def bundle_of(name: str, folder: Path) -> Path:
    """A bundle of the net with a kernel."""
    net = NETS[name]().eval()
    audio = 0.1 * np.random.default_rng(0).standard_normal((1, RATE_HZ)).astype(np.float32)
    export_bundle(
        net,
        architecture=name,
        sample_rate=RATE_HZ,
        controls=[],
        out=folder / "bundle",
        audio=audio[0],
        metrics={},
        provenance={},
        targets=[OnnxTarget(), KernelTarget()],
    )
    return folder / "bundle"


def main() -> None:
    """Measures, and prints a row for each net."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("nets", nargs="*", choices=[*PLAYED, []], help="all of them without it")
    torch.manual_seed(0)
    audio = 0.1 * np.random.default_rng(1).standard_normal(BLOCK * 512).astype(np.float32)
    print(
        "times real time, blocks of 64: C++ | Stream as C++ (share) | all (share) | numba (shares) | us of Python"
    )
    for name in parser.parse_args().nets or PLAYED:
        with tempfile.TemporaryDirectory() as place:
            bundle = bundle_of(name, Path(place))
            streams = [
                Stream(bundle, engine="kernel_cpp"),
                Stream(bundle, engine="kernel_cpp", **ALL),
                Stream(bundle, engine="kernel_numba"),
            ]
            program = built(NETS[name](), ["-O3", "-march=native"], Path(place))
            rounds = []
            for _ in range(ROUNDS):
                alone = float(measured(program)[0][1])
                played = [times_real_time(stream, audio) for stream in streams]
                long = [times_real_time(stream, audio, LONG) for stream in streams[::2]]
                rounds.append([alone, *played, long[1] / long[0]])
        alone, bare, full, numba, share = (median(column) for column in zip(*rounds, strict=True))
        python_us = 1e6 * BLOCK / RATE_HZ * (1 / bare - 1 / alone)
        print(
            f"{name:<10} {alone:6.0f} | {bare:6.0f} ({bare / alone:.2f}) | {full:6.0f} ({full / alone:.2f}) "
            f"| {numba:6.0f} ({numba / bare:.2f}, {share:.2f}) | {python_us:.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
