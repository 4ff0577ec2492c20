"""Tracking against MLflow's own client, on databases and servers made here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socket import socket

import pytest
from mlflow import MlflowClient
from tracking.stores import free_port, new_store

from tapezoo import __version__
from tapezoo.tracking import (
    Tracking,
    artifact_location,
    check_server,
    collect_versions,
    has_run,
    make_logger,
    make_run_logger,
    tracking_uri,
)
from tapezoo.tracking.errors import StoreError
from tapezoo.tracking.pictures import log_figures, log_pictures


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one database for all tests."""
    folder = tmp_path_factory.mktemp("store")
    new_store(folder, tmp_path_factory)
    return folder


def uri_in(folder: Path) -> str:
    return f"sqlite:///{folder}/mlruns.db"


def test_a_run_holds_metrics_by_epoch_text_files_tags_and_a_status(store: Path, tmp_path: Path) -> None:
    uri = uri_in(store)
    logger = make_logger(Tracking(uri, "content", "a name"), tmp_path, {"colour": "blue"})
    logger.log_metrics({"val_esr": 0.5, "epoch": 3.0}, step=999)
    logger.log_text("a: 1\n", "config.yaml")
    file = tmp_path / "sound.wav"
    file.write_bytes(b"sound")
    logger.log_file(file, "report")
    logger.set_status("finished")

    client = MlflowClient(uri)
    assert logger.run_id is not None
    run = client.get_run(logger.run_id)
    assert [(at.step, at.value) for at in client.get_metric_history(logger.run_id, "val_esr")] == [(3, 0.5)]
    assert "epoch" not in run.data.metrics
    assert run.info.run_name == "a name"
    assert run.info.status == "FINISHED"
    tags = run.data.tags
    assert (tags["colour"], tags["status"], tags["run_dir"]) == ("blue", "finished", str(tmp_path))
    artifacts = store / "mlartifacts" / logger.run_id / "artifacts"
    assert (artifacts / "config.yaml").read_text() == "a: 1\n"
    assert (artifacts / "report" / "sound.wav").read_bytes() == b"sound"


@pytest.mark.parametrize(
    ("status", "mlflow_status"), [("interrupted", "KILLED"), ("failed", "FAILED"), ("nan", "FAILED")]
)
def test_lightnings_own_ending_does_not_overrule_the_status(
    status: str, mlflow_status: str, store: Path, tmp_path: Path
) -> None:
    logger = make_logger(Tracking(uri_in(store), "status"), tmp_path, {})
    logger.set_status(status)
    logger.finalize("success" if status == "failed" else "failed")
    assert logger.run_id is not None
    run = MlflowClient(uri_in(store)).get_run(logger.run_id)
    assert (run.info.status, run.data.tags["status"]) == (mlflow_status, status)


