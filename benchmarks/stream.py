"""Times real time of streaming one trained net: checkpoint, ONNX, TorchScript, at blocks of 64, 256, 2048.

    python benchmarks/stream.py CHECKPOINT BUNDLE [--rounds 5] [--seconds 5]

One thread, CPU time, state carried from block to block. Rounds go through all players in turn; printed are
medians, and the ratio to the checkpoint's net run eagerly in torch in the same rounds. `Stream` is what an
application calls: tapezoo.runtime with its checks and buffers around ONNX.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tapezoo import runtime
from tapezoo.bundle import read_manifest
from tapezoo.bundle.golden import read_rest
from tapezoo.checkpoint import best_checkpoint, load_model
from tapezoo.export import openers

BLOCKS_SAMPLES = (64, 256, 2048)
Play = Callable[[NDArray[np.float32], int], None]


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="audio per measurement")
    options = parser.parse_args()
    torch.set_num_threads(1)
    manifest = read_manifest(options.bundle)
    players = {"torch eager": eager(options.checkpoint)}
    for name, open_target in openers().items():
        step = open_target(options.bundle / manifest.targets[name], manifest.state_names)
        players[name] = stepper(step, options.bundle)
    players["Stream (ONNX)"] = streamer(options.bundle)

    audio = np.random.default_rng(0).standard_normal(round(options.seconds * manifest.sample_rate))
    audio = (0.2 * audio).astype(np.float32)
    print(f"{manifest.architecture} at {manifest.sample_rate} Hz, one thread, times real time (CPU time)")
    print(f"{'':<16}" + "".join(f"{f'block {block}':>14}{'ratio':>8}" for block in BLOCKS_SAMPLES))
    speeds: dict[tuple[str, int], list[float]] = {}
    for _ in range(options.rounds):
        for name, play in players.items():
            for block in BLOCKS_SAMPLES:
                started = time.process_time()
                play(audio, block)
                speed = options.seconds / (time.process_time() - started)
                speeds.setdefault((name, block), []).append(speed)
    for name in players:
        row = f"{name:<16}"
        for block in BLOCKS_SAMPLES:
            ratio = [a / b for a, b in zip(speeds[name, block], speeds["torch eager", block], strict=True)]
            row += f"{statistics.median(speeds[name, block]):>14.1f}{statistics.median(ratio):>8.1f}"
        print(row)


def eager(checkpoint: Path) -> Play:
    """The checkpoint's net in torch."""
    model = load_model(best_checkpoint(checkpoint))

    def play(audio: NDArray[np.float32], block: int) -> None:
        signal, controls = torch.from_numpy(audio).reshape(1, 1, -1), model.default_controls()
        with torch.inference_mode():
            state = model.net.initial_state(controls)
            for start in range(0, signal.shape[-1], block):
                _, state = model.net(signal[..., start : start + block], controls, state)

    return play


def stepper(step: Callable, bundle: Path) -> Play:
    """A target of the bundle, called block by block."""
    manifest = read_manifest(bundle)
    rest = {name: value[np.newaxis] for name, value in read_rest(bundle, manifest).items()}
    controls = np.array([[c.normalize(c.default) for c in manifest.controls]], dtype=np.float32)
    controls = controls.reshape(1, len(manifest.controls))

    def play(audio: NDArray[np.float32], block: int) -> None:
        state = rest
        for start in range(0, len(audio), block):
            _, state = step(audio[np.newaxis, np.newaxis, start : start + block], controls, state)

    return play


def streamer(bundle: Path) -> Play:
    """What an application calls."""
    stream = runtime.Stream(bundle)

    def play(audio: NDArray[np.float32], block: int) -> None:
        stream.reset()
        for start in range(0, len(audio), block):
            stream.process(audio[start : start + block])

    return play


if __name__ == "__main__":
    main()
