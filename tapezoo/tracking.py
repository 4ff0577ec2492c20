"""Experiment tracking with MLflow: where runs go, whether that place answers, and what a run holds.

This is the only module that imports mlflow, and it does so only when a run is made.
"""

from __future__ import annotations

import logging
import os
import platform
import sqlite3
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import MLFlowLogger

from tapezoo.errors import TapezooError

log = logging.getLogger(__name__)

DATABASE, ARTIFACTS = "mlruns.db", "mlartifacts"
SQLITE = "sqlite:///"
OTHER_SCHEMES = (
    "postgresql",
    "mysql",
    "mssql",
    "databricks",
    "uc",
)  # mlflow's own; their drivers say what fails
VERSIONED = ("tapezoo", "torch", "lightning", "mlflow", "numpy", "numba")
PARENT_TAG = "mlflow.parentRunId"  # mlflow.utils.mlflow_tags; its pages nest runs by it
MLFLOW_STATUS = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED", "nan": "FAILED"}


class TrackingServerError(TapezooError):
    """The tracking server does not answer."""


class TrackingStoreError(TapezooError):
    """The tracking database cannot be written, or the address names no store MLflow can use."""


@dataclass
class Tracking:
    """Where and under which names a run is tracked.

    Args:
        uri: `sqlite:///FILE`, or the http(s) address of a server; without one the variable
            MLFLOW_TRACKING_URI, and without that `sqlite:///mlruns.db` in the working directory.
        experiment: What the run is filed under.
        run_name: For people; without one MLflow makes one up.
        parent_run: Id of the run this one belongs to, as the rows of a comparison do.
    """

    uri: str | None = None
    experiment: str = "tapezoo"
    run_name: str | None = None
    parent_run: str | None = None


class TrackedRun(MLFlowLogger):
    """Lightning's MLflow logger, with metrics by epoch, a status of ours, and no power to end a training.

    Made by `make_logger`. What MLflow refuses after the start (server gone, disk full) is said once and
    then left: a lost log is not worth a lost model.
    """

    _final: str | None = None
    _lost: bool = False

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """One point per metric at the number of the epoch; Lightning counts optimizer steps."""
        by_name = dict(metrics)
        epoch = by_name.pop("epoch", None)
        self._attempt(
            "metrics",
            lambda: super(TrackedRun, self).log_metrics(by_name, step if epoch is None else int(epoch)),
        )

    def log_text(self, text: str, name: str) -> None:
        """Stores `text` as the artifact `name`."""
        self._attempt(name, lambda: self.experiment.log_text(self.run_id, text, name))

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Stores a copy of the file as an artifact, in `folder` of the run."""
        self._attempt(path.name, lambda: self.experiment.log_artifact(self.run_id, str(path), folder))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Adds or replaces tags."""
        for name, value in tags.items():
            self._attempt(
                name, lambda name=name, value=value: self.experiment.set_tag(self.run_id, name, value)
            )

    def log_settings(self, settings: Mapping[str, str]) -> None:
        """Stores what does not change as the run's parameters."""
        self._attempt("settings", lambda: self.log_hyperparams(dict(settings)))

    def set_status(self, status: str) -> None:
        """Marks the run "finished", "interrupted", "failed" or "nan", for the tag and for MLflow."""
        self._final = MLFLOW_STATUS[status]
        self.set_tags({"status": status})
        self._attempt("status", lambda: self.experiment.set_terminated(self.run_id, self._final))

    def finalize(self, status: str = "success") -> None:
        """Called by Lightning at its ends; it knows no Ctrl-C, so `set_status` has the last word."""
        self._attempt("status", lambda: super(TrackedRun, self).finalize(self._final or status))

    def _attempt(self, what: str, action: Any) -> None:
        if self._lost:
            return
        try:
            action()
        except Exception as error:  # anything an HTTP client, a database driver or a disk can raise
            self._lost = True
            log.warning("tracking stopped: %s could not be logged (%s); the training goes on", what, error)


