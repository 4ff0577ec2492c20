"""What preparing and training cost in memory: the peak over the imports, for recordings of any length.

python benchmarks/memory.py --minutes 60

writes a made-up pair of that length, 48 kHz mono, in blocks, and prints after each step the highest memory of
its own so far (pages of files, such as the cache's memory map, can be taken back by the system at any time and
are counted apart).
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile

from tapezoo.data import PairedAudio
from tapezoo.measure.floor import fit_floor

RATE_HZ = 48_000
BLOCK_SAMPLES = RATE_HZ * 10
SAMPLING_S = 0.01


class Peak(threading.Thread):
    """Watches the process's own memory."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.own_mb = 0.0

    def run(self) -> None:
        """Until the process ends."""
        while True:
            self.own_mb = max(self.own_mb, own_mb())
            time.sleep(SAMPLING_S)


def own_mb() -> float:
    """What belongs to the process alone and is not a page of a file."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not say RssAnon")


def write_pair(folder: Path, minutes: float) -> tuple[Path, Path]:
    """Bursts of noise with rests, and their saturated, delayed, slightly noisy copy."""
    rng = np.random.default_rng(0)
    dry_path, wet_path = folder / "dry.wav", folder / "wet.wav"
    late = np.zeros(480)
    with (
        soundfile.SoundFile(dry_path, "w", RATE_HZ, 1, "PCM_24") as dry_file,
        soundfile.SoundFile(wet_path, "w", RATE_HZ, 1, "PCM_24") as wet_file,
    ):
        for number in range(round(minutes * 60 * RATE_HZ / BLOCK_SAMPLES)):
            dry = 0.1 * rng.standard_normal(BLOCK_SAMPLES)
            dry[: (number % 3) * RATE_HZ] = 0
            through = np.concatenate([late, dry])
            late = through[-480:]
            wet = np.tanh(4 * through[:BLOCK_SAMPLES]) + 1e-4 * rng.standard_normal(BLOCK_SAMPLES)
            dry_file.write(dry)
            wet_file.write(0.4 * wet)
    return dry_path, wet_path


def main() -> None:
    """Prints a line per step."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--batches", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dry, wet = write_pair(Path(folder), options.minutes)
        before_mb, whole_before_mb = own_mb(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{options.minutes:g} min of 48 kHz mono; imports {whole_before_mb:.0f} MB, {before_mb:.0f} MB its own"
        )
        peak = Peak()
        peak.start()

        def say(step: str, started: float) -> None:
            peak.own_mb = max(peak.own_mb, own_mb())
            whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - whole_before_mb
            print(
                f"{step:12s} {peak.own_mb - before_mb:7.0f} MB of its own above the imports, "
                f"{whole:7.0f} MB with pages of files, {time.monotonic() - started:6.1f} s",
                flush=True,
            )

        started = time.monotonic()
        data = PairedAudio(
            str(dry), str(wet), cache_dir=str(Path(folder) / "cache"), batches_per_epoch=options.batches
        )
        data.setup("fit")
        say("prepare", started)
        started = time.monotonic()
        data.train_dataloader()
        for _ in data.train_dataloader():
            pass
        say("batches", started)
        started = time.monotonic()
        floor = fit_floor(data.split_arrays("train"))
        esr = floor.esr(data.split_arrays("val"), data.burn_in_samples)
        say("floor", started)
        started = time.monotonic()
        for _ in data.val_dataloader():
            pass
        say("validation", started)
        print(f"linear floor {esr:.9f}")
        for finding in data.findings:
            print(finding)


if __name__ == "__main__":
    main()
