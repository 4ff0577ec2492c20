"""Trainings are listed from every store that was used, with what they reached."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient
from tracking.stores import new_store

from tapezoo.cli import main
from tapezoo.tracking import Tracking, make_logger, make_run_logger
from tapezoo.tracking.known_stores import known_stores, remember_store
from tapezoo.tracking.run_list import list_runs


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one database for all tests."""
    folder = tmp_path_factory.mktemp("store")
    new_store(folder, tmp_path_factory)
    return folder


def uri_in(folder: Path) -> str:
    return f"sqlite:///{folder}/mlruns.db"


def tracked(store: Path, folder: Path, name: str, **figures: float) -> None:
    logger = make_logger(Tracking(uri_in(store), "listed", name), folder, {})
    logger.set_tags({"architecture": "LSTM", "recordings": "drums.wav, bass.wav"})
    logger.log_metrics(figures)
    logger.set_status("finished")


def test_trainings_are_listed_with_what_they_reached_the_latest_first(store: Path, tmp_path: Path) -> None:
    tracked(store, tmp_path / "one", "first", val_esr=0.5, best_val_esr=0.25, linear_floor=1.5)
    tracked(store, tmp_path / "two", "second", val_esr=0.125, test_esr=0.75)
    client = MlflowClient(uri_in(store))
    (experiment,) = [one for one in client.search_experiments() if one.name == "listed"]
    client.create_run(experiment.experiment_id, run_name="of another program")
    second, first = list_runs([uri_in(store)], most=10)
    assert (second.name, second.val_esr, second.test_esr, second.linear_floor) == (
        "second",
        0.125,
        0.75,
        None,
    )
    assert (first.name, first.val_esr, first.test_esr, first.linear_floor) == ("first", 0.25, None, 1.5)
    assert (first.is_steady, second.is_steady) == (None, None), "not measured"
    assert (first.architecture, first.recordings, first.status) == ("LSTM", "drums.wav, bass.wav", "finished")
    assert first.run_dir == str(tmp_path / "one")
    assert [run.name for run in list_runs([uri_in(store)], most=1)] == ["second"]


def test_a_training_makes_its_store_known_until_it_is_gone(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "cache"))
    assert known_stores() == []
    make_run_logger(Tracking(uri_in(store)), tmp_path, is_resumed=False)
    remember_store("https://name:secret@example.com")
    remember_store(uri_in(tmp_path / "gone"))
    assert known_stores() == [uri_in(store)]


def test_the_verb_lists_known_stores_from_any_folder_and_writes_everything_to_a_file(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["runs"]) == 0
    assert "no tracked trainings yet" in capsys.readouterr().out
    tracked(store, tmp_path, "mine", val_esr=0.0625, best_val_steadiness=1.5)
    remember_store(uri_in(store))
    assert main(["runs", "--most", "1", "--csv", "runs.csv"]) == 0
    said = capsys.readouterr().out
    assert "0.06250" in said
    assert "not steady" in said
    head, row = (tmp_path / "runs.csv").read_text().splitlines()
    assert head.startswith(
        "name,architecture,recordings,val_esr,test_esr,linear_floor,steady,began,status,run_dir,store"
    )
    assert row.startswith("mine,LSTM,")
    assert main(["runs", "--most", "0"]) == 2
