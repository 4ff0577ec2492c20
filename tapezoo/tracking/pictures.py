"""Pictures and figures made after a training, filed with the run that the checkpoint came from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from tapezoo.tracking.address import SQLITE, Tracking, tracking_uri
from tapezoo.tracking.client import open_client

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)


def log_pictures(run_id: Any, root: Path, pattern: str, folder: str, uri: str | None = None) -> int:
    """Stores pictures in `folder` of the run, if there is a store and it has the run; fails no verb.

    Args:
        run_id: Of the training, from the checkpoint's provenance; None: it was not tracked.
        root: Where they lie.
        pattern: Their names, such as `**/*.png`; the folders below `root` are kept.
        folder: Of the run's artifacts.
        uri: As in `Tracking`, None included.

    Returns:
        How many were stored.
    """
    files = sorted(root.glob(pattern))

    def store(client: MlflowClient, run: str) -> None:
        for path in files:
            client.log_artifact(
                run, str(path), (PurePosixPath(folder) / path.relative_to(root).parent).as_posix()
            )

    return len(files) if files and _add_to(run_id, "pictures", store, uri) else 0


def log_figures(run_id: Any, figures: Mapping[str, float], uri: str | None = None) -> bool:
    """Stores figures as metrics of the run, on the terms of `log_pictures`; says whether they were.

    Args:
        run_id: Of the training, from the checkpoint's provenance; None: it was not tracked.
        figures: By their names.
        uri: As in `Tracking`, None included.
    """

    def store(client: MlflowClient, run: str) -> None:
        for name, value in figures.items():
            client.log_metric(run, name, value)

    return _add_to(run_id, "figures", store, uri)


def _add_to(run_id: Any, what: str, store: Callable[[MlflowClient, str], None], uri: str | None) -> bool:
    """Whether there is a store that has the run, and took what `store` gave it."""
    address = tracking_uri(Tracking(uri))
    is_absent = address.startswith(SQLITE) and not Path(address.removeprefix(SQLITE)).exists()
    if not isinstance(run_id, str) or is_absent:
        return False  # a look at a checkpoint makes no store
    try:
        client = open_client(address)
        from mlflow.exceptions import MlflowException

        try:
            if client.get_run(run_id).info.lifecycle_stage != "active":
                return False
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False  # trained elsewhere
            raise
        store(client, run_id)
    except (
        Exception
    ) as error:  # anything a client, a driver or a disk can raise: what is logged has been shown
        log.warning("the %s could not be logged to run %s in %s: %s", what, run_id, address, error)
        return False
    return True
