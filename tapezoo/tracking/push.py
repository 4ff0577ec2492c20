"""Registers a bundle: it is verified and uploaded first; then the version is made, and then its alias."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tapezoo import runtime
from tapezoo.bundle import Verification, verify_hashes
from tapezoo.tracking.address import Tracking, artifact_location, check_server, tracking_uri
from tapezoo.tracking.client import as_store_error, open_client
from tapezoo.tracking.model import BUNDLE, write_model
from tapezoo.tracking.names import check_alias, check_name
from tapezoo.tracking.tags import SEAL, version_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient

AGAIN = "No version was registered. Run the command again once the store answers; it is safe to repeat."
HALF_DONE = "Run the command again once the store answers: files that are already uploaded are used again."


@dataclass(frozen=True)
class PushedVersion:
    """A registered version.

    Args:
        name: Of the model.
        version: Its number, as MLflow writes it.
        alias: What points to it now, if one was asked for.
        is_new: False where the same bundle was registered under this name before.
        run_id: The run that holds the files.
        verification: What verifying found.
    """

    name: str
    version: str
    alias: str | None
    is_new: bool
    run_id: str
    verification: Verification


def push_bundle(
    bundle: Path,
    name: str,
    alias: str | None = None,
    *,
    uri: str | None = None,
    experiment: str = "tapezoo",
    run_id: str | None = None,
    openers: runtime.Openers | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> PushedVersion:
    """Verifies `bundle` and registers it as a version of the model `name`.

    Everything is uploaded into a run first; the version is made after that, with all its tags at once, and the
    alias is set last: a store that fails on the way holds no version. A bundle that is registered under this
    name already (by its seal) is not registered again: its version is taken, and given the alias.

    Args:
        bundle: The bundle's folder.
        name: Of the registered model; made if it is not there.
        alias: What is to point to the version; None: nothing.
        uri: As in `Tracking`, None included.
        experiment: Where the run is filed that holds the files.
        run_id: The training's run, to put the files into; it keeps its status. None: the one that the bundle names, if
            this store has it, else a new run.
        openers: Runtimes to replay the bundle in before it goes anywhere, by target name.
        progress: Called with each step's name.

    Raises:
        VersionError: A name or alias no version can have.
        BundleError: The bundle does not verify; nothing was sent.
        StoreError: See `check_server`; or the store failed on the way: no version was registered, or its alias is not
            set.
    """
    check_name(name)
    if alias is not None:
        check_alias(alias)
    check_server(uri)  # before verifying, which takes longer
    progress("verifying the bundle")
    verification = runtime.verify(bundle, openers)
    client, address = open_client(uri), tracking_uri(Tracking(uri))
    with as_store_error(address, f"looking for versions of {name}", AGAIN):
        same = client.search_model_versions(f"name = '{name}' and tags.{SEAL} = '{verification.seal_sha256}'")
    if same:
        found = max(same, key=lambda version: int(version.version))
        number, holder = str(found.version), str(found.run_id)
    else:
        progress("uploading")
        run_id = run_id or _training_run(client, verification.manifest.provenance.get("run_id"))
        holder, source = _upload(client, address, bundle, name, experiment, run_id, verification)
        progress("registering")
        with as_store_error(address, f"registering {name}", HALF_DONE):
            _ensure_model(client, name)
            tags = version_tags(verification.manifest, verification.seal_sha256, run_id)
            number = str(client.create_model_version(name, source, holder, tags=tags).version)
    if alias is not None:
        with as_store_error(address, f"setting the alias {alias} of {name}/{number}", HALF_DONE):
            client.set_registered_model_alias(name, alias, number)
    return PushedVersion(name, number, alias, not same, holder, verification)


def _training_run(client: MlflowClient, run_id: object) -> str | None:
    """The run that a bundle says it was trained in, where this store has it."""
    from mlflow.exceptions import MlflowException

    if not isinstance(run_id, str):
        return None
    try:
        return run_id if client.get_run(run_id).info.lifecycle_stage == "active" else None
    except MlflowException:  # of another store; or no id at all
        return None


def _upload(
    client: MlflowClient,
    uri: str,
    bundle: Path,
    name: str,
    experiment: str,
    run_id: str | None,
    verification: Verification,
) -> tuple[str, str]:
    """Uploads the model folder; returns the run that holds it and its address in the store."""
    with tempfile.TemporaryDirectory() as scratch, as_store_error(uri, f"uploading {bundle}", AGAIN):
        model = Path(scratch) / "model"
        write_model(bundle, verification.manifest, model)
        verify_hashes(model / BUNDLE, verification.seal_sha256)  # the copy that is sent is what was verified
        if run_id is not None:
            return run_id, _send_files(client, run_id, model, verification.seal_sha256)
        own = _create_run(client, uri, experiment, f"push {name}")
        try:
            source = _send_files(client, own, model, verification.seal_sha256)
            client.set_terminated(own, "FINISHED")
        except BaseException:  # Ctrl-C too
            with suppress(Exception):  # the store may be gone for good: then the run stays as it is
                client.set_terminated(own, "FAILED")
            raise
        return own, source


def _send_files(client: MlflowClient, run_id: str, model: Path, seal_sha256: str) -> str:
    folder = f"bundle-{seal_sha256[:12]}"  # a second upload of the same files goes to the same place
    client.log_artifacts(run_id, str(model), folder)
    return f"{str(client.get_run(run_id).info.artifact_uri).rstrip('/')}/{folder}"


def _create_run(client: MlflowClient, uri: str, experiment: str, run_name: str) -> str:
    found = client.get_experiment_by_name(experiment)
    if found is None:
        experiment_id = client.create_experiment(experiment, artifact_location(uri))
    else:
        experiment_id = found.experiment_id
    return str(client.create_run(experiment_id, run_name=run_name).info.run_id)


def _ensure_model(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
