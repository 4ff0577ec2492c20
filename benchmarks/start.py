"""What commands cost before and beside their work, and what their libraries cost: CPU seconds of whole processes.

    python benchmarks/start.py                    every line, three times, medians
    python benchmarks/start.py --rounds 5 fit render

`import` lines are plain imports in a process of its own, beginning with Python itself: the parts of every command that
needs these libraries. `fit` ends as its first step begins; `push` writes to a database of its own. Children count.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from lightning.pytorch import Callback

RECIPE = Path(__file__).parent.parent / "recipes" / "lstm.yaml"
IMPORTS = {
    "import torch": "import torch",
    "import lightning": "from tapezoo.cli.lean import import_lightning; import_lightning()",
    "import mlflow": "import mlflow",
    "import onnxruntime": "import onnxruntime",
    "import scipy.signal": "import scipy.signal",
}


FIRST_STEP = ("--trainer.callbacks+", "start.EndAtFirstStep", "--allow-import", "start")


class EndAtFirstStep(Callback):
    """Ends the process where the first step would begin."""

    def on_train_batch_start(self, *arguments: object) -> None:
        """Without anything that is done at the end of a training."""
        os._exit(0)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lines", nargs="*", metavar="LINE", help="default: all")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        lines = {
            **{name: lambda code=code: _python("-c", code) for name, code in IMPORTS.items()},
            **_verbs(Path(place)),
        }
        if unknown := set(options.lines) - set(lines):
            parser.error(f"no line {', '.join(sorted(unknown))}; there are {', '.join(lines)}")
        print(
            f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, {options.rounds} rounds"
        )
        print(f"{'':<22}{'CPU s':>8}{'least':>8}{'most':>8}")
        for name in options.lines or lines:
            spent = [_spent(lines[name]) for _ in range(options.rounds)]
            print(
                f"{name:<22}{statistics.median(spent):>8.1f}{min(spent):>8.1f}{max(spent):>8.1f}", flush=True
            )


def _verbs(folder: Path) -> dict[str, Callable[[], None]]:
    """Commands on a net that is trained for one update, which costs every verb as much as a good one."""
    rate = 44_100
    dry = 0.3 * np.random.default_rng(0).standard_normal(60 * rate)
    soundfile.write(folder / "minute.wav", dry, rate)
    run, bundle = folder / "run", folder / "bundle"

    def fit_one() -> None:
        if not run.exists():
            short = ("--data.seconds", 20, "--data.batches_per_epoch", 2, "--trainer.max_epochs", 1)
            _tapezoo(folder, "fit", "--config", RECIPE, "--run_dir", run, *short)

    def export() -> None:
        fit_one()
        _tapezoo(folder, "export", run, "--out", bundle, "--overwrite")

    def on_bundle(*arguments: object) -> Callable[[], None]:
        def command() -> None:
            _tapezoo(folder, *arguments)

        return command

    fit_one()
    export()
    return {
        "fit": on_bundle("fit", "--config", RECIPE, *FIRST_STEP),
        "export": export,
        "verify": on_bundle("verify", bundle),
        "render": on_bundle("render", bundle, folder / "minute.wav", folder / "out.wav", "--overwrite"),
        "push": on_bundle("push", bundle, "--name", "start"),
        "runs": on_bundle("runs"),
    }  # fmt: skip


def _tapezoo(folder: Path, *arguments: object) -> None:
    _python("-m", "tapezoo", *map(str, arguments), folder=folder)


def _python(*arguments: str, folder: Path | None = None) -> None:
    places = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places)), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}\n{done.stderr}")


def _spent(command: Callable[[], None]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
