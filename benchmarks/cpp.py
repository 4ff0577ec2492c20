"""How fast nets play as C++, beside what one core of this machine can do, measured in the same run.

    taskset -c 0 python benchmarks/cpp.py [NET ...] [--options "-O3 -march=native"] [--fast-tanh]

Random weights: speed does not depend on them. CPU time, one core, 44.1 kHz, medians of 21 runs. Where another thread
shares the core, shares are smaller: the largest of the 21 is printed too.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

import torch
from ceiling import flop_per_sample

from tapezoo.export.targets.cpp import CppTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.models.gcn import GCNNet
from tapezoo.models.gru import GRUNet
from tapezoo.models.lstm import LSTMNet
from tapezoo.models.s4d import S4DNet
from tapezoo.models.tcn import TCNNet
from tapezoo.models.wavenet import WaveNetNet
from tapezoo.net import Net
from tapezoo.runtime.cpp import find_compiler

NETS = {
    "LSTM-16": lambda: LSTMNet(0, 16),
    "LSTM-32": lambda: LSTMNet(0, 32),
    "LSTM-64": lambda: LSTMNet(0, 64),
    "GRU-32": lambda: GRUNet(0, 32),
    "GRU-64": lambda: GRUNet(0, 64),
    "WaveNet": lambda: WaveNetNet(0),
    "WaveNet-A2": lambda: WaveNetNet(
        0, [8], [*A2, *A2, 1, 13, *A2], [*[6] * 14, 15, 15, *[6] * 7], "leaky_relu", head_taps=16
    ),  # recipes/wavenet/a2-full.yaml
    "GCN": lambda: GCNNet(0),
    "TCN": lambda: TCNNet(0),
    "S4D": lambda: S4DNet(0),
}
A2 = (1, 3, 7, 17, 41, 101, 239)


def built(net: Net, options: list[str], folder: Path) -> list[str]:
    """The command of a program in `folder` that measures it."""
    graph = graph_of(net.eval(), {"architecture": type(net).__name__, "sample_rate": "44100"})
    CppTarget().write(graph, folder / "model.hpp")
    program = folder / "play"
    find_compiler().compile(Path(__file__).with_name("cpp.cpp"), program, [*options, f"-I{folder}"])
    return [str(program), str(flop_per_sample(net))]


def measured(command: list[str]) -> list[list[str]]:
    """Block, times real time, share of the ceiling, its largest, ceiling in GFLOP/s."""
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split() for line in said.splitlines()]


def measure(net: Net, options: list[str]) -> list[list[str]]:
    """See `measured`."""
    with tempfile.TemporaryDirectory() as name:
        return measured(built(net, options, Path(name)))


def main() -> None:
    """Measures, and prints a row for each net and block."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("nets", nargs="*", choices=[*NETS, []], help="all of them without it")
    parser.add_argument("--options", default="-O3 -march=native", help="of the compiler")
    parser.add_argument("--fast-tanh", action="store_true", help="with TAPEZOO_FAST_TANH")
    options = parser.parse_args()
    flags = options.options.split() + (["-DTAPEZOO_FAST_TANH"] if options.fast_tanh else [])
    torch.manual_seed(0)
    print(f"{' '.join(find_compiler().command)} {' '.join(flags)}")
    print("net          block  x real time  share of the ceiling (largest)  ceiling GFLOP/s")
    for name in options.nets or NETS:
        for block, times, share, most, ceiling in measure(NETS[name](), flags):
            print(f"{name:<12} {block:>5} {times:>12} {share:>12} ({most}) {ceiling:>26}")


if __name__ == "__main__":
    main()
