"""The trainings that stores hold, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from tapezoo.tracking.client import as_store_error, open_client
from tapezoo.tracking.tags import PLACE_TAG

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass(frozen=True)
class ListedRun:
    """One training; figures that its store lacks are None or empty.

    Args:
        name: Of the run.
        architecture: Registered name of the model.
        recordings: What it was trained on.
        val_esr: Of the best checkpoint, or of the last validation where the training did not end well.
        test_esr: Of the best checkpoint on the test split.
        linear_floor: The val_esr of the best linear filter.
        is_steady: Whether the net of the best checkpoint is; None: not measured.
        began: Local time.
        status: "finished", "interrupted", "failed", "nan" or "running".
        run_dir: Its folder.
        store: Address of the store.
    """

    name: str
    architecture: str
    recordings: str
    val_esr: float | None
    test_esr: float | None
    linear_floor: float | None
    is_steady: bool | None
    began: datetime
    status: str
    run_dir: str
    store: str


def list_runs(uris: Sequence[str], most: int) -> list[ListedRun]:
    """The latest trainings in these stores, the latest first; runs of other programs are left out.

    Args:
        uris: Addresses.
        most: How many at most.

    Raises:
        StoreError: A store does not answer, or failed.
    """
    found: list[ListedRun] = []
    for uri in dict.fromkeys(uris):
        client = open_client(uri)
        with as_store_error(uri, "listing runs", "Look at the store, then run the command again."):
            experiments = [experiment.experiment_id for experiment in client.search_experiments()]
            runs = client.search_runs(
                experiments, "tags.architecture LIKE '%'", max_results=most, order_by=["start_time DESC"]
            )
        found += [_listed(run, uri) for run in runs]
    return sorted(found, key=lambda run: run.began, reverse=True)[:most]


def _listed(run: Run, uri: str) -> ListedRun:
    metrics, tags = run.data.metrics, run.data.tags
    return ListedRun(
        run.info.run_name,
        tags.get("architecture", ""),
        tags.get("recordings", ""),
        metrics.get("best_val_esr", metrics.get("val_esr")),
        metrics.get("test_esr"),
        metrics.get("linear_floor"),
        metrics["best_val_steadiness"] <= 1 if "best_val_steadiness" in metrics else None,
        datetime.fromtimestamp(run.info.start_time / 1000),
        tags.get("status", run.info.status.lower()),
        tags.get(PLACE_TAG, ""),
        uri,
    )
