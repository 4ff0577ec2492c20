"""Pictures made after a training, filed with the run that the checkpoint came from."""

from __future__ import annotations

import logging
from pathlib import Path, PurePosixPath
from typing import Any

from tapezoo.tracking.address import SQLITE, Tracking, tracking_uri
from tapezoo.tracking.client import open_client

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
    address, files = tracking_uri(Tracking(uri)), sorted(root.glob(pattern))
    is_absent = address.startswith(SQLITE) and not Path(address.removeprefix(SQLITE)).exists()
    if not isinstance(run_id, str) or is_absent or not files:
        return 0  # a look at a checkpoint makes no store
    try:
        client = open_client(address)
        from mlflow.exceptions import MlflowException

        try:
            if client.get_run(run_id).info.lifecycle_stage != "active":
                return 0
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return 0  # trained elsewhere
            raise
        for path in files:
            client.log_artifact(
                run_id, str(path), (PurePosixPath(folder) / path.relative_to(root).parent).as_posix()
            )
    except (
        Exception
    ) as error:  # anything a client, a driver or a disk can raise: the pictures themselves are there
        log.warning("the pictures could not be logged to run %s in %s: %s", run_id, address, error)
        return 0
    return len(files)
