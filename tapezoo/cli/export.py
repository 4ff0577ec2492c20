"""`tapezoo export CHECKPOINT --out BUNDLE`: the artifact others deploy."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapezoo.cli.grid_options import add_grid_arguments, grid_lines, grid_part

if TYPE_CHECKING:
    from tapezoo.bundle import Manifest, TargetResult, Verification
    from tapezoo.export import Part

MAX_LOSS = 1e-3  # as in tapezoo.export, which is slow to import


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("export", help="export a checkpoint as a verified bundle")
    parser.add_argument("checkpoint", type=Path, help="a checkpoint, or the folder of a run (its best.ckpt)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    parser.add_argument(
        "--audio", type=Path, help="audio for the parity gate (default: built-in program material)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing bundle")
    parser.add_argument(
        "--targets",
        help="file formats, separated by commas (default: onnx,torchscript and, for nets that have one, kernel, "
        "with which tapezoo.runtime.Stream plays several times as fast). onnx_int8 and onnx_fp16 are smaller and "
        "less accurate, cpp is C++ source; `tapezoo list targets` lists them",
    )
    parser.add_argument(
        "--max-loss",
        type=_parse_esr,
        default=MAX_LOSS,
        metavar="ESR",
        help="refuse onnx_int8 or onnx_fp16 if its error against the net is larger (default: 1e-3, 30 dB below "
        "the output, which is less than the error of most trained models)",
    )
    parser.add_argument(
        "--sample-rate",
        type=_parse_rate,
        metavar="HZ",
        help="of the bundle (default: that of the training). An LSTM or a GRU also plays at higher rates, with its "
        "weights; for all others resample the audio, as `tapezoo render` does",
    )
    parser.add_argument(
        "--oversample",
        type=int,
        choices=(2, 4, 8),
        default=1,
        help="play the net, with its weights, at so many times the sample rate between two filters, against aliases: "
        "latency 72 samples more (default: as it was trained)",
    )
    add_grid_arguments(parser)
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Exports the best checkpoint and says what the gates measured."""
    from tapezoo.bundle import is_bundle
    from tapezoo.cli.lean import import_filters, import_lightning
    from tapezoo.run_files import best_checkpoint, check_present
    from tapezoo.staging import check_free

    path = best_checkpoint(options.checkpoint)
    check_present(path)
    names = None if options.targets is None else _names(options.targets, options.grid is not None)
    check_free(options.out, options.overwrite, is_bundle, "bundle")
    import_lightning()
    import_filters()
    import torch

    from tapezoo.checkpoint import load_model
    from tapezoo.export import export_checkpoint, load_targets
    from tapezoo.export.latency_probe import LatencyProbe, latency_text, probed
    from tapezoo.export.pictures import Pictures
    from tapezoo.models.other_rate import at_sample_rate
    from tapezoo.models.oversampled import oversampled
    from tapezoo.screen import Screen
    from tapezoo.terminal import shell

    torch.set_num_threads(1)  # small nets in small blocks: a second thread only waits
    targets = None if names is None else load_targets(names)
    model = load_model(path)
    parts: list[Part] = [LatencyProbe(), Pictures()]
    grid = grid_part(options, model.controls)
    if grid is not None:
        parts.append(grid)
    rate = model.sample_rate if options.sample_rate is None else options.sample_rate
    # what it cannot is said before any file is read
    oversampled(at_sample_rate(model.net, model.sample_rate, rate), options.oversample)
    audio = None if options.audio is None else _read_programme(options.audio, rate)
    console = Screen()
    with console.status("exporting") as status:
        verification = export_checkpoint(
            path,
            options.out,
            audio,
            options.overwrite,
            progress=lambda step: status.update(step),
            targets=targets,
            parts=parts,
            max_degradation_esr=options.max_loss,
            sample_rate=rate,
            oversample=options.oversample,
        )
    lines = [f"{options.out}: {verification.manifest.architecture} from {path}"]
    lines += [_describe_target(target, verification, options.out) for target in verification.targets]
    lines += grid_lines(options.out, verification.manifest)
    arrival = probed(verification.manifest)
    if arrival is not None:
        lines.append(f"latency      {latency_text(arrival, verification.manifest.sample_rate)}")
    lines += _quality(verification.manifest)
    reach = verification.manifest.reach
    if reach < 1:
        lines.append(
            f"unsteady     beyond {reach:.1%} of the way from the controls' defaults the net amplifies "
            "rounding errors. It was compared up to there; farther out it may sound different on every processor"
        )
    lines.append(f"check it     {shell('tapezoo', 'verify', options.out)}")
    console.say(*lines)
    return 0


