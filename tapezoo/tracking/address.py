"""Where runs and versions are kept, and whether that place answers; needs no mlflow."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tapezoo.tracking.errors import StoreError

DATABASE, ARTIFACTS = "mlruns.db", "mlartifacts"
SQLITE = "sqlite:///"
DATABASES = ("postgresql", "mysql", "mssql")
OTHER_SCHEMES = ("databricks", "uc")  # mlflow's own: it reports what fails


@dataclass
class Tracking:
    """Where a run is tracked, and under which names.

    Args:
        uri: `sqlite:///FILE`, or the http(s) address of a server; by default the variable
            MLFLOW_TRACKING_URI, or else `sqlite:///mlruns.db` in the working directory.
        experiment: MLflow experiment of the run.
        run_name: Name of the run; by default made from its recordings and its folder.
        parent_run: Id of the parent run, as for the rows of a comparison.
    """

    uri: str | None = None
    experiment: str = "tapezoo"
    run_name: str | None = None
    parent_run: str | None = None


def tracking_uri(tracking: Tracking) -> str:
    """The address in force, database files made absolute; the environment is read now, not at import."""
    uri = tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or SQLITE + DATABASE
    if uri.startswith(SQLITE):
        return SQLITE + str(Path(uri.removeprefix(SQLITE)).expanduser().absolute())
    return uri.rstrip("/")


def artifact_location(uri: str) -> str | None:
    """Where a new experiment keeps its artifacts; None: where the server says."""
    if not uri.startswith(SQLITE):
        return None
    return (Path(uri.removeprefix(SQLITE)).absolute().parent / ARTIFACTS).as_uri()


def check_server(uri: str | None, timeout_s: float = 3.0) -> None:
    """Checks within seconds whether `uri` can take a run; mlflow itself retries for minutes.

    Args:
        uri: As in `Tracking`, None included.
        timeout_s: How long a server may take, or a database be locked by others, seconds.

    Raises:
        StoreError: An http(s) server does not answer or answers with an error, a database file cannot be written, a
            database's driver is not installed, or MLflow cannot use the address.
    """
    uri = tracking_uri(Tracking(uri))
    scheme = uri.split(":", 1)[0].split("+", 1)[0].lower()
    if scheme in ("http", "https"):
        _check_http(uri, timeout_s)
    elif uri.startswith(SQLITE):
        _check_sqlite(uri, timeout_s)
    elif scheme in DATABASES:
        _check_driver(uri)
    elif scheme not in OTHER_SCHEMES:
        raise StoreError(
            f"tracking address {uri!r}",
            found="not a kind of store that MLflow can use",
            expected="sqlite:///FILE or http(s)://HOST:PORT",
            fix="Correct --tracking.uri or MLFLOW_TRACKING_URI.",
        )


def _check_driver(uri: str) -> None:
    """Checks that the database's driver is installed; whether the database answers, mlflow finds out."""
    try:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        raise _driver_error(uri.split(":", 1)[0], error) from error
    try:
        make_url(uri).get_dialect().import_dbapi()
    except (ImportError, SQLAlchemyError) as error:
        raise _driver_error(uri.split(":", 1)[0], error) from error


def _driver_error(scheme: str, error: Exception) -> StoreError:
    return StoreError(  # without the rest of the address, which may hold a password
        f"tracking address {scheme}://...",
        found=f"no driver for such a database ({error})",
        expected="an address whose driver is installed",
        fix="Install the driver, such as psycopg or pymysql, or correct the address.",
    )


def _check_http(uri: str, timeout_s: float) -> None:
    try:
        with urllib.request.urlopen(uri.rstrip("/") + "/health", timeout=timeout_s):
            return
    except urllib.error.HTTPError as error:
        if error.code < 500:
            return  # something answers; mlflow finds out what it allows
        reason = f"an answer of {error.code} {error.reason}"
    except (OSError, ValueError) as error:
        reason = f"no answer ({getattr(error, 'reason', error)})"
    raise StoreError(
        f"tracking server {uri}",
        found=reason,
        expected=f"an MLflow server that answers within {timeout_s:g} s",
        fix="Start it, correct --tracking.uri or MLFLOW_TRACKING_URI, or leave both out to track in a file.",
    )


def _check_sqlite(uri: str, timeout_s: float) -> None:
    path = Path(uri.removeprefix(SQLITE))
    try:
        if path.exists():
            with closing(sqlite3.connect(path, timeout=timeout_s)) as connection:
                connection.execute(
                    "BEGIN IMMEDIATE"
                )  # takes the write lock: fails where a run's first line would
                connection.rollback()
        else:  # not by making it: another process may be about to
            tempfile.TemporaryFile(dir=path.parent).close()
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            str(path),
            found=f"a database that cannot be written ({error})",
            expected="a new file in an existing, writable folder, or MLflow's database",
            fix="Correct --tracking.uri or MLFLOW_TRACKING_URI, or make the location writable.",
        ) from error
