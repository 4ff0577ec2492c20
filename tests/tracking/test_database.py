"""A new tracking database: made whole or not at all, by one process, whoever is killed on the way."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow.store.db.utils
import pytest
from sqlalchemy.exc import OperationalError
from tracking.stores import new_store

from tapezoo.tracking import address
from tapezoo.tracking.database import ensure_database
from tapezoo.tracking.errors import StoreError


class Migrations:
    """In place of MLflow's own, which take seconds: a copy of what they make."""

    def __init__(self, blank: Path) -> None:
        self.blank, self.count = blank, 0
        self.fails: BaseException | None = None

    def __call__(self, engine: Any) -> None:
        self.count += 1
        part = Path(engine.url.database)
        assert not part.exists(), "what the dead left is gone"
        with closing(sqlite3.connect(part)) as connection:
            connection.execute("CREATE TABLE experiments (x)")
        time.sleep(0.05)
        if self.fails is not None:
            raise self.fails
        shutil.copy(self.blank, part)


@pytest.fixture(autouse=True)
def kept(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder, empty."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("TAPEZOO_CACHE", str(folder))
    return folder


@pytest.fixture
def migrations(
    kept: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Migrations:
    new_store(folder := tmp_path_factory.mktemp("blank"), tmp_path_factory)
    for path in kept.iterdir():
        path.unlink()
    made = Migrations(folder / "mlruns.db")
    monkeypatch.setattr(mlflow.store.db.utils, "_initialize_tables", made)
    return made


def tables(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM sqlite_master WHERE type='table'").fetchone()[0])


def test_many_that_begin_at_once_make_one_database(migrations: Migrations, tmp_path: Path) -> None:
    faults: list[BaseException] = []

    def begin() -> None:
        try:
            address.check_server(f"sqlite:///{tmp_path}/new.db")
            ensure_database(f"sqlite:///{tmp_path}/new.db")
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert migrations.count == 1
    assert tables(tmp_path / "new.db") == tables(migrations.blank)
    assert [path.name for path in tmp_path.iterdir()] == ["new.db"]


@pytest.mark.parametrize("at_the_place", [None, b""])
def test_after_a_process_that_was_killed_while_making_it_the_next_one_makes_it(
    at_the_place: bytes | None, migrations: Migrations, tmp_path: Path
) -> None:
    for left in (".new.db.part", ".new.db.part-journal", ".new.db.lock"):
        (tmp_path / left).write_bytes(b"half of it")
    if at_the_place is not None:
        (tmp_path / "new.db").write_bytes(at_the_place)
    ensure_database(f"sqlite:///{tmp_path}/new.db")
    assert tables(tmp_path / "new.db") == tables(migrations.blank)
    assert [path.name for path in tmp_path.iterdir()] == ["new.db"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OperationalError("", {}, sqlite3.OperationalError("disk is full")), StoreError),
    ],
)
def test_a_making_that_fails_leaves_nothing(
    fault: BaseException, said: type[BaseException], migrations: Migrations, tmp_path: Path
) -> None:
    migrations.fails = fault
    with pytest.raises(said) as raised:
        ensure_database(f"sqlite:///{tmp_path}/new.db")
    assert said is KeyboardInterrupt or "disk is full" in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_or_older_database_is_named_with_what_to_do(migrations: Migrations, tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    with closing(sqlite3.connect(broken)) as connection:
        connection.execute("CREATE TABLE experiments (x)")
    with pytest.raises(StoreError, match=r"broken\.db.*0 runs.*move it away"):
        ensure_database(f"sqlite:///{broken}")
    older = tmp_path / "older.db"
    shutil.copy(migrations.blank, older)
    ensure_database(f"sqlite:///{older}")
    with closing(sqlite3.connect(older)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'before'")
        connection.commit()
    with pytest.raises(StoreError, match="mlflow db upgrade sqlite:///"):
        ensure_database(f"sqlite:///{older}")
    assert migrations.count == 0


def test_the_second_database_is_a_copy_of_the_first(
    migrations: Migrations, kept: Path, tmp_path: Path
) -> None:
    for name in ("first.db", "second.db"):
        ensure_database(f"sqlite:///{tmp_path}/{name}")
    assert migrations.count == 1
    assert (tmp_path / "second.db").read_bytes() == (tmp_path / "first.db").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.db", "second.db"]
    assert len(list(kept.iterdir())) == 1


@pytest.mark.parametrize("damage", ["half", "of another MLflow"])
def test_a_kept_database_that_is_no_good_is_made_anew(
    damage: str, migrations: Migrations, kept: Path, tmp_path: Path
) -> None:
    ensure_database(f"sqlite:///{tmp_path}/first.db")
    (found,) = kept.iterdir()
    if damage == "half":
        found.write_bytes(found.read_bytes()[:5000])
    else:
        with closing(sqlite3.connect(found)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = 'before'")
            connection.commit()
    ensure_database(f"sqlite:///{tmp_path}/second.db")
    ensure_database(f"sqlite:///{tmp_path}/third.db")
    assert migrations.count == 2
    assert (tmp_path / "third.db").read_bytes() == (tmp_path / "first.db").read_bytes()


def test_where_nothing_can_be_kept_it_is_made_each_time(
    migrations: Migrations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "file"))
    for name in ("first.db", "second.db"):
        ensure_database(f"sqlite:///{tmp_path}/{name}")
    assert migrations.count == 2
