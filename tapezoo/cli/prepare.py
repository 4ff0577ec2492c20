"""`tapezoo prepare DRY WET ... --out DATASET`: from recordings to a data set and a verdict."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapezoo.errors import ArgumentsError

if TYPE_CHECKING:
    from tapezoo.data.pairs import PairsFile
    from tapezoo.recordings.preparation import Preparation
    from tapezoo.recordings.recording import Recording, Wishes

COMMAND = "tapezoo prepare"
EXIT_NOT_USABLE = 2
EPILOG = """
Detects and removes the delay of every wet, constant or wandering; corrects polarity and DC offset; trims digital
silence at both ends; resamples to one sample rate; chooses the splits; and measures noise, hum, clipping, dropouts,
levels and the error of a linear filter. The verdict is good, usable or not usable, with reasons. Nothing is
normalised, because the level matters to what the machine does. The data set is written unless a recording is not
usable; then every fault is listed and the exit code is 2. To train on it: tapezoo fit --config lstm --data PairedAudio
--data.pairs DATASET/pairs.yaml
"""


class _NotUsable(Exception):
    """Ends the writing of a data set that is not to be used."""


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "prepare", help="make a data set from recordings and judge their quality", epilog=EPILOG
    )
    parser.add_argument(
        "files",
        type=Path,
        nargs="*",
        metavar="DRY WET",
        help="input and output of the machine; any number of pairs, of any sample rate, format and length",
    )
    parser.add_argument(
        "--pairs",
        type=Path,
        metavar="FILE",
        help="a pairs file (YAML or CSV) instead; its controls, splits and held_out are kept",
    )
    parser.add_argument("--out", type=Path, metavar="DATASET", help="folder of the data set")
    parser.add_argument("--check", action="store_true", help="print the report and write nothing")
    parser.add_argument(
        "--sample-rate",
        type=int,
        metavar="HZ",
        help="sample rate of the data set; files at other rates are resampled (default: the most common rate)",
    )
    parser.add_argument("--dry-channel", type=int, metavar="N", help="channel of dry to use, counted from 1")
    parser.add_argument("--wet-channel", type=int, metavar="N", help="channel of wet to use, counted from 1")
    parser.add_argument(
        "--keep-polarity", action="store_true", help="do not correct a wet that is inverted against dry"
    )
    parser.add_argument(
        "--pilot",
        type=Path,
        nargs=2,
        action="append",
        default=[],
        metavar=("DRYPILOT", "WETPILOT"),
        help="separate files of a pulse train or tone that was recorded along with the music; give the option once per "
        "pair, in their order. A pilot in the second channel of a pair is recognised without it",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a data set that tapezoo prepare wrote"
    )
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Prepares, writes, and says what was found; 2 where it is not usable."""
    if options.out is None and not options.check:
        raise ArgumentsError(
            COMMAND, "no --out; name the folder of the data set, or pass --check to write nothing"
        )
    from tapezoo.recordings.recording import Wishes

    recordings, file = _recordings(options)
    wishes = Wishes(
        sample_rate=_rate(options.sample_rate),
        keep_polarity=options.keep_polarity,
        dry_channel=options.dry_channel,
        wet_channel=options.wet_channel,
    )
    missing = [str(path) for path in options.files if not path.exists()]
    if missing and len(options.files) == 2:  # of several pairs all faults are listed
        raise ArgumentsError(COMMAND, f"no file {', '.join(missing)}")
    # what follows brings torch
    from tapezoo.cache_folder import cache_root
    from tapezoo.recordings.session import prepare
    from tapezoo.report.preparation import preparation_lines
    from tapezoo.screen import Screen

    console = Screen()
    with console.status("preparing") as status:
        if options.check:
            preparation = prepare(recordings, file, wishes, None, cache_root(None), status.update)
        else:
            preparation = _write(options, recordings, file, wishes, status.update)
    console.say(*preparation_lines(preparation))
    is_usable = preparation.verdict != "not usable"
    if options.check:
        console.say("nothing was written (--check)")
    elif is_usable:
        console.say(*_next_steps(options.out, preparation))
    else:
        console.say(f"{options.out}: not written")
    return 0 if is_usable else EXIT_NOT_USABLE


