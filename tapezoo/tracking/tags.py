"""The tags of a registered version."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapezoo.bundle import Manifest

SEAL, DATASET, SOURCE_RUN, COST = "seal_sha256", "dataset_hash", "source_run", "cost"
FACTS = ("architecture", "sample_rate", COST, DATASET, SOURCE_RUN, SEAL)  # every other tag is a metric
PLACE_TAG = "run_dir"  # the folder of a training
COST_OF = ("onnx", "grid")  # the first that a bundle has: what a stream plays


def version_tags(manifest: Manifest, seal_sha256: str, trained_in: str | None = None) -> dict[str, str]:
    """The tags of a version; figures are text, as MLflow keeps them, and absent where unknown.

    `cost` is times real time on one thread, as measured at export in the shortest blocks: 64 samples, or the net's
    hop where that is longer; of a grid alone that of one point. Every metric of the manifest has a tag of its own
    name.

    Args:
        manifest: Of the bundle.
        seal_sha256: The sha256 of its SHA256SUMS.
        trained_in: The run it came from, where the manifest's provenance does not say.
    """
    metrics = {metric: f"{value:.9g}" for metric, value in manifest.metrics.items() if value is not None}
    played = next((name for name in COST_OF if name in manifest.cost), None)
    speeds = {} if played is None else manifest.cost[played]["real_time_factor"]
    known = {
        "architecture": manifest.architecture,
        "sample_rate": manifest.sample_rate,
        COST: f"{speeds[min(speeds, key=int)]:.4g}" if speeds else None,
        DATASET: manifest.provenance.get("dataset_hash") or None,
        SOURCE_RUN: manifest.provenance.get("run_id") or trained_in,
        SEAL: seal_sha256,
    }
    return {**metrics, **{tag: str(value) for tag, value in known.items() if value is not None}}
