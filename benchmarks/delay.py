"""How well a wandering delay is found from the music alone, on recordings with a pilot beside it.

    python benchmarks/delay.py DRY.wav WET.wav TRAJECTORY.csv [DRY WET TRAJECTORY ...] [--around 7070]

TRAJECTORY.csv holds what the pilot says (`time_s,delay_samples`; akai4000d's files read as they are). Printed per
recording: root mean square between the two trajectories, over all and where the music's own says it is sure, without
their mean; and what the best causal 257-tap filter leaves of wet, with dry read along the constant delay, the pilot's
trajectory and the music's, each with 32 samples of room: fitted to all of it and, in brackets, to the other four
fifths.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
import scipy.signal

from tapezoo.data.align.constant import find_delay
from tapezoo.data.align.track import track_delay
from tapezoo.data.align.trajectory_csv import read_trajectory
from tapezoo.data.audio import read_audio, read_header
from tapezoo.data.least_squares import least_squares_fir
from tapezoo.devices.transport import read_delayed

TAPS, ROOM, FOLDS = 257, 32, 5


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="DRY WET TRAJECTORY")
    parser.add_argument("--around", type=float, help="constant delay in samples, else found")
    options = parser.parse_args()
    print("| recording | rms | rms where sure | sure | constant | pilot | music | s |")
    print("|---|---|---|---|---|---|---|---|")
    for dry_path, wet_path, pilot_path in zip(*[iter(options.files)] * 3, strict=True):
        rate = read_header(wet_path).sample_rate
        dry, wet = (read_audio(path)[0].astype(np.float64) for path in (dry_path, wet_path))
        around = options.around or find_delay(dry, wet, round(0.6 * rate)).delay_samples
        began = time.process_time()
        found = track_delay(dry, wet, rate, around)
        seconds = time.process_time() - began
        if found is None:
            print(f"| {dry_path.stem} | stands still | | | | | | {seconds:.1f} |")
            continue
        truth = read_trajectory(pilot_path, rate).at(0, len(wet))
        # where dry has reached the tape
        heard = slice(int(max(0, around)) + rate // 20, len(wet) - rate // 20)
        curve = found.at(0, len(wet))
        sure = np.interp(np.arange(len(wet)) / rate, found.times_s, found.confidence)[heard] > 0.5
        apart = (curve - truth)[heard]
        cells = [
            f"{apart.std():.3f}",
            f"{apart[sure].std():.3f}" if sure.any() else "",
            f"{sure.mean():.0%}",
            *(
                _error(dry, wet, delay, heard)
                for delay in (np.full(len(wet), np.median(curve)), truth, curve)
            ),
            f"{seconds:.1f}",
        ]
        print(f"| {dry_path.stem} | " + " | ".join(cells) + " |", flush=True)


def _error(dry: np.ndarray, wet: np.ndarray, delay: np.ndarray, heard: slice) -> str:
    x = read_delayed(dry, delay - ROOM)[heard]
    y = wet[heard]

    def left(outside: list[slice], inside: slice) -> float:
        pairs = [(x[part].astype(np.float32), y[part].astype(np.float32)) for part in outside]
        fitted = least_squares_fir([pair for pair in pairs if len(pair[0]) > TAPS], TAPS)
        model = scipy.signal.oaconvolve(x, fitted.taps)[: len(x)] + fitted.offset
        return float(np.sum((y - model)[inside] ** 2))

    energy = float(np.sum(y**2))
    edges = np.linspace(0, len(x), FOLDS + 1).astype(int)
    others = sum(
        left([slice(0, low), slice(high, len(x))], slice(low, high))
        for low, high in itertools.pairwise(edges)
    )
    whole = slice(0, len(x))
    return f"{left([whole], whole) / energy:.4f} ({others / energy:.4f})"


if __name__ == "__main__":
    main()
