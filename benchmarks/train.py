"""Audio-seconds per CPU-second of training, every architecture: the real loop against plain ones, in one run.

    python benchmarks/train.py                  every registered architecture at its default size
    python benchmarks/train.py LSTM WaveNet     these

All train on the same 64 rows of 1024 samples, one update per batch: forward, backward, Adam, one thread.

- textbook: the architecture as anyone would write it first, from torch.nn alone (LSTM, GRU, WaveNet, TCN, GCN, S4D);
- plain: tapezoo's own net in a bare loop with nothing else;
- tapezoo: Lightning, EffectModel and everything in between.

`malloc` is glibc's as it comes, or `kept`: with `keep_memory`, as the training command sets it (a process of
its own each). Rounds alternate; printed are medians of process CPU time, and ratios within the run. The share is of
what the core can do at most, measured between the rounds: a step is three passes, each two operations for every
weight of a matrix.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import torch
from ceiling import ceiling_gflops, flop_per_sample, processor
from lightning.pytorch import Callback, LightningDataModule, Trainer
from textbook import TEXTBOOK
from torch import Tensor, nn
from torch.utils.data import DataLoader

from tapezoo import models, registry
from tapezoo.cli.memory import keep_memory
from tapezoo.data.batch import Batch
from tapezoo.net import Net, UndescribableError
from tapezoo.training.effect import EffectModel

SAMPLE_RATE_HZ = 44100
LOOPS = ("textbook", "plain", "tapezoo")
Step = Callable[[], None]


def main() -> None:
    """Times every model and setting in child processes and prints one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", help="architectures; default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="CPU time per round and loop, about")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--child", choices=["as it comes", "kept"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options)))
        return
    print(f"{options.rows} x {options.samples} samples, one thread, median of {options.rounds} rounds")
    print(processor())
    heads = (
        f"{'':<18}{'malloc':<13}{'textbook':>10}{'plain':>10}{'tapezoo':>10}{'/plain':>8}{'/textbook':>11}"
    )
    print(f"{heads}{'share':>8}{'GFLOP/s':>9}")
    for name in options.models or [found.name for found in registry.registrations("models")]:
        for setting in ("as it comes", "kept"):
            speeds = in_child(name, setting, options)
            row = f"{name:<18}{setting:<13}"
            row += "".join(
                f"{statistics.median(speeds[loop]):>10.2f}" if speeds[loop] else f"{'':>10}" for loop in LOOPS
            )
            for loop, width in (("plain", 8), ("textbook", 11)):
                pairs = zip(speeds["tapezoo"], speeds[loop], strict=False)
                ratios = [ours / other for ours, other in pairs]
                row += f"{statistics.median(ratios):>{width}.2f}" if ratios else f"{'':>{width}}"
            if speeds["ceiling"]:
                row += (
                    f"{statistics.median(speeds['share']):>8.2f}{statistics.median(speeds['ceiling']):>9.0f}"
                )
            print(row, flush=True)


def in_child(name: str, setting: str, options: argparse.Namespace) -> dict[str, list[float]]:
    """The speeds of one model with one malloc, measured in a process of its own."""
    arguments = [name, "--child", setting]
    for option in ("rounds", "seconds", "rows", "samples"):
        arguments += [f"--{option}", str(getattr(options, option))]
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(options: argparse.Namespace) -> dict[str, list[float]]:
    """Audio-seconds per CPU-second by loop, one value per round."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if options.child == "kept":
        keep_memory()
    name, rows, samples = options.models[0], options.rows, options.samples
    torch.manual_seed(0)
    batch = make_batch(rows, samples)
    model = models.resolve(name)()
    loops = {"plain": plain_loop(bare(model.net, batch), model.net, batch)}
    if name in TEXTBOOK:
        net = TEXTBOOK[name]()
        loops["textbook"] = plain_loop(lambda: net(batch.input), net, batch)
    loops["plain"]()
    started = time.process_time()
    loops["plain"]()
    batches = max(1, round(options.seconds / (time.process_time() - started)))
    audio_seconds = batches * rows * samples / SAMPLE_RATE_HZ
    speeds: dict[str, list[float]] = {loop: [] for loop in (*LOOPS, "share", "ceiling")}
    asked = 3e-9 * flop_of(model.net) * SAMPLE_RATE_HZ  # per second of audio
    for round_number in range(options.rounds + 1):  # the first one warms up
        took = {loop: cpu_seconds(step, batches) for loop, step in loops.items()}
        took["tapezoo"] = real_loop(model, batch, batches)
        if round_number:
            for loop, seconds in took.items():
                speeds[loop].append(audio_seconds / seconds)
            if asked:
                speeds["ceiling"].append(ceiling_gflops())
                speeds["share"].append(asked * speeds["tapezoo"][-1] / speeds["ceiling"][-1])
    return speeds


def flop_of(net: Net) -> int:
    """Of a sample; 0 where the net cannot say what it is made of."""
    try:
        return flop_per_sample(net)
    except UndescribableError:
        return 0


def make_batch(rows: int, samples: int) -> Batch:
    """Noise; what it is does not matter to the time it takes."""
    input = 0.3 * torch.randn(rows, 1, samples)
    lengths = torch.full((rows,), samples)
    return Batch(input, torch.tanh(input), torch.zeros(rows, 0), lengths, [""] * rows)


def bare(net: Net, batch: Batch) -> Callable[[], Tensor]:
    """A pass of one of our nets from rest."""
    return lambda: net(batch.input, batch.controls, net.initial_state(batch.controls))[0]


def plain_loop(forward: Callable[[], Tensor], net: nn.Module, batch: Batch) -> Step:
    """Forward, ESR, backward, Adam, and nothing else."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)

    def step() -> None:
        output = forward()
        loss = (output - batch.target).square().sum() / batch.target.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


class Repeated(LightningDataModule):
    """The same batch, `batches` times."""

    def __init__(self, batch: Batch, batches: int) -> None:
        super().__init__()
        self.batch, self.batches = batch, batches

    def train_dataloader(self) -> DataLoader:
        """One epoch."""
        return DataLoader([self.batch] * self.batches, batch_size=None)


class Clock(Callback):
    """CPU time between the first and the last batch of an epoch, without Lightning's set-up."""

    def __init__(self) -> None:
        self.started = self.stopped = 0.0

    def on_train_epoch_start(self, *args) -> None:
        """Lightning's hook."""
        self.started = time.process_time()

    def on_train_epoch_end(self, *args) -> None:
        """Lightning's hook."""
        self.stopped = time.process_time()


def real_loop(model: EffectModel, batch: Batch, batches: int) -> float:
    """CPU seconds of one epoch of the real loop."""
    clock = Clock()
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[clock],
        log_every_n_steps=1,
    )
    trainer.fit(model, datamodule=Repeated(batch, batches))
    return clock.stopped - clock.started


def cpu_seconds(step: Step, times: int) -> float:
    """CPU time of `times` steps."""
    started = time.process_time()
    for _ in range(times):
        step()
    return time.process_time() - started


if __name__ == "__main__":
    main()