def _quality(manifest: Manifest) -> list[str]:
    """What the net is worth beside a linear filter, where that is known: poor ones are exported as good ones are."""
    from tapezoo.report.floor import beside_floor_text

    esr, floor = manifest.metrics.get("val_esr"), manifest.provenance.get("linear_floor")
    if esr is None or floor is None:
        return []
    trained = manifest.provenance.get("trained_sample_rate")
    where = "" if trained is None else f" at {trained} Hz"
    where += " without oversampling" if manifest.provenance.get("oversampled") else ""
    return [f"quality      val_esr {esr:.5f}{where}: {beside_floor_text(esr, float(floor))}"]


def _names(asked: str, is_grid: bool) -> list[str]:
    """Of text with commas; nothing at all: none, as for a bundle that is a grid alone."""
    from tapezoo.bundle.targets import check_names, check_playable

    names = [name.strip() for name in asked.split(",")] if asked.strip() else []
    check_names(names)
    if not is_grid:
        check_playable(names)
    return names


def _describe_target(target: TargetResult, verification: Verification, bundle: Path) -> str:
    label = f"{target.target:<12} {target.file:<18}"
    if target.max_esr is None:
        return f"{label} parity {target.max_abs_error:.1e} over {len(target.results)} golden cases"
    text = f"{label} ESR {target.esr:.1e}, error up to {target.max_abs_error:.1e}"
    plain, cost = verification.manifest.targets.get("onnx"), verification.manifest.cost
    if plain is None:
        return text
    factors, fp32 = (cost[name]["real_time_factor"] for name in (target.target, "onnx"))
    speeds = ", ".join(f"{factors[block] / fp32[block]:.2f} in blocks of {block}" for block in fp32)
    size = (bundle / target.file).stat().st_size / (bundle / plain).stat().st_size
    return f"{text}; size {size:.2f} of onnx, speed {speeds}"


def _read_programme(file: Path, sample_rate: int) -> Any:
    """(samples,): a sound file's first channel at the model's rate."""
    import soxr

    from tapezoo.data.audio import read_audio, read_header, warn_of_header
    from tapezoo.export import ExportError
    from tapezoo.export.golden import LEAST_SAMPLES

    header = read_header(file)
    warn_of_header(file)
    seconds = header.frames / header.sample_rate
    if seconds * sample_rate < LEAST_SAMPLES:
        raise ExportError(
            str(file),
            found=f"{header.frames} samples ({seconds:.2f} s)",
            expected=f"{LEAST_SAMPLES / sample_rate:.2f} s or more",
            fix="Give a few seconds of real audio.",
        )
    audio = read_audio(file)[0]
    return (
        audio if header.sample_rate == sample_rate else soxr.resample(audio, header.sample_rate, sample_rate)
    )


def _parse_rate(text: str) -> int:
    if not (text.isdigit() and 1000 <= int(text) <= 1_000_000):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a sample rate: give a whole number of Hz from 1000 to 1000000, such as 96000"
        )
    return int(text)


def _parse_esr(text: str) -> float:
    try:
        esr = float(text)
    except ValueError:
        esr = 0.0
    if not 0 < esr <= 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an ESR: give a number above 0 and at most 1 (1 is the error of silence)"
        )
    return esr
