"""Audio-seconds per CPU-second of training: the real loop against a plain nn.LSTM loop, in one run.

    python benchmarks/train.py [--rounds 7] [--batches 60]

Both loops train LSTM-32 on 64 rows of 1024 samples, one update per batch: forward, backward, Adam, one
thread. The plain loop has nothing else; the real one is Lightning, EffectModel and everything in between,
with the same loss. Each is timed with glibc's malloc as it comes and with `keep_memory` (a process of its
own per setting). Rounds alternate; printed are medians of process CPU time, and ratios within the run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings

import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch.utils.data import DataLoader

from tapezoo.batch import Batch
from tapezoo.cli.memory import keep_memory
from tapezoo.models.lstm import LSTM

SAMPLE_RATE_HZ = 44100
ROWS, SAMPLES, HIDDEN_SIZE = 64, 1024, 32


def main() -> None:
    """Times both settings in child processes and prints one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batches", type=int, default=60, help="per round and loop")
    parser.add_argument("--child", choices=["default", "kept"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options)))
        return
    print(f"LSTM-{HIDDEN_SIZE}, {ROWS} x {SAMPLES} samples, one thread, {options.rounds} rounds")
    print(
        f"{'malloc':<10}{'plain loop':>12}{'tapezoo':>12}{'tapezoo/plain':>16}   audio-seconds per CPU-second"
    )
    for setting in ("default", "kept"):
        arguments = ["--child", setting, "--rounds", str(options.rounds), "--batches", str(options.batches)]
        done = subprocess.run(
            [sys.executable, __file__, *arguments], check=True, capture_output=True, text=True
        )
        plain, ours = json.loads(done.stdout.splitlines()[-1])
        ratio = statistics.median(b / a for a, b in zip(plain, ours, strict=True))
        print(f"{setting:<10}{statistics.median(plain):>12.1f}{statistics.median(ours):>12.1f}{ratio:>16.2f}")


def measure(options: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Audio-seconds per CPU-second of the plain and the real loop, one value per round."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if options.child == "kept":
        keep_memory()
    batch = make_batch()
    plain_step, model = plain_loop(batch), LSTM(hidden_size=HIDDEN_SIZE)
    plain, ours = [], []
    for round_number in range(options.rounds + 1):  # the first one warms up
        plain.append(rate(lambda: [plain_step() for _ in range(options.batches)], options.batches))
        ours.append(real_loop(model, batch, options.batches))
        if round_number == 0:
            plain, ours = [], []
    return plain, ours


def make_batch() -> Batch:
    """Noise; what it is does not matter to the time it takes."""
    input = 0.3 * torch.randn(ROWS, 1, SAMPLES)
    lengths = torch.full((ROWS,), SAMPLES)
    return Batch(input, torch.tanh(input), torch.zeros(ROWS, 0), lengths, [""] * ROWS)


def plain_loop(batch: Batch):
    """What anyone would write first: nn.LSTM, a linear layer, the input added, Adam."""
    lstm, head = torch.nn.LSTM(1, HIDDEN_SIZE, batch_first=True), torch.nn.Linear(HIDDEN_SIZE, 1)
    optimizer = torch.optim.Adam([*lstm.parameters(), *head.parameters()], lr=1e-3)
    input, target = batch.input.transpose(1, 2), batch.target.transpose(1, 2)

    def step() -> None:
        output = head(lstm(input)[0]) + input
        loss = (output - target).square().mean() / target.square().mean()
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


class Clock:
    """CPU time between the first and the last batch of an epoch, without Lightning's set-up."""

    def __init__(self) -> None:
        self.started = self.stopped = 0.0


def real_loop(model: LSTM, batch: Batch, batches: int) -> float:
    """One epoch of the real loop."""
    from lightning.pytorch import Callback

    clock = Clock()

    class Timer(Callback):
        def on_train_epoch_start(self, *args) -> None:
            clock.started = time.process_time()

        def on_train_epoch_end(self, *args) -> None:
            clock.stopped = time.process_time()

    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Timer()],
        log_every_n_steps=1,
    )
    trainer.fit(model, datamodule=Repeated(batch, batches))
    return ROWS * SAMPLES * batches / SAMPLE_RATE_HZ / (clock.stopped - clock.started)


def rate(work, batches: int) -> float:
    """Audio-seconds per CPU-second of `work`."""
    started = time.process_time()
    work()
    return ROWS * SAMPLES * batches / SAMPLE_RATE_HZ / (time.process_time() - started)


if __name__ == "__main__":
    main()
