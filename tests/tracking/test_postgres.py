"""The registry with PostgreSQL as the server's store; needs Debian's postgresql and psycopg2."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tracking.stores import files, free_port, make_bundles, resealed, start_server

from tapezoo.tracking.promote import promote_version
from tapezoo.tracking.pull import pull_bundle
from tapezoo.tracking.push import push_bundle

PLACES = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/local/bin")]
PROGRAMS = next((place for place in PLACES if (place / "initdb").exists()), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAMS is None, reason="no initdb: install Debian's package postgresql"),
    pytest.mark.skipif(
        importlib.util.find_spec("psycopg2") is None, reason="no psycopg2: install the dev extra"
    ),
]


@pytest.fixture
def database() -> Iterator[str]:
    """The address of an empty PostgreSQL database; its process ends with the test."""
    folder = Path(tempfile.mkdtemp(prefix="tapezoo-pg-"))  # pytest's own folders are private to this user
    folder.chmod(0o755)
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    if user is not None:
        shutil.chown(folder, user)

    def call(program: str, *arguments: str) -> None:
        assert PROGRAMS is not None
        command = [str(PROGRAMS / program), *arguments]
        done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    data, port = str(folder / "data"), free_port()
    call("initdb", "--pgdata", data, "--username", "tapezoo", "--auth", "trust", "--encoding", "UTF8")
    # -h: loopback alone; fsync off: nothing here outlives the test
    options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off"
    call("pg_ctl", "--pgdata", data, "--wait", "--log", str(folder / "log"), "--options", options, "start")
    try:
        call("createdb", "--host", "127.0.0.1", "--port", str(port), "--username", "tapezoo", "mlflow")
        yield f"postgresql+psycopg2://tapezoo@127.0.0.1:{port}/mlflow"
    finally:
        call("pg_ctl", "--pgdata", data, "--mode", "immediate", "stop")
        shutil.rmtree(folder)


def test_push_promote_and_pull_with_a_postgresql_store(
    database: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bundle = make_bundles(tmp_path_factory)["plain"]
    better = resealed(bundle, tmp_path / "better", metrics={"val_esr": 0.001})
    server = start_server(tmp_path / "server", database)
    try:
        uri = server.uri
        push_bundle(bundle, "tape", "champion", uri=uri)
        assert not push_bundle(bundle, "tape", "champion", uri=uri).is_new
        push_bundle(better, "tape", "candidate", uri=uri)
        assert promote_version("tape@candidate", "champion", if_better="val_esr", uri=uri).before == "1"
        pull_bundle("models:/tape@champion", tmp_path / "out", uri=uri)
        assert files(tmp_path / "out") == files(better)
    finally:
        server.kill()
