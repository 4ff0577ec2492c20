"""The registry on a real MLflow server that hands out its artifacts itself, and one that dies on the way."""

from __future__ import annotations

import http.client
import threading
import urllib.parse
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from tracking.stores import (
    Started,
    files,
    make_bundles,
    new_store,
    noise,
    resealed,
    start_server,
    versions_in,
)

from tapezoo.serving.served import _load_pyfunc
from tapezoo.tracking.errors import NotPromotedError, StoreError, VersionError
from tapezoo.tracking.promote import promote_version
from tapezoo.tracking.pull import pull_bundle
from tapezoo.tracking.push import push_bundle

pytestmark = pytest.mark.slow  # a server takes its time to start


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_bundles(tmp_path_factory)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server keeps its database and its artifacts."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    started = start_server(root, new_store(root, tmp_path_factory))
    yield started
    started.kill()


def test_push_promote_pull_and_load_through_a_server(
    server: Started, bundles: dict[str, Path], tmp_path: Path
) -> None:
    uri = server.uri
    push_bundle(bundles["knobs"], "tape", "candidate", uri=uri)
    assert promote_version("tape@candidate", "champion", if_better="val_esr", uri=uri).version == "1"
    worse = resealed(bundles["knobs"], tmp_path / "worse", metrics={"val_esr": 0.02})
    push_bundle(worse, "tape", "candidate", uri=uri)
    with pytest.raises(NotPromotedError):
        promote_version("tape@candidate", "champion", if_better="val_esr", uri=uri)
    pull_bundle("models:/tape@champion", tmp_path / "out", uri=uri)
    assert files(tmp_path / "out") == files(bundles["knobs"])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # mlflow's own type hints, at its import
        from mlflow.pyfunc import load_model
    audio = noise()
    controls = {"controls": {"drive": 9}}
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    output = load_model("models:/tape@champion").predict(audio, params=controls)
    mlflow.set_tracking_uri(before)
    np.testing.assert_array_equal(output, _load_pyfunc(str(bundles["knobs"])).predict(audio, controls))


def test_a_server_whose_files_were_changed_is_refused(
    server: Started, root: Path, bundles: dict[str, Path], tmp_path: Path
) -> None:
    push_bundle(bundles["plain"], "changed", uri=server.uri)
    for card in (root / "artifacts").rglob("MODEL_CARD.md"):
        card.write_text("better than it is")
    with pytest.raises(VersionError, match="MODEL_CARD"):
        pull_bundle("changed/1", tmp_path / "out", uri=server.uri)
    assert list(tmp_path.iterdir()) == []


# --- what lies between us and the server ---


