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
from tapezoo.models.other_rate import at_sample_rate
from tapezoo.models.oversampled import oversampled

OVERSAMPLED = "oversampled"  # in the provenance of a bundle whose net plays at so many times the sample rate
TRAINED_RATE = "trained_sample_rate"  # in the provenance of a bundle for another sample rate, in Hz


def export_checkpoint(
    path: Path,
    out: Path,
    audio: NDArray[np.float32] | None = None,
    overwrite: bool = False,
    progress: Callable[[str], None] = lambda step: None,
    targets: Sequence[Target] | None = None,
    parts: Sequence[Part] = (LatencyProbe(), Pictures()),
    max_degradation_esr: float = MAX_DEGRADATION_ESR,
    sample_rate: int | None = None,
    oversample: int = 1,
) -> Verification:
    """Exports a checkpoint with the metrics and the provenance it holds, and pictures for its card.

    Args:
        path: The checkpoint.
        out: The bundle's folder; its parent must exist.
        audio: (samples,), at the bundle's sample rate, for golden files and the parity gate; None: one second of each
            kind of synthetic audio.
        overwrite: Replace a bundle at `out`, after the new one was verified.
        progress: Called with each step's name.
        targets: File formats to write; None: see `default_targets`.
        parts: Further contents of the bundle.
        max_degradation_esr: Largest ESR of lossy targets against the net, see `measure_degradation`.
        sample_rate: Of the bundle, in Hz; None: that of the training. Another one is for an LSTM or a GRU, see
            `tapezoo.models.other_rate`.
        oversample: Times its rate at which the net plays between two filters, 1, 2, 4 or 8; see
            `tapezoo.models.oversampled`.

    Raises:
        CheckpointError: See `load_model`.
        OtherRateError: The net cannot play at `sample_rate`.
        OversampleError: It cannot be oversampled so.
        ExportError, ParityError: See `export_bundle`.
    """
    model = load_model(path)
    own = read_checkpoint(path)["tapezoo"]
    rate = model.sample_rate if sample_rate is None else sample_rate
    net = oversampled(at_sample_rate(model.net, model.sample_rate, rate), oversample)
    trained = {} if rate == model.sample_rate else {TRAINED_RATE: model.sample_rate}
    trained |= {} if oversample == 1 else {OVERSAMPLED: oversample}
    return export_bundle(
        net,
        architecture=own["architecture"],
        sample_rate=rate,
        controls=model.controls,
        out=out,
        audio=programme(rate) if audio is None else audio,
        metrics=own["metrics"],
        provenance={**own["provenance"], **trained},
        overwrite=overwrite,
        progress=progress,
        targets=default_targets(net) if targets is None else targets,
        parts=parts,
        max_degradation_esr=max_degradation_esr,
    )


def programme(sample_rate: int) -> NDArray[np.float32]:
    """(samples,): one second of each kind of synthetic audio."""
    excerpts = program_material(20.0, sample_rate, seed=1)
    return np.concatenate([excerpt.audio[:sample_rate] for excerpt in excerpts])
