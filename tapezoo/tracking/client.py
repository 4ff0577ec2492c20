"""MLflow's client, and how mlflow is told to behave before it is imported."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tapezoo.errors import TapezooError
from tapezoo.tracking.address import Tracking, check_server, tracking_uri
from tapezoo.tracking.database import ensure_database
from tapezoo.tracking.errors import StoreError

if TYPE_CHECKING:
    from mlflow import MlflowClient

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # read at mlflow's import
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # 7 retries stop a training for minutes
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # standard output belongs to the verbs
    "MLFLOW_UV_AUTO_DETECT": "false",  # would take a uv.lock of the working directory for the model's
}
CHATTY = (
    "alembic",  # with the next one: forty lines on migrations for every new database
    "mlflow.store.db.utils",
    "mlflow.store.model_registry.abstract_store",  # how long it would wait for a version
)


def prepare_mlflow() -> None:
    """Telemetry off, few retries, no chatter, unless the environment says otherwise; before mlflow's import."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


def open_client(uri: str | None) -> MlflowClient:
    """A client of the store at `uri`, after `check_server`.

    Args:
        uri: As in `Tracking`, None included.

    Raises:
        StoreError: See `check_server` and `ensure_database`.
    """
    address = tracking_uri(Tracking(uri))
    check_server(address)
    prepare_mlflow()
    ensure_database(address)
    from mlflow import MlflowClient

    return MlflowClient(address, registry_uri=address)


@contextmanager
def as_store_error(uri: str, doing: str, fix: str) -> Iterator[None]:
    """Turns whatever a client, a driver or the disk raises inside into one StoreError.

    Args:
        uri: Of the store.
        doing: What was going on, as in "found a store that failed while DOING".
        fix: What to do, as a full sentence.
    """
    try:
        yield
    except TapezooError:
        raise
    except Exception as error:  # mlflow, requests, sqlalchemy and the operating system each have their own
        text = str(error).strip() or type(error).__name__
        raise StoreError(
            f"store {uri}",
            found=f"a failure while {doing} ({text[:500]})",
            expected="a store that accepts it",
            fix=fix,
        ) from error


def has_run(tracking: Tracking, run_id: str) -> bool:
    """Whether the store still holds the run."""
    client = open_client(tracking.uri)
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException:
        return False
