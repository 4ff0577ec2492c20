"""Null test of a bundle: an hour in blocks of any length, controls turned, against the same in long blocks.

    python benchmarks/null.py BUNDLE                         every engine of the bundle against itself
    python benchmarks/null.py BUNDLE --minutes 10 --engine kernel --reference onnx

Prints, for every ten minutes of audio, the largest difference and its RMS in dB relative to the output's; a drift
would grow from row to row. Made-up audio; one thread. MB is the peak of the process, which comes to rest too.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

from tapezoo.bundle import read_manifest
from tapezoo.runtime.bench import playable_engines
from tapezoo.runtime.divergence import null_test

REPORT_MINUTES = 10


def main() -> None:
    """Prints one table per engine."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0, help="of audio (default 60)")
    parser.add_argument("--engine", help="default: every engine of the bundle, one after another")
    parser.add_argument("--reference", help="engine that plays the long blocks (default: the same)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    manifest = read_manifest(options.bundle)
    minute = 60 * manifest.sample_rate
    report = round(min(REPORT_MINUTES, max(options.minutes / 6, 0.01)) * minute)
    for engine in [options.engine] if options.engine else playable_engines(manifest):
        print(
            f"\n{engine} against {options.reference or engine}, {manifest.architecture}, seed {options.seed}"
        )
        print(
            f"{'minutes':>9}{'blocks':>10}{'changes':>9}{'max error':>12}{'error dB':>10}{'MB':>7}{'CPU s':>8}"
        )
        started = time.process_time()
        for row in null_test(
            options.bundle,
            round(options.minutes * minute),
            report,
            engine,
            options.reference,
            options.seed,
        ):
            megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{row.end_samples / minute:>9.1f}{row.blocks:>10}{row.changes:>9}{row.max_abs_error:>12.2e}"
                f"{row.error_db:>10.1f}{megabytes:>7.0f}{time.process_time() - started:>8.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
