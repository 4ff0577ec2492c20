"""The bundles in `tapezoo/bundles`, made anew: each is trained by a shipped recipe and exported.

    python benchmarks/shipped_bundles.py                      all of them, half an hour on one core
    python benchmarks/shipped_bundles.py tape --runs FOLDER   one; FOLDER/tape is used if that recipe was trained there

Golden audio is as short as an export takes it, so that a bundle stays small; quality was measured by the training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import yaml

import tapezoo
from tapezoo.checkpoint import load_model, read_checkpoint
from tapezoo.cli import main as tapezoo_command
from tapezoo.cli import training
from tapezoo.cli.shipped_recipes import shipped_recipe
from tapezoo.export import export_bundle, load_targets
from tapezoo.export.golden import LEAST_SAMPLES
from tapezoo.export.trained import programme
from tapezoo.jobs.settings import differences
from tapezoo.run_files import BEST, CONFIG

RECIPES = {"tape": "lstm", "preamp": "hybrid/best-p", "hybrid": "hybrid/best-ctp"}
TARGETS = ("onnx", "kernel")  # the second where it can express the net
MOST_BYTES = 300_000  # what a bundle may add to the wheel


def trained(name: str, run: Path) -> Path:
    """The best checkpoint of the bundle's recipe, trained in `run` if it was not yet."""
    _, recipe = shipped_recipe(RECIPES[name])
    if not (run / BEST).is_file():
        line = ["fit", "--config", str(recipe), "--run_dir", str(run), "--trainer.logger", "false"]
        if code := tapezoo_command(line):
            raise SystemExit(code)
    done = yaml.safe_load((run / CONFIG).read_text(encoding="utf-8"))
    if changed := differences(done, training.resolved_recipe(recipe, [])):
        raise SystemExit(f"{run} is another training than {recipe}: {'; '.join(changed)}")
    return run / BEST


def export(name: str, checkpoint: Path, out: Path) -> None:
    """Writes the bundle, with the recipe in its provenance and so on its card."""
    model, own = load_model(checkpoint), read_checkpoint(checkpoint)["tapezoo"]
    audio = programme(model.sample_rate)
    loudest = int(np.argmax(np.abs(audio[: model.sample_rate])))  # of the music; golden audio begins near it
    origin = {"recipe": RECIPES[name], "made_by": f"python benchmarks/shipped_bundles.py {name}"}
    export_bundle(
        model.net,
        architecture=own["architecture"],
        sample_rate=model.sample_rate,
        controls=model.controls,
        out=out,
        # of 12 bits: enough to compare players with, and packed into half the space
        audio=np.rint(audio[loudest : loudest + LEAST_SAMPLES] * 2**11).astype(np.float32) / 2**11,
        metrics=own["metrics"],
        provenance={**origin, **own["provenance"]},
        overwrite=True,
        targets=[target for target in load_targets(TARGETS) if not target.refusal(model.net)],
    )


def main() -> None:
    """Prints a line per bundle: its size, and what its training reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RECIPES)} (default: all)")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/shipped"), help="where the trainings are kept"
    )
    parser.add_argument("--out", type=Path, default=Path(tapezoo.__file__).parent / "bundles")
    options = parser.parse_args()
    for name in options.names or RECIPES:
        if name not in RECIPES:
            parser.error(f"{name} is none of {', '.join(RECIPES)}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or RECIPES:
        checkpoint = trained(name, options.runs / name)
        export(name, checkpoint, options.out / name)
        size = sum(path.stat().st_size for path in (options.out / name).rglob("*") if path.is_file())
        reached = read_checkpoint(checkpoint)["tapezoo"]["metrics"]["val_esr"]
        print(f"{name}: {size} bytes of at most {MOST_BYTES}, recipe {RECIPES[name]}, val_esr {reached:.5f}")
        if size > MOST_BYTES:
            raise SystemExit(f"{name} is too large for the wheel")


if __name__ == "__main__":
    main()
