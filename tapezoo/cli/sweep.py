"""`tapezoo sweep CHECKPOINT --out DIR`: how a model sounds between its settings, and while they move."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tapezoo.errors import TapezooError, UsageError

LEAST_S, MOST_S = 2.0, 600.0
EPILOG = """
Writes sweeps.csv (energy that a moving control adds outside the band of either end, at 0.05, 0.5 and 5 Hz),
blends.csv (finiteness, loudness between the neighbours', energy where no neighbour has any, smoothness of the way
there), WAV files of every blend and modulation, and pictures. Positions are 0..1 in the model's order of controls.
Three controls are taken for a choice among three effects.
"""


class NoControlsError(TapezooError):
    """A model without controls has nothing to sweep."""


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("sweep", help="measure and draw blends and moving controls", epilog=EPILOG)
    parser.add_argument("checkpoint", type=Path, help="a checkpoint, or the folder of a run (its best.ckpt)")
    parser.add_argument("--out", type=Path, required=True, help="folder of tables, sounds and pictures")
    parser.add_argument("--audio", type=Path, help="music to play (default: built-in music)")
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="of every modulation (default: 20, a period of 0.05 Hz)"
    )
    parser.add_argument(
        "--at",
        action="append",
        default=[],
        metavar="POSITIONS",
        help="one more blend, such as 0.3,0.8,0.5; may be repeated",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a folder that this verb wrote")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Plays, measures, draws, and shows the tables."""
    import torch

    from tapezoo.checkpoint import best_checkpoint, load_model
    from tapezoo.measure.blends import blends_of
    from tapezoo.screen import Screen
    from tapezoo.staging import staged_folder
    from tapezoo.sweep import run as sweep
    from tapezoo.sweep.files import BLENDS_CSV, SWEEPS_CSV
    from tapezoo.sweep.sounds import music_of

    torch.set_num_threads(1)  # small nets in small blocks: a second thread only waits
    if not LEAST_S <= options.seconds <= MOST_S:
        raise UsageError("tapezoo sweep", f"--seconds {options.seconds:g}; {LEAST_S:g} to {MOST_S:g}")
    path = best_checkpoint(options.checkpoint)
    model = load_model(path)
    if not model.controls:
        raise NoControlsError(
            str(path),
            found="a model without controls",
            expected="one with at least one control",
            fix="Train with controls; `tapezoo render` plays a model without.",
        )
    names = [control.name for control in model.controls]
    blends = blends_of(len(names), [_positions(text, names) for text in options.at])
    console = Screen()
    with (
        console.status("sweeping") as status,
        staged_folder(options.out, options.overwrite, sweep.is_sweep, "folder of a sweep") as folder,
    ):
        music = music_of(options.audio, options.seconds, model.sample_rate)
        tables = sweep.sweep_into(
            folder, model.net, model.sample_rate, model.controls, blends, music, status.update
        )
    for table in tables:
        console.print(table)
    console.say(f"{options.out}: {SWEEPS_CSV}, {BLENDS_CSV}, sounds and pictures")
    return 0


def _positions(text: str, names: list[str]) -> tuple[float, ...]:
    expected = f"{len(names)} positions in 0..1 with commas between, in the order {', '.join(names)}"
    try:
        positions = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError("tapezoo sweep", f"--at {text}, which is not {expected}") from error
    if len(positions) != len(names) or not all(0 <= position <= 1 for position in positions):
        raise UsageError("tapezoo sweep", f"--at {text}, which is not {expected}")
    return positions
