"""Times real time of the solvers of hysteresis, and how far each is from the equation.

    python benchmarks/hysteresis.py                       at 48 kHz, drive, saturation and bias in the middle
    python benchmarks/hysteresis.py --points 200          as many settings at once, all over the cube
    python benchmarks/hysteresis.py --sample_rate 96000 --at 1 1 0
    python benchmarks/hysteresis.py --block_samples 64    as a plug-in is called: beside benchmarks/stream.py STN

One thread, CPU time, programme material in float64; every solver is compiled the same way (`tapezoo.compiled`). Rounds
go through all solvers in turn; printed are medians, and the ratio of speeds to NR8 in the same rounds. "NR8, all eight"
never stops early, as the published plug-in does; NR4 and NR8 stop where M no longer moves. ESR is against the device
at 32 times the rate, integrated along the field: the equation's own solution, without aliases. With --points, the
speeds are of all points together (seconds of one point's sound per second).

AMD EPYC (AVX2), 48 kHz, drive, saturation and bias 0.5, and in brackets 1, 1, 0:

    solver          x real time  over NR8            ESR
    field             171         1.6 (1.3)  .0043 (.017)
    RK2               182         1.7 (1.4)  .014  (.029)
    RK4                92         .87 (.70)  .0017 (.0047)
    NR4               103         .99 (1.0)  .0022 (.021)
    NR8               105         1.0 (1.0)  .0022 (.021)
    NR8, all eight     36         .35 (.27)  .0022 (.021)
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from numpy.typing import NDArray

from tapezoo.devices import program_material
from tapezoo.devices.hysteresis import Hysteresis, tape_at
from tapezoo.devices.solver import Solver, constants, demagnetised
from tapezoo.devices.solvers import SOLVERS
from tapezoo.devices.time_solvers import Newton

AGAINST = "NR8"
OVERSAMPLING = 32


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sample_rate", type=int, default=48_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--points", type=int, default=1)
    parser.add_argument("--at", type=float, nargs=3, default=[0.5, 0.5, 0.5], help="drive, saturation, bias")
    parser.add_argument("--block_samples", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rate = options.sample_rate
    signal = np.concatenate([excerpt.audio for excerpt in program_material(options.seconds, rate, 0)])
    field = signal.astype(np.float64)[None]
    points = np.array([options.at])
    if options.points > 1:
        points = np.random.default_rng(0).uniform(size=(options.points, 3))
    tapes = constants([tape_at(*point) for point in points])
    solvers: dict[str, Solver] = {**SOLVERS, "NR8, all eight": Newton(8, tolerance=-1.0)}
    speeds: dict[str, list[float]] = {name: [] for name in solvers}
    for name in solvers:
        play(solvers[name], field[:, :100], tapes, rate, options.block_samples)
    for _ in range(options.rounds):
        for name, solver in solvers.items():
            began = time.process_time()
            play(solver, field, tapes, rate, options.block_samples)
            speeds[name].append(len(tapes) * field.size / rate / (time.process_time() - began))
    print(f"{field.size / rate:.1f} s at {rate} Hz, {len(tapes)} points, first {points[0].round(3).tolist()}")
    print(f"{'solver':<16}{'x real time':>14}{f'over {AGAINST}':>14}{'ESR':>12}")
    settings = dict(zip(("drive", "saturation", "bias"), points[0], strict=True))
    truth = Hysteresis(solver="field", oversampling=OVERSAMPLING).render(signal, rate, settings, 0)
    for name, solver in solvers.items():
        ratio = statistics.median(
            ours / theirs for ours, theirs in zip(speeds[name], speeds[AGAINST], strict=True)
        )
        found = solver.solve(field, demagnetised(1, 1), tapes[:1], rate)[0][0]
        error = float(np.sum((found - truth) ** 2) / np.sum(truth.astype(np.float64) ** 2))
        print(f"{name:<16}{statistics.median(speeds[name]):>14.1f}{ratio:>14.2f}{error:>12.2g}")


def play(
    solver: Solver, field: NDArray[np.float64], tapes: NDArray[np.float64], sample_rate: int, block: int
) -> None:
    """The field in blocks, as a player has it."""
    state = demagnetised(1, len(tapes))
    for start in range(0, field.shape[1], block):
        _, state = solver.solve(field[:, start : start + block], state, tapes, sample_rate)


if __name__ == "__main__":
    main()
