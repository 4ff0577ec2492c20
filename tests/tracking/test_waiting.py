"""Ctrl-C and SIGTERM while the store is being written to."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from tracking.stores import new_store

from tapezoo.tracking import Tracking, make_logger
from tapezoo.tracking.waiting import interruptions_wait


@pytest.fixture(autouse=True)
def _answers_as_they_were() -> Iterator[None]:
    """SIGINT as in a program, SIGTERM as inside a verb; afterwards as they were."""

    def stop(signum: int, frame: object) -> None:
        raise SystemExit(143)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, stop)
    yield
    for number, answer in before.items():
        signal.signal(number, answer)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def write(done: list[str], *signals: int) -> None:
    """Writes a word after each signal."""
    with interruptions_wait():
        for number in signals:
            send(number)
            done.append("written")


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_the_first_is_answered_at_the_end_and_only_once(number: int, raised: type[BaseException]) -> None:
    done: list[str] = []
    with pytest.raises(raised):
        write(done, number)
    assert done == ["written"]
    write(done)


def test_a_second_one_is_answered_at_once() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        write(done, signal.SIGINT, signal.SIGINT)
    assert done == ["written"]


def test_what_is_ignored_stays_ignored_and_every_answer_is_put_back() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptions_wait():
        send(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(ZeroDivisionError), interruptions_wait():
        _ = 1 / 0
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_a_run_that_is_interrupted_in_the_middle_of_a_transaction_is_stored_as_interrupted(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = new_store(tmp_path, tmp_path_factory)
    logger = make_logger(Tracking(uri, "e"), tmp_path, {})
    logger.begin()
    found = SqlAlchemyStore._get_run

    def interrupted(self: SqlAlchemyStore, *arguments: object, **options: object) -> object:
        monkeypatch.setattr(SqlAlchemyStore, "_get_run", found)
        send(signal.SIGINT)
        return found(self, *arguments, **options)

    monkeypatch.setattr(SqlAlchemyStore, "_get_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        logger.log_metrics({"val_esr": 0.5, "epoch": 0.0})
    logger.set_status("interrupted")
    assert logger.run_id is not None
    run = MlflowClient(uri).get_run(logger.run_id)
    assert (run.info.status, run.data.tags["status"]) == ("KILLED", "interrupted")
    assert run.data.metrics["val_esr"] == 0.5, "what was being written is whole"