class Cable:
    """A proxy to the server that is cut when `cuts` says so of a request: before it, or before its answer."""

    def __init__(self, server: Started) -> None:
        self.to = urllib.parse.urlparse(server.uri).netloc
        self.cuts: Callable[[str, str], bool] = lambda method, path: False
        self.loses_answer = False
        self.is_cut = False
        cable = self

        class Handler(BaseHTTPRequestHandler):
            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                cut_now = not cable.is_cut and cable.cuts(self.command, self.path)
                cable.is_cut = cable.is_cut or cut_now
                if cable.is_cut and not (cut_now and cable.loses_answer):
                    return
                upstream = http.client.HTTPConnection(cable.to, timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                upstream.request(self.command, self.path, body, headers)
                answer = upstream.getresponse()
                content = answer.read()
                upstream.close()
                if cable.is_cut:
                    return
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers.get("Content-Type") or "text/plain")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward

            def log_message(self, *args: object) -> None:
                pass

        self._proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self._proxy.server_port}"
        self._thread = threading.Thread(target=self._proxy.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def heal(self) -> None:
        self.cuts, self.is_cut, self.loses_answer = lambda method, path: False, False, False

    def close(self) -> None:
        self._proxy.shutdown()
        self._thread.join()
        self._proxy.server_close()


@pytest.fixture
def cable(server: Started, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cable]:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    cable = Cable(server)
    yield cable
    cable.close()


def at(method: str, part: str, count: int = 1) -> Callable[[str, str], bool]:
    """Says yes to the `count`-th request of that kind."""
    seen = [0]

    def cuts(verb: str, path: str) -> bool:
        seen[0] += verb == method and part in path
        return seen[0] >= count

    return cuts


PLACES = {
    "the first file": (at("PUT", "mlflow-artifacts", 1), False),
    "in the middle of the files": (at("PUT", "mlflow-artifacts", 5), False),
    "the answer to a file": (at("PUT", "mlflow-artifacts", 6), True),
    "the model": (at("POST", "registered-models/create"), False),
    "the version": (at("POST", "model-versions/create"), False),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_connection_that_is_cut_leaves_no_version_and_a_retry_succeeds(
    place: str, cable: Cable, root: Path, bundles: dict[str, Path], tmp_path: Path
) -> None:
    name = f"cut at {place}"
    before = versions_in(root / "mlruns.db")
    cable.cuts, cable.loses_answer = PLACES[place]
    with pytest.raises(StoreError, match="Run the command again"):
        push_bundle(bundles["plain"], name, "candidate", uri=cable.uri)
    assert cable.is_cut
    assert versions_in(root / "mlruns.db") == before
    with pytest.raises(StoreError):
        push_bundle(bundles["plain"], name, "candidate", uri=cable.uri)
    cable.heal()
    assert push_bundle(bundles["plain"], name, "candidate", uri=cable.uri).version == "1"
    pull_bundle(f"{name}@candidate", tmp_path / "out", uri=cable.uri)
    assert files(tmp_path / "out") == files(bundles["plain"])


@pytest.mark.parametrize(
    ("part", "loses_answer"), [("model-versions/create", True), ("registered-models/alias", False)]
)
def test_a_version_whose_registration_was_not_heard_of_is_whole_and_used_by_the_retry(
    part: str, loses_answer: bool, cable: Cable, bundles: dict[str, Path], tmp_path: Path
) -> None:
    name = f"unheard {part.replace('/', ' ')}"
    cable.cuts, cable.loses_answer = at("POST", part), loses_answer
    with pytest.raises(StoreError, match="files that are already uploaded are used again"):
        push_bundle(bundles["plain"], name, "candidate", uri=cable.uri)
    cable.heal()
    pushed = push_bundle(bundles["plain"], name, "candidate", uri=cable.uri)
    assert (pushed.version, pushed.is_new) == ("1", False)
    pull_bundle(f"{name}@candidate", tmp_path / "out", uri=cable.uri)


def test_a_download_that_is_cut_leaves_nothing(
    cable: Cable, bundles: dict[str, Path], tmp_path: Path
) -> None:
    push_bundle(bundles["knobs"], "download", uri=cable.uri)
    cable.cuts = at("GET", "mlflow-artifacts/artifacts/", 4)
    with pytest.raises(StoreError, match="Nothing was written"):
        pull_bundle("download/1", tmp_path / "out", uri=cable.uri)
    assert cable.is_cut
    assert list(tmp_path.iterdir()) == []
    cable.heal()
    pull_bundle("download/1", tmp_path / "out", uri=cable.uri)


def test_a_server_that_dies_during_the_upload_holds_no_version_and_a_new_one_takes_it(
    bundles: dict[str, Path],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process is killed, and another one is started on the same database and port."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    database = new_store(tmp_path, tmp_path_factory)
    server = start_server(tmp_path, database)
    upload = at("PUT", "mlflow-artifacts", 6)

    def dies(method: str, path: str) -> bool:
        if upload(method, path):
            server.kill()
            return True
        return False

    cable = Cable(server)
    cable.cuts = dies
    try:
        with pytest.raises(StoreError, match=r"uploading.*No version was registered"):
            push_bundle(bundles["plain"], "tape", "candidate", uri=cable.uri)
    finally:
        cable.close()
    assert 0 < len(list((tmp_path / "artifacts").rglob("*"))) < len(files(bundles["plain"])) + 10
    assert versions_in(tmp_path / "mlruns.db") == []
    port = urllib.parse.urlparse(server.uri).port
    again = start_server(tmp_path, database, port)
    try:
        assert push_bundle(bundles["plain"], "tape", "candidate", uri=again.uri).version == "1"
        pull_bundle("tape@candidate", tmp_path / "out", uri=again.uri)
        client = MlflowClient(again.uri)
        experiment = client.get_experiment_by_name("tapezoo")
        assert experiment is not None
        statuses = [run.info.status for run in client.search_runs([experiment.experiment_id])]
        assert sorted(statuses) == ["FINISHED", "RUNNING"], "nobody could tell the dead server"
    finally:
        again.kill()
    assert files(tmp_path / "out") == files(bundles["plain"])
