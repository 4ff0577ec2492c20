"""How fast a grid plays as C++, beside the player of grids in Python and the conditioned net as C++, in the same run.

    taskset -c 0 python benchmarks/grid_cpp.py [--units 32] [--points 6] [--block 64]

An LSTM with one knob beside its input and random weights, on which speed does not depend. Times real time at 44.1 kHz,
one channel, one thread, by CPU time; medians of 9, measured in turn: at a point, between two, and with a new value in
every block.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from tapezoo.bundle import Manifest
from tapezoo.bundle.play import Audio
from tapezoo.controls import Control
from tapezoo.export import settle_copy
from tapezoo.export.golden import golden_input
from tapezoo.export.grid import GridPart, parse_axes
from tapezoo.export.grid.cpp import HEADER
from tapezoo.export.targets.cpp import CppTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.models.lstm import LSTMNet
from tapezoo.runtime.cpp import Library, open_library
from tapezoo.runtime.grid.engine import GridEngine

RATE_HZ = 44100
SAMPLES = RATE_HZ // 2
REPEATS = 9
KNOB = Control("gain", 0, 1, 0.5)
Play = Callable[[Audio, Audio], object]
"""(samples,) and (1,) positions."""


def compiled(library: Library) -> Play:
    """A channel of a compiled header."""
    channel = library.make()
    output = np.empty(1 << 16, np.float32)
    return lambda audio, at: channel.play(audio, at, output[: len(audio)])


def players(units: int, points: int, folder: Path) -> dict[str, Play]:
    """By what they are."""
    torch.manual_seed(0)
    net = LSTMNet(1, units)
    frozen, settle_samples = settle_copy(net, np.array([0.5], np.float32))
    manifest = Manifest("LSTM", RATE_HZ, (KNOB,), None, 0, 1, settle_samples, (), {}, (), {}, {}, (), {}, {})
    audio = golden_input((0.1 * np.random.default_rng(0).standard_normal(RATE_HZ)).astype(np.float32), 1)
    CppTarget().write(graph_of(frozen, {}, (KNOB,), settle_samples), folder / "net.hpp")
    found = {"the conditioned net, C++": compiled(open_library(folder / "net.hpp"))}
    for rule in ("weights", "outputs"):
        out = folder / rule
        out.mkdir()
        part = GridPart(parse_axes(f"gain=0:1:{points}", (KNOB,)), rule=rule, cpp=True)
        grid = part.write(out, frozen, manifest, audio, lambda step: None)
        engine = GridEngine(out, grid)
        engine.start(1, np.array([0.5], np.float32))
        found[f"{rule}, C++"] = compiled(open_library(out / HEADER))
        found[f"{rule}, the engine grid"] = lambda audio, at, engine=engine: engine.play(
            audio[np.newaxis], at
        )
    return found


def times_real_time(play: Play, positions: Callable[[int], float], block: int) -> float:
    """Of one run."""
    audio = (0.3 * np.random.default_rng(1).standard_normal(SAMPLES)).astype(np.float32)
    pieces = [np.ascontiguousarray(audio[at : at + block]) for at in range(0, SAMPLES - block + 1, block)]
    told = [np.array([positions(number)], np.float32) for number in range(len(pieces))]
    for _ in range(1 + 2048 // block):  # the glide to the first place
        play(pieces[0], told[0])
    begin = time.process_time()
    for piece, at in zip(pieces, told, strict=True):
        play(piece, at)
    return len(pieces) * block / RATE_HZ / (time.process_time() - begin)


def main() -> None:
    """Measures, and prints a row for each player."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, default=32)
    parser.add_argument("--points", type=int, default=6)
    parser.add_argument("--block", type=int, default=64)
    options = parser.parse_args()
    torch.set_num_threads(1)
    way = {
        "at a point": lambda number: 0.0,
        "between points": lambda number: 0.5 / (options.points - 1),
        "moving": lambda number: 0.5 - 0.5 * float(np.cos(number / 40)),
    }
    with tempfile.TemporaryDirectory() as name:
        playing = players(options.units, options.points, Path(name))
        rows: dict[str, dict[str, list[float]]] = {who: {where: [] for where in way} for who in playing}
        for _ in range(REPEATS):
            for where, positions in way.items():
                for who, play in playing.items():
                    rows[who][where].append(times_real_time(play, positions, options.block))
    print(f"{'':<28}" + "".join(f"{where:>16}" for where in way))
    for who, found in rows.items():
        print(f"{who:<28}" + "".join(f"{statistics.median(figures):>16.1f}" for figures in found.values()))


if __name__ == "__main__":
    main()
