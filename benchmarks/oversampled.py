"""What oversampling a trained net does to its aliases, its output and its cost.

    python benchmarks/oversampled.py runs/LSTM-.../best.ckpt

For every factor: the aliases of three sines at -6 dB re full scale, in dB re what is harmonic; the ESR of the output
against the net's own, on music, the latency removed; and the time of a block of 2048 samples re the net's, in torch.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from tapezoo.checkpoint import load_model
from tapezoo.devices.program import program_material
from tapezoo.measure.machine.aliasing import measure_aliasing
from tapezoo.measure.machine.machine import machine_of_net
from tapezoo.models.oversampled import oversampled
from tapezoo.net import Net


def main() -> None:
    """Prints one row per factor."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(options.checkpoint)
    controls = model.default_controls()
    music = np.concatenate([part.audio for part in program_material(10.0, model.sample_rate, seed=7)])
    nets = {factor: oversampled(model.net, factor) for factor in options.factors}
    machines = {
        factor: machine_of_net(net, "", model.sample_rate, controls[0].tolist())
        for factor, net in nets.items()
    }
    plain = machine_of_net(model.net, "", model.sample_rate, controls[0].tolist()).play_one(music)
    unit = _block_s(model.net, controls)
    for factor, machine in machines.items():
        aliased = measure_aliasing(machine)
        own = machine.play_one(music)[: len(plain) - 256]
        esr = np.square(own - plain[: len(own)]).sum() / np.square(plain[: len(own)]).sum()
        sines = ", ".join(
            f"{hz:.0f} Hz {db:.1f} dB"
            for hz, db in zip(aliased.frequency_hz, aliased.aliased_db, strict=True)
        )
        print(f"{factor}: aliases {sines}; ESR {esr:.1e}; time {_block_s(nets[factor], controls) / unit:.2f}")


def _block_s(net: Net, controls: torch.Tensor) -> float:
    """The least time of twenty."""
    block, state = torch.randn(1, 1, 2048), net.initial_state(controls)
    taken = []
    with torch.no_grad():
        for _ in range(20):
            start = time.perf_counter()
            net(block, controls, state)
            taken.append(time.perf_counter() - start)
    return min(taken)


if __name__ == "__main__":
    main()
