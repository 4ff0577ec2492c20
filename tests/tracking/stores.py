"""Stores, servers and bundles for the tests of the registry."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from socket import socket

import numpy as np
import pytest
from export.nets import arguments, fir, lstm
from made_once import made_once
from mlflow import MlflowClient

from tapezoo.bundle import read_manifest, seal
from tapezoo.export import export_bundle
from tapezoo.tracking.database import ensure_database

DATA = {"dataset_hash": "d" * 64, "run_id": "1234abcd"}


def new_store(folder: Path, factory: pytest.TempPathFactory) -> str:
    """The address of an empty database in `folder`; migrating a new one takes seconds, copying it does not."""

    def make(path: Path) -> None:
        ensure_database(f"sqlite:///{path}")
        MlflowClient(f"sqlite:///{path}").search_experiments()

    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(made_once(factory, "blank.db", make), folder / "mlruns.db")
    return f"sqlite:///{folder}/mlruns.db"


def make_bundles(factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two honest bundles, to be read only: "plain", and "knobs" with the controls drive and speed."""

    def make(path: Path) -> None:
        path.mkdir()
        for name, net in {"plain": fir(), "knobs": lstm(2, taps=16)}.items():
            export_bundle(net, **arguments(net, path / name, provenance=DATA))

    folder = made_once(factory, "bundles", make)
    return {name: folder / name for name in ("plain", "knobs")}


def resealed(bundle: Path, out: Path, **changes: object) -> Path:
    """A copy whose manifest says something else, sealed again: another honest bundle, without an export."""
    from dataclasses import replace

    shutil.copytree(bundle, out)
    seal(out, replace(read_manifest(out), **changes))  # type: ignore[arg-type]
    return out


def files(root: Path) -> dict[str, bytes]:
    """Every file below `root` by its path."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def noise(channels: int = 2, samples: int = 5000) -> np.ndarray:
    """Float32 noise at half scale."""
    return np.random.default_rng(3).uniform(-0.5, 0.5, (channels, samples)).astype(np.float32)


def versions_in(database: Path) -> list[tuple[str, int]]:
    """What the registry's own table holds, without MLflow."""
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.execute("SELECT name, version FROM model_versions ORDER BY version"))


def free_port() -> int:
    """A port nobody listens on."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Started:
    """A command that answers on `http://127.0.0.1:PORT`; ends with everything it started."""

    def __init__(self, command: Sequence[str], port: int, log: Path, path: str = "/health") -> None:
        self.uri = f"http://127.0.0.1:{port}"
        self.log = log
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "ORT_DISABLE_TELEMETRY": "1"}
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                command,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # uvicorn's workers are further processes
                env={**os.environ, **quiet},
                cwd=log.parent,
            )
        deadline_s = time.monotonic() + 180
        while not self._answers(path):
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self.kill()
                raise RuntimeError(f"{' '.join(command)} did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.2)

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self.uri + path, timeout=2):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        """At once, as a machine that loses its power."""
        with suppress(ProcessLookupError):  # it ended by itself
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def start_server(folder: Path, database: str, port: int | None = None) -> Started:
    """An MLflow server with its artifacts in `folder`/artifacts, handed out through the server.

    Args:
        folder: Where artifacts and the log go.
        database: Address of its store.
        port: Where an earlier one stood; None: a free one.
    """
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", database, "--artifacts-destination", str(folder / "artifacts")]
    return Started([*command, "--workers", "1"], port, folder / "server.log")
