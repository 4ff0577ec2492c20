"""Times real time of state transition nets as kernels, and of the solver that they stand for.

    python benchmarks/stn.py                  2x4, 2x8, 3x4 and 2x16, fresh weights, which cost what trained ones do;
                                              nets whose weights follow three controls
    python benchmarks/stn.py --inputs plain --step increment --block 64

One thread, CPU time, 48 kHz, mono, programme material; rounds go through all players in turn, printed are medians and
the ratio to NR8 in the same rounds. NR8 stops where M no longer moves; "all eight" never does, as the published
plug-in. Kernel and solver are both compiled by numba; the kernel is called block by block with its state and controls,
the solver once for the whole signal.

AMD EPYC (AVX2, busy with other work), the defaults, 9 rounds:

                       ns a sample  x real time   over NR8
    NR8                        184          113       1.00
    NR8, all eight             549           38       0.34
    STN 2x4                     37          564       4.95
    STN 2x8                     44          473       4.22
    STN 3x4                     53          390       3.44
    STN 2x16                    68          308       2.75
    8000 2x4                    64          327       2.85
    8000 2x4, moving           199          105       0.92
    cubic 2x4                   64          324       2.93
    cubic 2x4, moving          203          103       0.92

"8000" is a table of 20 x 20 x 20 nets, "cubic" one net of degree 3 in three controls; "moving": each of the three is
told anew with every block. A mix of weights costs less than half a microsecond; what costs is the glide in Python, some
80 microseconds a block while it moves, and the scan of the controls. A call takes 4 microseconds, the loop 30 ns a
sample: two tanh (26 cycles each, 10 of them the division) and two products (12 to 14) that wait for one another.
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

from tapezoo.devices import program_material
from tapezoo.devices.hysteresis import tape_at
from tapezoo.devices.solver import Solver, constants, demagnetised
from tapezoo.devices.solvers import SOLVERS
from tapezoo.devices.time_solvers import Newton
from tapezoo.export.targets.kernel import KernelTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.models.stn import STNNet
from tapezoo.models.stn_grid import STNGridNet
from tapezoo.models.stn_polynomial import STNPolynomialNet
from tapezoo.net import Net
from tapezoo.runtime.kernels.voices import channel_maker

RATE_HZ = 48_000
SIZES = ("2x4", "2x8", "3x4", "2x16")


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--step", default="slope", choices=["increment", "slope"])
    parser.add_argument("--inputs", default="mirrored", choices=["plain", "mirrored", "sign", "anhysteretic"])
    parser.add_argument("--block", type=int, default=2048, help="samples")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    signal = np.concatenate([excerpt.audio for excerpt in program_material(10.0, RATE_HZ, 0)])[: 2 * RATE_HZ]
    players: dict[str, Callable[[], None]] = {
        "NR8": _solve(SOLVERS["NR8"], signal),
        "NR8, all eight": _solve(Newton(8, tolerance=-1.0), signal),
    }
    for size in SIZES:
        players[f"STN {size}"] = _play(
            STNNet(0, size, options.step, options.inputs, sample_rate=RATE_HZ), signal, options.block
        )
    if options.inputs != "anhysteretic":
        form = {"step": options.step, "inputs": options.inputs, "sample_rate": RATE_HZ}
        controlled = {
            "8000 2x4": STNGridNet(3, [20] * 3, **form),
            "cubic 2x4": STNPolynomialNet(3, 3, **form),
        }
        for name, net in controlled.items():
            players[name] = _play(net, signal, options.block)
            players[f"{name}, moving"] = _play(net, signal, options.block, moving=True)
    taken: dict[str, list[float]] = {name: [] for name in players}
    for play in players.values():
        play()
    for _ in range(options.rounds):
        for name, play in players.items():
            began = time.process_time()
            play()
            taken[name].append(time.process_time() - began)
    print(f"{'':17} {'ns a sample':>12} {'x real time':>12} {'over NR8':>10}")
    for name, times in taken.items():
        ratio = statistics.median(nr8 / own for nr8, own in zip(taken["NR8"], times, strict=True))
        each = statistics.median(times) / len(signal)
        print(f"{name:17} {each * 1e9:12.0f} {1 / (each * RATE_HZ):12.0f} {ratio:10.2f}")


def _solve(solver: Solver, signal: np.ndarray) -> Callable[[], None]:
    tapes, field = constants([tape_at(0.5, 0.5, 0.5)]), signal.astype(np.float64)[None]
    return lambda: void(solver.solve(field, demagnetised(1, 1), tapes, float(RATE_HZ)))


def _play(net: Net, signal: np.ndarray, block: int, moving: bool = False) -> Callable[[], None]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.safetensors"
        KernelTarget().write(graph_of(net.eval(), {}), path)
        channel = channel_maker(path)()
    knobs = np.full((-(-len(signal) // block), net.num_controls), 0.4, np.float32)
    if moving:
        times = np.arange(len(knobs))[:, None] * block / RATE_HZ
        knobs[:] = 0.5 + 0.5 * np.sin(2 * np.pi * times * [0.7, 1.1, 1.9])
    state = {name: value.numpy()[0] for name, value in net.initial_state(torch.from_numpy(knobs[:1])).items()}
    output = np.empty_like(signal)

    def play() -> None:
        channel.load(state)
        for start, controls in zip(range(0, len(signal), block), knobs, strict=True):
            channel.play(signal[start : start + block], controls, output[start : start + block])

    return play


def void(result: object) -> None:
    """Nothing, of anything."""


if __name__ == "__main__":
    main()
