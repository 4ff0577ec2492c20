"""What a tape behind a nonlinearity costs: CPU time of streaming the assembled artifact over that of the net alone.

    python benchmarks/assemble.py                          LSTM, GRU, WaveNet and TCN at their default sizes
    python benchmarks/assemble.py LSTM runs/LSTM-...       these architectures and checkpoints

Both are exported as bundles and played by `Stream` on one thread, in blocks of 64 and 2048 samples, in turns; printed
are medians over the rounds, for the ONNX target and, where the net has one, the kernel as C++ and in numba. The loops
last a minute; the wander has lines of .1 to .02 % of the speed. An architecture by name has fresh weights, which cost
what trained ones do.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from itertools import cycle
from pathlib import Path

import numpy as np
import torch

from tapezoo import models
from tapezoo.bundle import read_manifest
from tapezoo.checkpoint import best_checkpoint, load_model
from tapezoo.controls import Control
from tapezoo.export import default_targets, export_bundle
from tapezoo.export.taped import loop_curves, loop_table
from tapezoo.net import Net
from tapezoo.runtime import Stream
from tapezoo.tape.loops import TransportLoop
from tapezoo.taped import Taped
from tapezoo.testing import perturbed
from tapezoo.training.effect import EffectModel

BLOCKS_SAMPLES = (64, 2048)
LOOP_S = 60
LINES = ((0.5, 1e-3), (2.7, 5e-4), (8.1, 5e-4), (16.2, 2e-4))  # Hz, peak deviation of the speed


def main() -> None:
    """Prints one table per model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", help="architectures or checkpoints")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="CPU time per measurement, at least")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.models or ["LSTM", "GRU", "WaveNet", "TCN"]:
        measure(name, options.rounds, options.seconds)


def measure(name: str, rounds: int, seconds: float) -> None:
    """Prints the table of one model."""
    model = (
        load_model(best_checkpoint(Path(name)))
        if Path(name).exists()
        else perturbed(models.resolve(name), [])
    )
    transport, noise = machine(model.sample_rate)
    curves, table = loop_curves(transport, 0), loop_table(noise, 0)
    nets: dict[str, Net] = {
        "net alone": model.net,
        "and transport": Taped(model.net, curves, None),
        "and noise": Taped(model.net, None, table),
        "and both": Taped(model.net, curves, table),
        "and modulation noise": Taped(model.net, curves, table, loop_table(noise, 1)),
    }
    with tempfile.TemporaryDirectory() as folder:
        bundles = {
            label: export(net, model, Path(folder) / str(number))
            for number, (label, net) in enumerate(nets.items())
        }
        has_kernel = "kernel" in read_manifest(bundles["net alone"]).targets
        engines = ["onnx", *(["kernel_cpp", "kernel_numba"] if has_kernel else [])]
        players = {(engine, label): bundle for engine in engines for label, bundle in bundles.items()}
        spent: dict[tuple[str, str, int], list[float]] = {}
        order, dice = list(players.items()), random.Random(0)
        for _ in range(rounds):
            dice.shuffle(order)  # who follows whom matters to caches and clocks
            for (engine, label), bundle in order:
                stream = Stream(bundle, verify=False, engine=engine)  # where its memory lies matters too
                for block in BLOCKS_SAMPLES:
                    took = microseconds(stream, block, seconds)
                    spent.setdefault((engine, label, block), []).append(took)
    print(
        f"\n{type(model).__name__}, {model.sample_rate} Hz; microseconds of CPU time per block, and over the net alone"
    )
    print(f"{'':<32}" + "".join(f"{f'block {block}':>12}{'ratio':>8}" for block in BLOCKS_SAMPLES))
    for engine, label in players:
        row = f"{engine + ', ' + label:<32}"
        for block in BLOCKS_SAMPLES:
            own, alone = spent[engine, label, block], spent[engine, "net alone", block]
            ratio = statistics.median(ours / theirs for ours, theirs in zip(own, alone, strict=True))
            row += f"{statistics.median(own):>12.1f}{ratio:>8.2f}"
        print(row, flush=True)


def machine(sample_rate: int) -> tuple[TransportLoop, np.ndarray]:
    """A transport with lines, and white noise at -60 dB."""
    time_s = np.arange(100 * LOOP_S) / 100
    delay_s = [
        sum(
            peak / (2 * np.pi * hertz) * np.sin(2 * np.pi * hertz * time_s)
            for hertz, peak in LINES
            if (hertz < 6) == is_wow
        )
        for is_wow in (True, False)
    ]
    transport = TransportLoop(sample_rate * np.stack(delay_s), sample_rate // 100, sample_rate)
    noise = np.random.default_rng(0).normal(0, 1e-3, LOOP_S * sample_rate).astype(np.float32)
    return transport, noise


def export(net: Net, model: EffectModel, out: Path) -> Path:
    """The bundle of a net."""
    controls: tuple[Control, ...] = net.controls if isinstance(net, Taped) else ()
    export_bundle(
        net,
        architecture=type(model).__name__,
        sample_rate=model.sample_rate,
        controls=(*model.controls, *controls),
        out=out,
        audio=0.2 * np.random.default_rng(0).standard_normal(model.sample_rate).astype(np.float32),
        metrics={},
        provenance={},
        targets=[target for target in default_targets(net) if target.name != "torchscript"],
    )
    return out


def microseconds(stream: Stream, block: int, seconds: float) -> float:
    """CPU time per block, over at least so many seconds of it."""
    audio = 0.2 * np.random.default_rng(1).standard_normal(16 * block).astype(np.float32)
    blocks = np.split(audio, 16)
    for part in blocks[:4]:
        stream.process(part)
    count, started = 0, time.thread_time()
    for count, part in enumerate(cycle(blocks), 1):
        stream.process(part)
        if count % 16 == 0 and time.thread_time() - started >= seconds:
            break
    return 1e6 * (time.thread_time() - started) / count


if __name__ == "__main__":
    main()
