"""How well a recipe does on recordings it never saw: every pair of a data set is left out in turn.

    python benchmarks/leave_one_out.py recipes/tape.yaml DATASET/pairs.yaml --out OUT [--jobs 2] [-- FIT ARGUMENTS]

Each training sees the other pairs, cut in time as without `split`, and is tested on the whole of the one it did not
see. OUT/NAME/ holds each run, OUT/NAME.wav what the model makes of the dry recording that was left out. The table has
the test ESR with the delay removed and with only its constant part taken off, and the linear floor of the same split.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml


def main() -> None:
    """Trains, tests, renders and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once")
    parser.add_argument(
        "--only", type=int, nargs="*", help="numbers of the pairs to leave out, from 1; default: all"
    )
    line = sys.argv[1:]
    end = line.index("--") if "--" in line else len(line)
    options = parser.parse_args(line[:end])
    options.overrides = line[end + 1 :]
    content = yaml.safe_load(options.pairs.read_text())
    pairs = content["pairs"] if isinstance(content, dict) else content
    chosen = [number - 1 for number in options.only or range(1, len(pairs) + 1)]
    options.out.mkdir(parents=True, exist_ok=True)

    def leave_out(left_out: int) -> dict[str, float]:
        return run_one(left_out, pairs, options)

    with ThreadPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(leave_out, chosen))
    figures = list(rows[0])
    width = max(len(name_of(pairs[number])) for number in chosen)
    print(f"{'left out':{width}s}  " + "  ".join(f"{figure:>22s}" for figure in figures))
    for number, row in zip(chosen, rows, strict=True):
        print(
            f"{name_of(pairs[number]):{width}s}  " + "  ".join(f"{row[figure]:22.5f}" for figure in figures)
        )
    for kind, summary in (("median", statistics.median), ("mean", statistics.mean)):
        print(f"{kind:{width}s}  " + "  ".join(f"{summary(row[f] for row in rows):22.5f}" for f in figures))


def run_one(left_out: int, pairs: list[dict], options: argparse.Namespace) -> dict[str, float]:
    """The figures of one training."""
    folder = options.pairs.resolve().parent
    entries = []
    for number, pair in enumerate(pairs):
        paths = {key: str(folder / pair[key]) for key in ("dry", "wet", "delay") if key in pair}
        kept = {key: value for key, value in pair.items() if key not in ("split", *paths)}
        entries.append({**paths, **kept, **({"split": "test"} if number == left_out else {})})
    name = name_of(pairs[left_out])
    listing = options.out / f"{name}.yaml"
    listing.write_text(yaml.safe_dump({"pairs": entries}))
    run = options.out / name
    command = [sys.executable, "-m", "tapezoo"]
    data = ["--data", "PairedAudio", "--data.pairs", str(listing)]
    recipe = ["--config", str(options.recipe), *data, "--trainer.logger", "false", *options.overrides]
    call([*command, "fit", *recipe, "--run_dir", str(run)], run.with_suffix(".log"))
    best = str(run / "best.ckpt")
    call(
        [
            *command,
            "test",
            "--config",
            str(run / "config.yaml"),
            "--ckpt_path",
            best,
            "--trainer.logger",
            "false",
        ],
        run.with_suffix(".log"),
    )
    dry = entries[left_out]["dry"]
    call(
        [*command, "render", best, dry, str(run.with_suffix(".wav")), "--overwrite"], run.with_suffix(".log")
    )
    with (run / "report" / "test_clips.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    own = next(row for row in table if Path(pairs[left_out]["wet"]).name in next(iter(row.values())))
    return {key: float(value) for key, value in own.items() if is_figure(value)}


def name_of(pair: dict) -> str:
    """What its files are called after."""
    return Path(pair["wet"]).stem


def is_figure(text: str) -> bool:
    """Whether a cell of a table is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def call(command: list[str], log: Path) -> None:
    """Runs a command; what it says goes to a file, whose end is shown where it fails."""
    with log.open("a") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()[-2000:]}")


if __name__ == "__main__":
    main()