def make_logger(
    tracking: Tracking, run_dir: Path, tags: Mapping[str, str], run_id: str | None = None
) -> TrackedRun:
    """The run's logger, after `check_server`; the run itself begins with the first thing logged.

    Artifacts of a sqlite store lie in `mlartifacts` beside the database (an experiment that exists keeps the
    place it was made with), those of a server where the server puts them. MLflow's telemetry is off unless
    MLFLOW_DISABLE_TELEMETRY says otherwise.

    Args:
        tracking: Address and names.
        run_dir: Where checkpoints lie; stored as a tag.
        tags: Further tags of the run.
        run_id: A run to go on with; None: a new one.

    Raises:
        TrackingServerError, TrackingStoreError: See `check_server`.
    """
    uri = tracking_uri(tracking)
    check_server(uri)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read at mlflow's import
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # 7 retries stop a training for minutes
    for chatty in ("alembic", "mlflow.store.db.utils"):  # forty lines on migrations for every new database
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Lightning warns that it creates an experiment that is not there yet, as if that were a fault
    logging.getLogger("lightning.pytorch.loggers.mlflow").setLevel(logging.ERROR)
    return TrackedRun(
        experiment_name=tracking.experiment,
        run_name=tracking.run_name,
        tracking_uri=uri,
        tags={"run_dir": str(run_dir.resolve()), **_parent_tag(tracking), **tags},
        run_id=run_id,
        artifact_location=artifact_location(uri),
        synchronous=True,
    )


def has_run(tracking: Tracking, run_id: str) -> bool:
    """Whether the store still holds the run."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        return bool(MlflowClient(tracking_uri(tracking)).get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException:
        return False


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
    """Says within seconds whether `uri` can take a run; mlflow itself retries for minutes.

    Args:
        uri: As in `Tracking`, None included.
        timeout_s: How long a server may take, or a database be locked by others, seconds.

    Raises:
        TrackingServerError: An http(s) server that is not there, or answers with an error of its own.
        TrackingStoreError: A database file that cannot be written, or no address MLflow can use.
    """
    uri = tracking_uri(Tracking(uri))
    scheme = uri.split(":", 1)[0].split("+", 1)[0].lower()
    if scheme in ("http", "https"):
        _check_http(uri, timeout_s)
    elif uri.startswith(SQLITE):
        _check_sqlite(uri, timeout_s)
    elif scheme not in OTHER_SCHEMES:
        raise TrackingStoreError(
            f"tracking address {uri!r}",
            found="no kind of store MLflow can use",
            expected="sqlite:///FILE or http(s)://HOST:PORT",
            fix="Correct --tracking.uri or MLFLOW_TRACKING_URI.",
        )


def versions(directory: Path) -> dict[str, str]:
    """Versions of what a run stands on; in a git checkout also its commit, and whether it was changed."""
    found = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # a slim environment
    commit = _git(directory, "rev-parse", "HEAD")
    if commit:
        found["git_commit"] = commit
        found["git_dirty"] = str(
            bool(_git(directory, "status", "--porcelain", "--untracked-files=no"))
        ).lower()
    return found


def _parent_tag(tracking: Tracking) -> dict[str, str]:
    return {PARENT_TAG: tracking.parent_run} if tracking.parent_run else {}


def _check_http(uri: str, timeout_s: float) -> None:
    try:
        with urllib.request.urlopen(uri.rstrip("/") + "/health", timeout=timeout_s):
            return
    except urllib.error.HTTPError as error:
        if error.code < 500:
            return  # something answers; what it allows, mlflow finds out
        reason = f"an answer of {error.code} {error.reason}"
    except (OSError, ValueError) as error:
        reason = f"no answer ({getattr(error, 'reason', error)})"
    raise TrackingServerError(
        f"tracking server {uri}",
        found=reason,
        expected=f"an MLflow server that answers within {timeout_s:g} s",
        fix="Start it, correct --tracking.uri or MLFLOW_TRACKING_URI, or leave both out to track in a file.",
    )


def _check_sqlite(uri: str, timeout_s: float) -> None:
    path = Path(uri.removeprefix(SQLITE))
    is_new = not path.exists()
    try:
        with closing(sqlite3.connect(path, timeout=timeout_s)) as connection:
            connection.execute(
                "BEGIN IMMEDIATE"
            )  # takes the write lock: fails where a run's first line would
            connection.rollback()
        if is_new:
            path.unlink(missing_ok=True)
    except (sqlite3.Error, OSError) as error:
        raise TrackingStoreError(
            str(path),
            found=f"a database that cannot be written ({error})",
            expected="a new file in an existing, writable folder, or MLflow's database",
            fix="Correct --tracking.uri or MLFLOW_TRACKING_URI, or make the place writable.",
        ) from error


def _git(directory: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=directory, capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""  # no git, or no checkout
    return done.stdout.strip()
