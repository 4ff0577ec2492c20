"""`tapezoo sweep CHECKPOINT --out DIR`: how a model sounds between its settings, and while they move."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapezoo.errors import ArgumentsError

if TYPE_CHECKING:
    from tapezoo.measure.roles import Roles

LEAST_S, MOST_S = 2.0, 600.0
EPILOG = """
Writes sweeps.csv (energy that a moving control adds outside the band of both of its ends, at 0.05, 0.5 and 5 Hz),
blends.csv (whether each blend is finite, lies between its neighbours in loudness, has energy where neither neighbour
has any, and is reached smoothly), WAV files of every blend and modulation, and pictures. Positions are 0..1, in the
model's order of controls. Controls that choose a machine are swept from machine to machine; knobs are swept from end to
end, with their own machine selected. The checkpoint says which controls choose machines; if it does not, the assumption
is printed.
"""


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("sweep", help="measure and plot blends and moving controls", epilog=EPILOG)
    parser.add_argument("checkpoint", type=Path, help="a checkpoint, or the folder of a run (its best.ckpt)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables, sounds and pictures")
    parser.add_argument("--audio", type=Path, help="music to play (default: built-in music)")
    parser.add_argument(
        "--seconds",
        type=float,
        default=20.0,
        help="length of every modulation (default: 20, one period at 0.05 Hz)",
    )
    parser.add_argument(
        "--at",
        action="append",
        default=[],
        metavar="POSITIONS",
        help="an additional blend, such as 0.3,0.8,0.5; may be repeated",
    )
    parser.add_argument(
        "--switches",
        metavar="NAMES",
        help="controls that choose a machine, separated by commas; '' for none (default: as the checkpoint says)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a folder that tapezoo sweep wrote")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Plays, measures, draws, and shows the tables."""
    from tapezoo.cli.lean import import_lightning
    from tapezoo.run_files import best_checkpoint, check_present

    if not LEAST_S <= options.seconds <= MOST_S:
        raise ArgumentsError("tapezoo sweep", f"--seconds {options.seconds:g}; {LEAST_S:g} to {MOST_S:g}")
    path = best_checkpoint(options.checkpoint)
    check_present(path)
    import_lightning()
    import torch

    from tapezoo.checkpoint import load_model, read_checkpoint
    from tapezoo.measure.blends import choose_blends
    from tapezoo.measure.roles import find_roles
    from tapezoo.report.tables import screen_table
    from tapezoo.screen import Screen
    from tapezoo.staging import staged_folder
    from tapezoo.sweep import run as sweep
    from tapezoo.sweep.sounds import SweepError, read_music
    from tapezoo.tracking.pictures import log_pictures

    torch.set_num_threads(1)  # small nets in small blocks: a second thread only waits
    model = load_model(path)
    if not model.controls:
        raise SweepError(
            str(path),
            found="a model without controls",
            expected="a model with at least one control",
            fix="Train with controls; `tapezoo render` plays a model without controls.",
        )
    console = Screen()
    roles, is_told = find_roles(model.controls)
    if options.switches is not None:
        roles = _read_switches(options.switches, roles.names)
    elif not is_told:
        taken = [roles.names[number] for number in roles.switches]
        what = f"{', '.join(taken)} for the choice of the machine" if taken else "all controls for knobs"
        console.say(
            f"{path} does not say which controls choose among machines: taking {what}; --switches says otherwise"
        )
    blends = choose_blends(roles, [_read_positions(text, roles.names) for text in options.at])
    with (
        console.status("sweeping") as status,
        staged_folder(options.out, options.overwrite, sweep.is_sweep, "folder of a sweep") as folder,
    ):
        music = read_music(options.audio, options.seconds, model.sample_rate)
        tables = sweep.sweep_into(folder, model.net, model.sample_rate, roles, blends, music, status.update)
    swept = read_checkpoint(path)["tapezoo"]["provenance"]
    log_pictures(swept.get("run_id"), options.out, "**/*.png", "sweep")
    for table in tables:
        console.print(screen_table(table, gap=0))
    console.say(f"{options.out}: {sweep.SWEEPS_CSV}, {sweep.BLENDS_CSV}, sounds and pictures")
    return 0


def _read_switches(text: str, names: Sequence[str]) -> Roles:
    from tapezoo.measure.roles import Roles

    switches = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in switches if name not in names]:
        raise ArgumentsError("tapezoo sweep", f"--switches {unknown[0]}, which is none of {', '.join(names)}")
    return Roles(tuple(names), tuple(number for number, name in enumerate(names) if name in switches))


def _read_positions(text: str, names: Sequence[str]) -> tuple[float, ...]:
    expected = f"{len(names)} positions in 0..1 with commas between, in the order {', '.join(names)}"
    try:
        positions = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ArgumentsError("tapezoo sweep", f"--at {text}, which is not {expected}") from error
    if len(positions) != len(names) or not all(0 <= position <= 1 for position in positions):
        raise ArgumentsError("tapezoo sweep", f"--at {text}, which is not {expected}")
    return positions
