"""`tapezoo assemble`: one artifact of a trained net, a tape's transport and its noise."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EPILOG = """\
The order is that of a machine: the nonlinearity, which holds the record and replay equalisation, then the modulation
noise, which lies on the tape, then the delay line, then the noise. Each has a control of its own: wow and flutter from
0 (off) to 1 (as recorded), modulation_noise and hiss in dB over the noise as recorded, where -60 dB is off. Nothing
random is computed while it plays: the bundle carries the loops (docs/tape.md).
"""


LONGEST_S = 600.0
MOST_SEED = (1 << 31) - 1  # as of generators


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "assemble",
        help="one bundle of a trained model, a tape's wow and flutter, and its noise",
        description="Exports a trained model with a tape's wow, flutter and noises behind it, as one verified bundle.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--nonlinearity",
        type=Path,
        required=True,
        metavar="CKPT",
        help="a checkpoint, or the folder of a run (its best.ckpt)",
    )
    parser.add_argument(
        "--transport",
        type=Path,
        metavar="TAKE.csv",
        help="a delay over time, as `tapezoo generate` writes it, or the best.ckpt of a generator",
    )
    parser.add_argument("--noise", type=Path, metavar="NOISE.wav", help="a loop of noise, likewise")
    parser.add_argument(
        "--modulation-noise",
        type=Path,
        metavar="NOISE.wav",
        help="a loop of the unevenness of the tape, as `tapezoo generate --modulation-noise` writes it",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="BUNDLE", help="folder of the bundle")
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="where in the loops it begins: another one, another take (default: 0)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        metavar="S",
        help="length of the loops that generators make (default: 60)",
    )
    parser.add_argument("--targets", help="file formats, separated by commas (default: as of export)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing bundle")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Assembles, and says what was written."""
    from tapezoo.bundle import is_bundle
    from tapezoo.cli.lean import import_filters, import_lightning
    from tapezoo.run_files import best_checkpoint, check_present
    from tapezoo.staging import check_free

    _check(options)
    path = best_checkpoint(options.nonlinearity)
    check_present(path)
    names = None if options.targets is None else _names(options.targets)
    check_free(options.out, options.overwrite, is_bundle, "bundle")
    import_lightning()
    import_filters()
    import torch

    from tapezoo.export import load_targets
    from tapezoo.export.latency_probe import latency_text, probed
    from tapezoo.export.taped import ENTRY, assemble_checkpoint
    from tapezoo.screen import Screen
    from tapezoo.terminal import shell

    torch.set_num_threads(1)  # small nets in small blocks: a second thread only waits
    console = Screen()
    with console.status("assembling") as status:
        verification = assemble_checkpoint(
            path,
            options.out,
            transport=options.transport,
            noise=options.noise,
            modulation_noise=options.modulation_noise,
            seed=options.seed,
            loop_s=options.seconds,
            overwrite=options.overwrite,
            progress=lambda step: status.update(step),
            targets=None if names is None else load_targets(names),
        )
    manifest = verification.manifest
    lines = [f"{options.out}: {manifest.architecture} from {path}"]
    for target in verification.targets:
        parity = f"parity {target.max_abs_error:.1e} over {len(target.results)} golden cases"
        lines.append(f"{target.target:<12} {target.file:<18} {parity}")
    made_of = manifest.provenance[ENTRY]
    for part in ("modulation_noise", "transport", "noise"):
        if part in made_of:
            label, own = part.removesuffix("_noise"), made_of[part]
            lines.append(f"{label:<12} a loop of {own['loop_seconds']:.1f} s, from {own['file']}")
    arrival = probed(manifest)
    if arrival is not None:
        lines.append(f"latency      {latency_text(arrival, manifest.sample_rate)}")
    shown = ", ".join(
        f"{control.name} {control.min:g} to {control.max:g} {control.unit}".rstrip()
        for control in manifest.controls
    )
    lines.append(f"controls     {shown}")
    lines.append(f"hear it      {shell('tapezoo', 'render', options.out, 'IN.wav', 'OUT.wav')}")
    console.say(*lines)
    return 0


def _names(asked: str) -> list[str]:
    from tapezoo.bundle.targets import check_names, check_playable

    names = [name.strip() for name in asked.split(",")]
    check_names(names)
    check_playable(names)
    return names


def _check(options: argparse.Namespace) -> None:
    from tapezoo.bundle import is_bundle
    from tapezoo.errors import ArgumentsError
    from tapezoo.run_files import CheckpointError

    if options.transport is options.noise is options.modulation_noise is None:
        raise ArgumentsError(
            "tapezoo assemble",
            "no --transport, --noise or --modulation-noise: `tapezoo export` writes the nonlinearity alone",
        )
    if not 1 <= options.seconds <= LONGEST_S:
        raise ArgumentsError("tapezoo assemble", f"--seconds {options.seconds:g}, outside 1 to {LONGEST_S:g}")
    if not 0 <= options.seed <= MOST_SEED:
        raise ArgumentsError("tapezoo assemble", f"--seed {options.seed}, outside 0 to {MOST_SEED}")
    if is_bundle(options.nonlinearity):
        raise CheckpointError(
            str(options.nonlinearity),
            found="a bundle, whose graph cannot be taken apart",
            expected="the checkpoint that it was exported from",
            fix="Pass the checkpoint, or the folder of its run.",
        )