def test_a_store_lost_on_the_way_is_said_once_and_raises_nothing(
    store: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = make_logger(Tracking(uri_in(store), "lost"), tmp_path, {})
    logger.log_metrics({"val_esr": 1.0}, step=0)
    assert logger.begin() == logger.run_id
    logger._run_id = "no such run"
    for _ in range(3):
        logger.log_metrics({"val_esr": 1.0}, step=1)
    logger.set_status("finished")
    logger.finalize("success")
    assert logger.begin() is None
    assert [record.message.split(":")[0] for record in caplog.records] == ["tracking stopped"]


def test_the_address_is_the_argument_then_the_environment_of_now_then_a_local_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri(Tracking()) == f"sqlite:///{tmp_path}/mlruns.db"
    assert artifact_location(tracking_uri(Tracking())) == (tmp_path / "mlartifacts").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:5000/")
    assert tracking_uri(Tracking()) == "http://tracking.example:5000"
    assert artifact_location(tracking_uri(Tracking())) is None
    assert tracking_uri(Tracking("sqlite:///sub/x.db")) == f"sqlite:///{tmp_path}/sub/x.db"


def test_mlflow_is_not_imported_before_a_run_is_made(tmp_path: Path) -> None:
    code = (
        "import sys, tapezoo.tracking as t; t.check_server('sqlite:///x'); assert 'mlflow' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("wanted", "result"), [(None, True), ("false", False)])
def test_telemetry_is_off_unless_the_user_says_otherwise(
    wanted: str | None, result: bool, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        monkeypatch.delenv(name, raising=False)
    if wanted is not None:
        monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", wanted)
    make_logger(Tracking(uri_in(store), "telemetry"), tmp_path, {})
    assert (os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true") is result


def test_a_run_can_belong_to_another_and_be_gone_on_with(store: Path, tmp_path: Path) -> None:
    tracking = Tracking(uri_in(store), "family")
    parent = make_logger(tracking, tmp_path, {})
    parent.log_settings({"budget": "3 minutes"})
    assert parent.run_id is not None
    child = make_logger(replace(tracking, parent_run=parent.run_id), tmp_path, {})
    child.log_metrics({"val_esr": 0.5, "epoch": 0.0})
    again = make_logger(tracking, tmp_path, {}, run_id=parent.run_id)
    again.log_text("table", "table.md")

    client = MlflowClient(uri_in(store))
    assert child.run_id is not None
    assert client.get_run(child.run_id).data.tags["mlflow.parentRunId"] == parent.run_id
    assert [artifact.path for artifact in client.list_artifacts(parent.run_id)] == ["table.md"]
    assert client.get_run(parent.run_id).data.params == {"budget": "3 minutes"}
    assert has_run(tracking, parent.run_id)
    assert not has_run(tracking, "0" * 32)


# --- after kill -9 ---


def begun_in(folder: Path, store: Path, is_resumed: bool) -> str:
    """The id of a run that begins in `folder`, and is left as kill -9 leaves it."""
    folder.mkdir(exist_ok=True)
    logger = make_run_logger(Tracking(uri_in(store), "killed"), folder, is_resumed)
    run_id = logger.begin()
    assert run_id is not None
    logger.log_metrics({"val_esr": 0.5, "epoch": 1.0})
    return run_id


def test_a_run_that_was_killed_goes_on_when_it_is_resumed_also_where_its_folder_was_moved(
    store: Path, tmp_path: Path
) -> None:
    client, folder = MlflowClient(uri_in(store)), tmp_path / "run"
    killed = begun_in(folder, store, is_resumed=False)
    assert begun_in(folder, store, is_resumed=True) == killed
    client.set_terminated(killed, "KILLED")
    folder.rename(tmp_path / "moved")
    assert begun_in(tmp_path / "moved", store, is_resumed=True) == killed
    run = client.get_run(killed)
    assert (run.info.status, run.data.tags["run_dir"]) == ("RUNNING", str(tmp_path / "moved"))
    assert {at.step for at in client.get_metric_history(killed, "val_esr")} == {1}


def test_a_run_that_was_killed_is_closed_when_another_begins_in_its_folder(
    store: Path, tmp_path: Path
) -> None:
    client, folder = MlflowClient(uri_in(store)), tmp_path / "run"
    killed = begun_in(folder, store, is_resumed=False)
    new = begun_in(folder, store, is_resumed=False)
    assert new != killed
    assert client.get_run(killed).info.status == "KILLED"
    assert client.get_run(new).info.status == "RUNNING"
    assert begun_in(folder, store, is_resumed=True) == new


def test_a_copy_of_a_run_and_a_run_the_store_lost_get_a_run_of_their_own(store: Path, tmp_path: Path) -> None:
    client, folder = MlflowClient(uri_in(store)), tmp_path / "run"
    original = begun_in(folder, store, is_resumed=False)
    shutil.copytree(folder, tmp_path / "copy")
    copied = begun_in(tmp_path / "copy", store, is_resumed=True)
    assert copied != original
    assert client.get_run(original).data.tags["run_dir"] == str(folder)
    client.delete_run(original)
    lost = begun_in(folder, store, is_resumed=True)
    assert lost not in (original, copied)
    for note in ("0" * 32, "", "../../etc"):
        (folder / "mlflow_run_id").write_text(note)
        assert begun_in(folder, store, is_resumed=True) not in (original, copied, lost)


# --- pictures made afterwards ---


def test_pictures_go_to_the_run_of_the_training_and_a_look_makes_no_store(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = begun_in(tmp_path / "run", store, is_resumed=False)
    (tmp_path / "sweep" / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/a.png", "a.csv"):
        (tmp_path / "sweep" / name).write_bytes(b"picture")
    assert log_pictures(run_id, tmp_path / "sweep", "**/*.png", "sweep", uri_in(store)) == 2
    client = MlflowClient(uri_in(store))
    assert {found.path for found in client.list_artifacts(run_id, "sweep")} == {"sweep/a.png", "sweep/sub"}
    for nobody in (None, "0" * 32, 7):
        assert log_pictures(nobody, tmp_path / "sweep", "*.png", "sweep", uri_in(store)) == 0
    assert log_pictures(run_id, tmp_path / "sweep", "*.png", "sweep", uri_in(tmp_path)) == 0
    assert not (tmp_path / "mlruns.db").exists()
    assert caplog.records == []
    monkeypatch.setattr(MlflowClient, "log_artifact", lambda *_: 1 / 0)
    assert log_pictures(run_id, tmp_path / "sweep", "*.png", "sweep", uri_in(store)) == 0
    assert "could not be logged" in caplog.text


def test_figures_go_to_the_run_of_the_training(store: Path, tmp_path: Path) -> None:
    run_id = begun_in(tmp_path / "run", store, is_resumed=False)
    assert log_figures(run_id, {"test_esr": 0.25, "test_esr_delay_kept": 0.5}, uri_in(store))
    metrics = MlflowClient(uri_in(store)).get_run(run_id).data.metrics
    assert (metrics["test_esr"], metrics["test_esr_delay_kept"]) == (0.25, 0.5)
    assert not log_figures("0" * 32, {"test_esr": 0.25}, uri_in(store))


# --- places that cannot take a run ---


def test_a_server_that_is_down_is_said_within_seconds(tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    started_s = time.monotonic()
    with pytest.raises(StoreError, match=uri):
        make_logger(Tracking(uri), tmp_path, {})
    assert time.monotonic() - started_s < 5


def test_a_server_that_accepts_and_stays_silent_is_said_within_seconds() -> None:
    with socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started_s = time.monotonic()
        with pytest.raises(StoreError, match="timed out"):
            check_server(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.5)
        assert time.monotonic() - started_s < 3


@pytest.fixture
def answering() -> Iterator[tuple[HTTPServer, str]]:
    """A server whose every answer has the status in `server.status`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(self.server.status)  # type: ignore[attr-defined]
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_is_judged_by_its_answer(answering: tuple[HTTPServer, str]) -> None:
    server, uri = answering
    for status in (200, 401, 404):  # protected, or without /health: mlflow finds out
        server.status = status  # type: ignore[attr-defined]
        check_server(uri)
    server.status = 503  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match="503"):
        check_server(uri)


def test_a_database_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("this is a letter, not a database, and long enough to be one" * 20)
    for path in (tmp_path / "nowhere" / "x.db", tmp_path / "notes.db", tmp_path):
        with pytest.raises(StoreError) as raised:
            check_server(f"sqlite:///{path}")
        assert str(path) in str(raised.value)
    assert "letter" in (tmp_path / "notes.db").read_text()


def test_looking_leaves_no_database_behind(tmp_path: Path) -> None:
    check_server(f"sqlite:///{tmp_path}/new.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("uri", ["file:./mlruns", "./mlruns", "htp://server"])
def test_an_address_mlflow_cannot_use_is_refused(uri: str) -> None:
    with pytest.raises(StoreError, match=r"sqlite:///FILE"):
        check_server(uri)


# --- versions ---


def test_versions_name_commit_and_changes_of_a_checkout(tmp_path: Path) -> None:
    assert "git_commit" not in collect_versions(tmp_path)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    (tmp_path / "file").write_text("1")
    for arguments in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    clean = collect_versions(tmp_path)
    assert clean["tapezoo"] == __version__
    assert clean["git_dirty"] == "false"
    assert len(clean["git_commit"]) == 40
    (tmp_path / "file").write_text("2")
    assert collect_versions(tmp_path)["git_dirty"] == "true"


@pytest.mark.parametrize("way", ["core.fsmonitor", "filter.x.clean"])
def test_looking_at_a_strangers_checkout_runs_none_of_its_programs(way: str, tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    (tmp_path / "file").write_text("1")
    (tmp_path / ".gitattributes").write_text("file filter=x")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    (tmp_path / "file").write_text("2")
    subprocess.run(["git", "config", way, "touch RAN; cat"], cwd=tmp_path, check=True)
    assert len(collect_versions(tmp_path)["git_commit"]) == 40
    assert not (tmp_path / "RAN").exists()


@pytest.mark.parametrize("scheme", ["mssql+pymssql", "postgresql+nosuch"])
def test_a_database_without_its_driver_is_said_before_any_work_and_no_password_with_it(scheme: str) -> None:
    with pytest.raises(StoreError, match="Install the driver") as said:
        check_server(f"{scheme}://me:secret@127.0.0.1:1/none")
    assert "secret" not in str(said.value)
