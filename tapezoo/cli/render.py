"""`tapezoo render MODEL IN OUT`: a sound file through a trained model, or through a bundle without torch."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapezoo.cli.completion import complete_bundle

if TYPE_CHECKING:
    from tapezoo.controls import Control
    from tapezoo.render.report import RenderReport


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("render", help="process a sound file with a checkpoint or a bundle")
    bundle = parser.add_argument(
        "model",
        type=Path,
        help="a checkpoint, the folder of a run (its best.ckpt) or of a bundle, or the name of a shipped bundle: tape, "
        "preamp or hybrid",
    )
    complete_bundle(bundle)
    parser.add_argument(
        "source",
        type=Path,
        help="sound file (WAV, FLAC, ...) of any length and number of channels, 4 to 768 kHz",
    )
    parser.add_argument(
        "target",
        type=Path,
        help=(
            "file to write, with the source's sample rate, length and sample format (24 bit if that is neither "
            "PCM nor float)"
        ),
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of a control in its own unit; may be repeated",
    )
    parser.add_argument(
        "--automation",
        type=Path,
        metavar="CSV",
        help="moving controls: a header time_s,NAME,... (time in seconds; `time` is accepted) and one line per "
        "breakpoint, with values in the controls' own units and straight lines between them; a control without "
        "a column stays at --set or its default",
    )
    parser.add_argument(
        "--delay",
        type=Path,
        metavar="CSV",
        help="delay over time that is applied to the output, such as the transport of a tape machine: columns "
        "time_s and delay_ms, delay_s or delay_samples (at the source's rate unless the column's name gives "
        "another), as `tapezoo prepare` writes it. The whole samples of its first delay are left out, so that "
        "the output is aligned with the input; after its last point the delay stands still. For a null test "
        "against the recorded wet, remove that many samples from the beginning of wet; the report says how many",
    )
    parser.add_argument(
        "--noise",
        type=Path,
        metavar="WAV",
        help="noise of the machine, such as `tapezoo generate` makes: a loop that is added to the output, with a "
        "part of its own for every channel",
    )
    parser.add_argument(
        "--noise-gain-db", type=float, default=0.0, metavar="DB", help="gain of --noise (default: 0)"
    )
    parser.add_argument(
        "--modulation-noise",
        type=Path,
        metavar="WAV",
        help="how the gain of a tape wavers, such as `tapezoo generate --modulation-noise` makes: a loop that "
        "multiplies the output before --delay, with a part of its own for every channel",
    )
    parser.add_argument(
        "--mix", type=float, default=1.0, help="share of the effect: 0 is dry, 1 is wet (default: 1)"
    )
    parser.add_argument(
        "--input-gain-db", type=float, default=0.0, metavar="DB", help="gain before the model (default: 0)"
    )
    parser.add_argument(
        "--output-gain-db", type=float, default=0.0, metavar="DB", help="gain after it (default: 0)"
    )
    parser.add_argument("--limiter", action="store_true", help="keep peaks below full scale")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Renders, with a progress bar, and says what was done."""
    from tapezoo.data.audio import read_header

    bundle = bundle_of(options.model)
    if not options.source.exists():
        read_header(options.source)  # says so

    from tapezoo.controls import control_vector, parse_settings
    from tapezoo.render.soundfiles import check_target

    check_target(options.source, options.target, options.overwrite)
    settings = parse_settings(options.set)
    if bundle is not None:
        from tapezoo.bundle import read_manifest

        control_vector(read_manifest(bundle).controls, settings)  # a wrong name, before anything is loaded
    known, play = _open_net(options.model) if bundle is None else _open_bundle(bundle)

    from tapezoo.render.automation import Constant, ControlPath, read_automation
    from tapezoo.render.limiter import Limiter
    from tapezoo.screen import Screen, bar

    controls: ControlPath
    if options.automation is None:
        controls = Constant(control_vector(known, settings))
    else:
        controls = read_automation(options.automation, known, settings)
    console = Screen()
    with bar(console) as progress:
        task = progress.add_task("rendering", total=None)
        report = play(
            controls,
            options.source,
            options.target,
            mix=options.mix,
            input_gain_db=options.input_gain_db,
            output_gain_db=options.output_gain_db,
            limiter=Limiter() if options.limiter else None,
            delay=options.delay,
            noise=options.noise,
            noise_gain_db=options.noise_gain_db,
            modulation_noise=options.modulation_noise,
            overwrite=options.overwrite,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    console.say(*str(report).splitlines())
    return 0


def bundle_of(model: Path) -> Path | None:
    """The bundle that is asked for; None: a checkpoint.

    Raises:
        CheckpointError: Neither is there, and nothing of this name is shipped; or it is a sound file.
    """
    from tapezoo.bundle import is_bundle, shipped_bundles
    from tapezoo.run_files import CheckpointError, best_checkpoint, check_present, is_sound

    if is_bundle(model):
        return model
    shipped = shipped_bundles()
    models = (
        "a checkpoint such as best.ckpt, the folder of a run or of a bundle, or the name of a shipped bundle: "
        f"{', '.join(shipped) or 'there is none'}"
    )
    if is_sound(model):
        raise CheckpointError(
            str(model),
            found="a sound file in the place of a model",
            expected=models,
            fix="Name a model there; the verb's --help says where sound files go.",
        )
    if model.is_dir() and not best_checkpoint(model).is_file():
        raise CheckpointError(
            str(model),
            found="a folder that is neither a run, with its best.ckpt, nor a bundle, with its manifest.json",
            expected=models,
            fix="Correct the path or the name; `tapezoo runs` lists the runs.",
        )
    if model.exists():
        check_present(best_checkpoint(model))
        return None
    if str(model) in shipped:
        return shipped[str(model)]
    raise CheckpointError(
        str(model),
        found="no such file or folder",
        expected=models,
        fix="Correct the path or the name.",
    )


def _open_bundle(root: Path) -> tuple[Sequence[Control], Callable[..., RenderReport]]:
    from tapezoo.bundle import read_manifest
    from tapezoo.render.bundles import BundlePlayer
    from tapezoo.render.files import render_file
    from tapezoo.runtime import Stream, engine_for_one_file

    stream = Stream(root, engine=engine_for_one_file(read_manifest(root)))
    return stream.manifest.controls, partial(render_file, BundlePlayer(stream))


def _open_net(path: Path) -> tuple[Sequence[Control], Callable[..., RenderReport]]:
    from tapezoo.cli.lean import import_lightning

    import_lightning()
    import torch

    from tapezoo.checkpoint import load_model
    from tapezoo.render.nets import render
    from tapezoo.run_files import best_checkpoint

    torch.set_num_threads(1)  # small nets in small blocks: a second thread only waits
    model = load_model(best_checkpoint(path))
    return model.controls, partial(render, model.net, model.sample_rate)
