"""A new MLflow database is made beside its place and renamed when complete.

MLflow's migrations take seconds and cannot be repeated. A process that ends in the middle of them, or two that begin
together, leave a file that no MLflow can open. What they make is the same every time: the first one is kept in the
user's cache folder, and copied for the next.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from tapezoo.cache_folder import cache_root
from tapezoo.tracking.address import SQLITE
from tapezoo.tracking.errors import StoreError

MAKING_S = 180.0  # how long another process may take to create the database


def ensure_database(uri: str) -> None:
    """Makes the database of `uri` unless it exists; one process makes it, others wait. Imports mlflow.

    Args:
        uri: `sqlite:///FILE`; other stores are not looked at.

    Raises:
        StoreError: The file cannot be made, or is there and not complete.
    """
    if not uri.startswith(SQLITE):
        return
    path = Path(os.path.realpath(uri.removeprefix(SQLITE)))
    try:
        if _is_absent(path):
            with _hold_lock(path):
                if _is_absent(path):
                    kept = _kept_database()
                    if not _copy_kept(kept, path):
                        _create_database(path)
                        _keep(path, kept)
                    return
    except OSError as error:
        raise _creation_error(path, error) from error
    _check_complete(path)


def _is_absent(path: Path) -> bool:
    return not path.exists() or path.stat().st_size == 0


@contextmanager
def _hold_lock(path: Path) -> Iterator[None]:
    """Lets one process at a time in, by a lock on a file beside `path` that is removed afterwards."""
    lock = path.with_name(f".{path.name}.lock")
    deadline_s = time.monotonic() + MAKING_S
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_in_place(lock, descriptor):
                break
        except BlockingIOError:
            if time.monotonic() > deadline_s:
                os.close(descriptor)
                raise _creation_error(
                    path, f"another process has been creating it for {MAKING_S:.0f} s"
                ) from None
            time.sleep(0.1)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _is_in_place(lock: Path, descriptor: int) -> bool:
    """Whether the locked file is the one others find: the last holder may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except FileNotFoundError:
        return False


def _kept_database() -> Path | None:
    """Where an empty database of this MLflow is kept; None: the user has no home folder."""
    try:
        return cache_root() / f"mlflow-{version('mlflow')}.db"
    except RuntimeError:
        return None


def _copy_kept(kept: Path | None, path: Path) -> bool:
    """Copies the kept database to `path`; False where there is none, or none of this MLflow."""
    if kept is None or not kept.is_file():
        return False
    part = path.with_name(f".{path.name}.part")
    _remove_part(part)
    try:
        shutil.copyfile(kept, part)
        _check_complete(part)
        part.rename(path)
    except StoreError:  # damaged: it is made anew
        return False
    finally:
        _remove_part(part)
    return True


def _keep(path: Path, kept: Path | None) -> None:
    """Keeps a copy of what was just made, if the cache folder takes it."""
    if kept is None:
        return
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix="mlflow-") as folder:
            shutil.copyfile(path, part := Path(folder) / kept.name)
            part.replace(kept)


def _create_database(path: Path) -> None:
    """Makes all tables in a file beside `path`, then renames it. We hold the lock: a part found there is abandoned."""
    part = path.with_name(f".{path.name}.part")
    _remove_part(part)
    from mlflow.store.db import utils
    from sqlalchemy.exc import SQLAlchemyError

    try:
        engine = utils.create_sqlalchemy_engine(f"{SQLITE}{part}")  # type: ignore[no-untyped-call]
        try:
            utils._initialize_tables(engine)  # type: ignore[no-untyped-call]
        finally:
            engine.dispose()  # before the rename: sqlite names its journal after the file it opened
        part.rename(path)
    except SQLAlchemyError as error:
        raise _creation_error(path, getattr(error, "orig", None) or error) from error
    finally:
        _remove_part(part)


def _remove_part(part: Path) -> None:
    for left in (part, part.with_name(f"{part.name}-journal")):
        with suppress(OSError):
            left.unlink(missing_ok=True)


def _check_complete(path: Path) -> None:
    """Raises StoreError for a database that lacks tables or is of another MLflow version."""
    from mlflow.store.db import base_sql_model, utils

    try:
        with closing(sqlite3.connect(path)) as connection:
            tables = {
                name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            }
            revision = (
                connection.execute("SELECT version_num FROM alembic_version").fetchone()
                if "alembic_version" in tables
                else None
            )
            runs = connection.execute("SELECT count(*) FROM runs").fetchone()[0] if "runs" in tables else 0
    except sqlite3.Error as error:
        raise _creation_error(path, error) from error
    missing = set(base_sql_model.Base.metadata.tables) - tables
    newest = utils._get_latest_schema_revision()  # type: ignore[no-untyped-call]
    if not missing and revision is not None and revision[0] == newest:
        return
    lacks = (
        f"it lacks {len(missing)} of MLflow's tables"
        if missing
        else "its tables are from another version of MLflow"
    )
    upgrade = f"copy the file, then: mlflow db upgrade {SQLITE}{path}"
    raise StoreError(
        str(path),
        found=f"an incomplete tracking database, with {runs} runs ({lacks})",
        expected="a complete one, made by this version of MLflow",
        fix=f"It is older than this MLflow: {upgrade}."
        if runs
        else "Its creation was interrupted, and it holds no runs: move it away, and the next run creates a new "
        f"one. If it is older than this MLflow instead, {upgrade}.",
    )


def _creation_error(path: Path, reason: object) -> StoreError:
    return StoreError(
        str(path),
        found=f"a tracking database that cannot be created or read ({reason})",
        expected="free space and permission to write in its folder",
        fix="Free some space, or correct --tracking.uri or MLFLOW_TRACKING_URI.",
    )
