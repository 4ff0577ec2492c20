"""A training as an MLflow run: Lightning's logger, with metrics by epoch and a status of ours."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch.loggers import MLFlowLogger

from tapezoo.tracking.address import Tracking, artifact_location, check_server, tracking_uri
from tapezoo.tracking.client import as_store_error, open_client, prepare_mlflow
from tapezoo.tracking.database import ensure_database
from tapezoo.tracking.known_stores import remember_store
from tapezoo.tracking.tags import PLACE_TAG
from tapezoo.tracking.waiting import interruptions_wait

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

RUN_ID = "mlflow_run_id"  # in the run's folder
PARENT_TAG = "mlflow.parentRunId"  # mlflow.utils.mlflow_tags; its pages nest runs by it
MOST_DATASET_NAME, MOST_DIGEST = 500, 36  # characters that MLflow takes
MLFLOW_STATUS = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED", "nan": "FAILED"}


class TrackedRun(MLFlowLogger):
    """Lightning's MLflow logger, with metrics by epoch, a status of ours, and no power to end a training.

    Made by `make_logger`. What MLflow refuses after the start (server gone, disk full) is reported once;
    nothing is logged after that: a lost log is not worth a lost model.
    """

    id_file: Path | None = None  # where the run's id is written
    _final: str | None = None
    _lost: bool = False

    @property
    def uri(self) -> str:
        """Address of the store."""
        return str(self._tracking_uri)

    def begin(self) -> str | None:
        """Begins the run unless it has begun; returns its id, or None where the store takes no run any more."""
        found: list[str | None] = []
        self._attempt("run", lambda: found.append(self.run_id))
        if not found or found[0] is None:
            return None
        if self.id_file is not None:
            self.id_file.write_text(f"{found[0]}\n", encoding="utf-8")
        return found[0]

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
        """Stores what does not change as the run's parameters; what a resumed run has already stays as it is."""

        def store() -> None:
            known = self.experiment.get_run(self.run_id).data.params
            self.log_hyperparams({name: value for name, value in settings.items() if name not in known})

        self._attempt("settings", store)

    def log_dataset(self, name: str, digest: str, profile: Mapping[str, Any]) -> None:
        """Stores what is trained on as the run's dataset.

        Args:
            name: Of the recordings, for people.
            digest: Of everything that makes the data what they are; its first 36 characters, as MLflow allows.
            profile: What else there is to know, as plain values.
        """

        def store() -> None:
            from mlflow.entities import Dataset, DatasetInput, InputTag

            text = json.dumps(dict(profile))
            data = Dataset(name[:MOST_DATASET_NAME], digest[:MOST_DIGEST], "recordings", text, None, text)
            self.experiment.log_inputs(
                self.run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])]
            )

        self._attempt("dataset", store)

    def describe(self, text: str) -> None:
        """Sets the description on the run's page, in Markdown."""
        self.set_tags({"mlflow.note.content": text})

    def set_status(self, status: str) -> None:
        """Marks the run "finished", "interrupted", "failed" or "nan", for the tag and for MLflow."""
        self._final = MLFLOW_STATUS[status]
        self.set_tags({"status": status})
        self._attempt("status", lambda: self.experiment.set_terminated(self.run_id, self._final))

    def finalize(self, status: str = "success") -> None:
        """Called by Lightning at its ends; it does not handle Ctrl-C, so `set_status` decides."""
        self._attempt("status", lambda: super(TrackedRun, self).finalize(self._final or status))

    def _attempt(self, what: str, action: Any) -> None:
        if self._lost:
            return
        try:
            with interruptions_wait():
                action()
        except Exception as error:  # anything an HTTP client, a database driver or a disk can raise
            self._lost = True
            log.warning("tracking stopped: %s could not be logged (%s); the training continues", what, error)


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
        StoreError: See `check_server` and `ensure_database`.
    """
    uri = tracking_uri(tracking)
    check_server(uri)
    prepare_mlflow()
    ensure_database(uri)
    # Lightning warns that it creates an experiment that is not there yet, as if that were a fault
    logging.getLogger("lightning.pytorch.loggers.mlflow").setLevel(logging.ERROR)
    return TrackedRun(
        experiment_name=tracking.experiment,
        run_name=tracking.run_name,
        tracking_uri=uri,
        tags={PLACE_TAG: str(run_dir.resolve()), **_parent_tag(tracking), **tags},
        run_id=run_id,
        artifact_location=artifact_location(uri),
        synchronous=True,
    )


def make_run_logger(tracking: Tracking, run_dir: Path, is_resumed: bool) -> TrackedRun:
    """The logger of a training in `run_dir`, which nothing else is at work in.

    A resumed training goes on in the run that the folder names (`RUN_ID`), if the store still has it. Where that run
    is left behind by a process that died, and the training begins anew, it is closed. A copy of a folder has a run of
    its own.

    Args:
        tracking: Address and names.
        run_dir: Where checkpoints lie.
        is_resumed: Whether it goes on from a checkpoint in `run_dir`.

    Raises:
        StoreError: The store does not answer, or failed.
    """
    run_id = _read_run_id(run_dir)
    if run_id is not None:
        client, uri = open_client(tracking.uri), tracking_uri(tracking)
        with as_store_error(
            uri, f"looking for the run {run_id}", "Check the store, then run the command again."
        ):
            run_id = _reopen_run(client, run_dir, run_id, is_resumed)
    logger = make_logger(tracking, run_dir, {}, run_id)
    remember_store(logger.uri)
    logger.id_file = run_dir / RUN_ID
    return logger


def _reopen_run(client: MlflowClient, run_dir: Path, run_id: str, is_resumed: bool) -> str | None:
    """Marks the run of the folder as running again and returns its id; None: a new run, and the old one is closed."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None  # another store, or deleted for good
        raise
    place = str(run_dir.resolve())
    home = run.data.tags.get(PLACE_TAG, place)
    if run.info.lifecycle_stage != "active" or (home != place and _read_run_id(Path(home)) == run_id):
        return None  # deleted; or `run_dir` is a copy, and the run is that of the original
    if is_resumed:
        client.update_run(run_id, status="RUNNING")
        client.set_tag(run_id, PLACE_TAG, place)
        return run_id
    if run.info.status == "RUNNING":
        client.set_tag(run_id, "status", "interrupted")
        client.set_terminated(run_id, MLFLOW_STATUS["interrupted"])
    return None


def _read_run_id(run_dir: Path) -> str | None:
    try:
        text = (run_dir / RUN_ID).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError):
        return None
    return text if re.fullmatch("[0-9a-f]{32}", text) else None


def _parent_tag(tracking: Tracking) -> dict[str, str]:
    return {PARENT_TAG: tracking.parent_run} if tracking.parent_run else {}