def _write(
    options: argparse.Namespace,
    recordings: Sequence[Recording],
    file: PairsFile,
    wishes: Wishes,
    progress: Callable[[str], None],
) -> Preparation:
    """Fills the folder, pictures and all; leaves nothing there if the recordings are not usable."""
    from tapezoo.cache_folder import cache_root
    from tapezoo.recordings.dataset import is_dataset, write_documents
    from tapezoo.recordings.session import prepare
    from tapezoo.report.html.dataset_page import write_dataset_page
    from tapezoo.report.preparation import draw_preparation
    from tapezoo.staging import staged_folder

    preparation = None
    try:
        with staged_folder(
            options.out, options.overwrite, is_dataset, "data set of tapezoo prepare"
        ) as folder:
            preparation = prepare(recordings, file, wishes, folder, cache_root(None), progress)
            if preparation.verdict == "not usable":
                raise _NotUsable
            progress("drawing")
            write_documents(folder, preparation)
            draw_preparation(preparation, folder)
            write_dataset_page(folder)
    except _NotUsable:
        pass
    assert preparation is not None
    return preparation


def _recordings(options: argparse.Namespace) -> tuple[list[Recording], PairsFile]:
    from tapezoo.data.pairs import Pair, PairsFile, read_pairs
    from tapezoo.recordings.recording import Recording

    if options.pairs is not None:
        if options.files:
            raise ArgumentsError(
                COMMAND, "files together with --pairs; name the recordings in one of the two ways"
            )
        file = read_pairs(options.pairs)
        if any(pair.delay is not None for pair in file.pairs):
            text = f"pairs with 'delay' in {options.pairs}; prepare measures it. Leave it out, or train on the file"
            raise ArgumentsError(COMMAND, text)
    else:
        if not options.files or len(options.files) % 2:
            raise ArgumentsError(
                COMMAND, f"{len(options.files)} files; pairs of DRY and WET, or --pairs FILE"
            )
        pairs = [Pair(dry, wet, {}) for dry, wet in zip(options.files[::2], options.files[1::2], strict=True)]
        file = PairsFile([], pairs)
    pilots: list[tuple[Path, Path] | None] = [(dry, wet) for dry, wet in options.pilot]
    pilots = pilots or [None] * len(file.pairs)
    if len(pilots) != len(file.pairs):
        raise ArgumentsError(
            COMMAND, f"--pilot {len(pilots)} times for {len(file.pairs)} pairs; once per pair"
        )
    return [Recording(pair, pilot) for pair, pilot in zip(file.pairs, pilots, strict=True)], file


def _rate(sample_rate: int | None) -> int | None:
    from tapezoo.data.audio import HIGHEST_RATE_HZ, LOWEST_RATE_HZ

    if sample_rate is not None and not LOWEST_RATE_HZ <= sample_rate <= HIGHEST_RATE_HZ:
        raise ArgumentsError(
            COMMAND, f"--sample-rate {sample_rate}; {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz"
        )
    return sample_rate


def _next_steps(out: Path, preparation: Preparation) -> list[str]:
    from tapezoo.recordings.dataset import PAIRS, REPORT
    from tapezoo.report.html.document import PAGE
    from tapezoo.terminal import shell

    has_wander = any(files.delay for pair in preparation.pairs for files in pair.files)
    recipe = "tape" if has_wander else "lstm"
    line = ["tapezoo", "fit", "--config", recipe, "--data", "PairedAudio", "--data.pairs", out / PAIRS]
    line += ["--data.delay", "remove"] if has_wander else []
    return [
        f"{out}: {PAIRS}, audio, {REPORT}, pictures, and a page to look at and listen to, {PAGE}. Next:",
        f"  {shell(*line)}",
    ]
