"""One artifact of a trained net, a transport and a noise."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tapezoo.architecture.tape import HISS_OFF_DB
from tapezoo.bundle import Verification
from tapezoo.checkpoint import load_model, read_checkpoint
from tapezoo.controls import Control
from tapezoo.export.build import export_bundle
from tapezoo.export.errors import ExportError
from tapezoo.export.latency_probe import LatencyProbe
from tapezoo.export.pictures import Pictures
from tapezoo.export.tape_picture import TapePicture
from tapezoo.export.targets import default_targets
from tapezoo.export.targets.target import Part, Target
from tapezoo.export.trained import programme
from tapezoo.layers.looped_curves import LoopedCurves
from tapezoo.layers.looped_table import LoopedTable
from tapezoo.tape.loops import (
    TransportLoop,
    make_noise_loop,
    make_transport_loop,
    read_modulation_loop,
    read_noise_loop,
    read_transport_loop,
)
from tapezoo.taped import Taped, reach_samples, tape_controls

ENTRY = "tape"  # of the manifest's provenance
TAKES_APART = 0.4142135624  # of a loop, from one seed to the next; rows are apart by another share
LOOP_S = 60.0
OFF = {"wow": 0.0, "flutter": 0.0, "modulation_noise": HISS_OFF_DB, "hiss": HISS_OFF_DB}


def assemble_checkpoint(
    path: Path,
    out: Path,
    *,
    transport: Path | None = None,
    noise: Path | None = None,
    modulation_noise: Path | None = None,
    seed: int = 0,
    loop_s: float = LOOP_S,
    audio: NDArray[np.float32] | None = None,
    overwrite: bool = False,
    progress: Callable[[str], None] = lambda step: None,
    targets: Sequence[Target] | None = None,
) -> Verification:
    """Exports a checkpoint with a tape behind it, see `tapezoo.taped.Taped`.

    Args:
        path: The checkpoint of the nonlinearity.
        out: The bundle's folder; its parent must exist.
        transport: A CSV file of a delay over time, see `read_transport_loop`, or the checkpoint of a generator, see
            `make_transport_loop`; None: no delay line.
        noise: A sound file, see `read_noise_loop`, or the checkpoint of a generator; None: no noise.
        modulation_noise: A sound file, see `read_modulation_loop`; None: none.
        seed: Of the take: what generators make, and where in the loops it begins, 0 to 2^31 - 1.
        loop_s: Length of what generators make, s.
        audio: See `export_checkpoint`.
        overwrite: Replace a bundle at `out`.
        progress: Called with each step's name.
        targets: File formats to write; None: see `default_targets`.

    Raises:
        CheckpointError: See `load_model`.
        TapeError, DataError, RenderError, SoundFileError: A transport or a noise that is no loop.
        ExportError, ParityError: A control of the net is called as one of the tape's; else see `export_bundle`.
    """
    model = load_model(path)
    own = read_checkpoint(path)["tapezoo"]
    added = tape_controls(transport is not None, noise is not None, modulation_noise is not None)
    check_names(path, model.controls, added)
    made_of: dict[str, Any] = {
        "nonlinearity": {"architecture": own["architecture"], **_file(path)},
        "seed": seed,
    }
    curves = table = unevenness = None
    if transport is not None:
        loop = (
            make_transport_loop(transport, model.sample_rate, loop_s, seed)
            if is_checkpoint(transport)
            else read_transport_loop(transport, model.sample_rate)
        )
        curves = loop_curves(loop, seed)
        made_of["transport"] = {
            **_file(transport),
            "loop_seconds": loop.seconds,
            "reach_samples": reach_samples(curves),
        }
    if noise is not None:
        made = (
            make_noise_loop(noise, model.sample_rate, loop_s, seed)
            if is_checkpoint(noise)
            else read_noise_loop(noise, model.sample_rate)
        )
        table = loop_table(made, seed)
        made_of["noise"] = {**_file(noise), "loop_seconds": len(table.table) / model.sample_rate}
    if modulation_noise is not None:
        unevenness = loop_table(read_modulation_loop(modulation_noise, model.sample_rate), seed)
        made_of["modulation_noise"] = {
            **_file(modulation_noise),
            "loop_seconds": len(unevenness.table) / model.sample_rate,
        }
    parts: list[Part] = [
        LatencyProbe({control.name: OFF[control.name] for control in added}),
        Pictures(),
        TapePicture(OFF),
    ]
    net = Taped(model.net, curves, table, unevenness)
    return export_bundle(
        net,
        architecture=f"Taped{own['architecture']}",
        sample_rate=model.sample_rate,
        controls=(*model.controls, *added),
        out=out,
        audio=programme(model.sample_rate) if audio is None else audio,
        # of the nonlinearity alone: nothing was measured of the whole
        metrics={f"nonlinearity_{name}": value for name, value in own["metrics"].items()},
        provenance={**own["provenance"], ENTRY: made_of},
        overwrite=overwrite,
        progress=progress,
        targets=default_targets(net) if targets is None else targets,
        parts=parts,
    )


def is_checkpoint(path: Path) -> bool:
    """Whether it is named like the checkpoint of a generator."""
    return path.suffix == ".ckpt"


def loop_curves(loop: TransportLoop, seed: int) -> LoopedCurves:
    """What a net reads of a transport."""
    begin = round(TAKES_APART * seed * loop.points_samples.shape[1]) * loop.hop_samples
    return LoopedCurves(torch.from_numpy(loop.points_samples), loop.hop_samples, begin)


def loop_table(noise: NDArray[np.float32], seed: int) -> LoopedTable:
    """What a net reads of a noise."""
    return LoopedTable(torch.from_numpy(noise), round(TAKES_APART * seed * len(noise)) % len(noise))


def check_names(path: Path, controls: Sequence[Control], added: Sequence[Control]) -> None:
    """Raises ExportError if a control of the nonlinearity is called as one of the tape's."""
    names = {control.name for control in added}
    for control in controls:
        if control.name in names:
            raise ExportError(
                str(path),
                found=f"a control called {control.name}",
                expected=f"other names than {', '.join(sorted(names))}, which are the tape's",
                fix="Train with another name for it, or leave that part of the tape out.",
            )


def _file(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        return {"file": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
