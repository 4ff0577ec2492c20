"""Export of a trained checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle import Verification
from tapezoo.checkpoint import load_model, read_checkpoint
from tapezoo.devices.program import program_material
from tapezoo.export.build import export_bundle
from tapezoo.export.degradation import MAX_DEGRADATION_ESR
from tapezoo.export.latency_probe import LatencyProbe
from tapezoo.export.pictures import Pictures
from tapezoo.export.targets import default_targets
from tapezoo.export.targets.target import Part, Target


def export_checkpoint(
    path: Path,
    out: Path,
    audio: NDArray[np.float32] | None = None,
    overwrite: bool = False,
    progress: Callable[[str], None] = lambda step: None,
    targets: Sequence[Target] | None = None,
    parts: Sequence[Part] = (LatencyProbe(), Pictures()),
    max_degradation_esr: float = MAX_DEGRADATION_ESR,
) -> Verification:
    """Exports a checkpoint with the metrics and the provenance it holds, and pictures for its card.

    Args:
        path: The checkpoint.
        out: The bundle's folder; its parent must exist.
        audio: (samples,) for golden files and the parity gate; None: one second of each kind of synthetic audio.
        overwrite: Replace a bundle at `out`, after the new one was verified.
        progress: Called with each step's name.
        targets: File formats to write; None: see `default_targets`.
        parts: Further contents of the bundle.
        max_degradation_esr: Largest ESR of lossy targets against the net, see `measure_degradation`.

    Raises:
        CheckpointError: See `load_model`.
        ExportError, ParityError: See `export_bundle`.
    """
    model = load_model(path)
    own = read_checkpoint(path)["tapezoo"]
    return export_bundle(
        model.net,
        architecture=own["architecture"],
        sample_rate=model.sample_rate,
        controls=model.controls,
        out=out,
        audio=programme(model.sample_rate) if audio is None else audio,
        metrics=own["metrics"],
        provenance=own["provenance"],
        overwrite=overwrite,
        progress=progress,
        targets=default_targets(model.net) if targets is None else targets,
        parts=parts,
        max_degradation_esr=max_degradation_esr,
    )


def programme(sample_rate: int) -> NDArray[np.float32]:
    """(samples,): one second of each kind of synthetic audio."""
    excerpts = program_material(20.0, sample_rate, seed=1)
    return np.concatenate([excerpt.audio[:sample_rate] for excerpt in excerpts])
