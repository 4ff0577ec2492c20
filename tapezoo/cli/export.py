"""`tapezoo export CHECKPOINT --out BUNDLE`: the artifact others deploy."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("export", help="write a verified bundle with ONNX and TorchScript")
    parser.add_argument("checkpoint", type=Path, help="a checkpoint, or the folder of a run (its best.ckpt)")
    parser.add_argument("--out", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--audio", type=Path, help="sound for the parity gate (default: built-in programme)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing bundle")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Exports the best checkpoint and says what the parity gate measured."""
    import soxr
    import torch
    from rich.console import Console

    from tapezoo.checkpoint import best_checkpoint, load_model
    from tapezoo.data.audio import read_audio, read_header
    from tapezoo.export import GoldenAudioError, export_checkpoint
    from tapezoo.export.golden import LEAST_SAMPLES

    torch.set_num_threads(1)  # small nets in small blocks: a second thread only waits
    path = best_checkpoint(options.checkpoint)
    audio = None
    if options.audio is not None:
        sample_rate = load_model(path).sample_rate
        header = read_header(options.audio)
        seconds = header.frames / header.sample_rate
        if seconds * sample_rate < LEAST_SAMPLES:
            raise GoldenAudioError(
                str(options.audio),
                found=f"{header.frames} samples ({seconds:.2f} s)",
                expected=f"{LEAST_SAMPLES / sample_rate:.2f} s or more",
                fix="Give a few seconds of real audio.",
            )
        audio = read_audio(options.audio)[0]
        if header.sample_rate != sample_rate:
            audio = soxr.resample(audio, header.sample_rate, sample_rate)
    console = Console()
    with console.status("exporting") as status:
        report = export_checkpoint(
            path, options.out, audio, options.overwrite, progress=lambda step: status.update(step)
        )
    lines = [f"{options.out}: {report.manifest.architecture} from {path}"]
    for target in report.targets:
        gate = f"parity {target.max_abs_error:.1e} over {len(target.results)} golden cases"
        lines.append(f"{target.target:<12} {target.file:<14} {gate}")
    lines.append(f"check it     tapezoo verify {options.out}")
    console.print("\n".join(lines), soft_wrap=True, highlight=False)
    return 0
