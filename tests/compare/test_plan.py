"""What rows are made of, and what may go on, without training anything."""

import json
import re
from pathlib import Path

import pytest
import torch
import yaml

from tapezoo.compare.errors import CompareError
from tapezoo.compare.folder import COMPARISON, HASH, check_unchanged
from tapezoo.compare.plan import Budget, check_rates, name_rows, plan_rows
from tapezoo.compare.run import name_tags
from tapezoo.data.batch import Batch
from tapezoo.jobs.errors import JobError
from tapezoo.jobs.folder import begin_row, is_finished, may_resume, open_folder, read_outcome, write_outcome
from tapezoo.jobs.settings import differences
from tapezoo.measure.comparison import Figures, Outcome
from tapezoo.models.fir import FIR


def recipe(**data):
    arguments = {"device": "tape", "seconds": 180.0, "batch_size": 8, "burn_in_samples": 100} | data
    stop = {"class_path": "lightning.pytorch.callbacks.EarlyStopping", "init_args": {"monitor": "val_esr"}}
    watch = {"class_path": "lightning.pytorch.callbacks.LearningRateMonitor"}
    return {
        "threads": 1,
        "model": {"class_path": "tapezoo.models.FIR"},
        "data": {"class_path": "tapezoo.data.VirtualDevices", "init_args": arguments},
        "trainer": {"max_epochs": 90, "max_time": "00:00:09:00", "callbacks": [stop, watch]},
        "tracking": {"run_name": None},
    }


def test_rows_share_the_data_and_what_is_scored_and_keep_how_they_train():
    recipes = {"a": recipe(), "b": recipe(seconds=20.0, batch_size=64, burn_in_samples=500)}
    rows = plan_rows(recipes, Budget(minutes=3))
    assert [row["data"]["init_args"]["seconds"] for row in rows.values()] == [180.0, 180.0]
    assert [row["data"]["init_args"]["batch_size"] for row in rows.values()] == [8, 64]
    assert [row["data"]["init_args"]["burn_in_samples"] for row in rows.values()] == [100, 500]
    assert [row["model"]["init_args"]["score_after_samples"] for row in rows.values()] == [500, 500]
    assert [row["tracking"]["run_name"] for row in rows.values()] == ["a", "b"]
    assert recipes["a"] == recipe()


def test_the_budget_decides_alone():
    trainer = plan_rows({"a": recipe()}, Budget(minutes=75.5))["a"]["trainer"]
    assert (trainer["max_epochs"], trainer["max_time"]) == (-1, "00:01:15:30")
    assert [callback["class_path"].rpartition(".")[2] for callback in trainer["callbacks"]] == [
        "LearningRateMonitor"
    ]
    trainer = plan_rows({"a": recipe()}, Budget(audio_seconds=60.5))["a"]["trainer"]
    assert (trainer["max_epochs"], trainer["max_time"]) == (-1, None)
    assert trainer["callbacks"][-1] == {
        "class_path": "tapezoo.callbacks.AudioBudget",
        "init_args": {"audio_seconds": 60.5},
    }


@pytest.mark.parametrize(
    "given", [{}, {"minutes": 1, "audio_seconds": 1}, {"minutes": 0.001}, {"minutes": -1}, {"minutes": 1e300}]
)
def test_a_budget_nobody_can_spend_is_refused(given):
    with pytest.raises(CompareError, match="exactly one"):
        Budget(**given)


@pytest.mark.parametrize(
    "module", ["lightning.pytorch.callbacks.early_stopping", "pytorch_lightning.callbacks"]
)
def test_early_stopping_is_left_out_by_whatever_path_it_is_named(module):
    stopping = recipe()
    stopping["trainer"]["callbacks"] = [{"class_path": f"{module}.EarlyStopping"}]
    assert plan_rows({"a": stopping}, Budget(minutes=1))["a"]["trainer"]["callbacks"] is None
    assert differences({"trainer": {"logger": None}}, {"trainer": {"logger": False}}) == []


def test_no_row_is_registered():
    registering = recipe()
    register = {"class_path": "tapezoo.callbacks.Register", "init_args": {"name": "tape"}}
    registering["trainer"]["callbacks"] = [register]
    assert plan_rows({"a": registering}, Budget(minutes=1))["a"]["trainer"]["callbacks"] is None


def test_equal_stems_are_told_apart_by_their_folders(tmp_path):
    paths = [tmp_path / name for name in ("x/lstm.yaml", "y/lstm.yaml", "fir.yaml")]
    assert name_rows(paths) == ["x-lstm", "y-lstm", "fir"]
    with pytest.raises(CompareError, match="each recipe once"):
        name_rows([paths[0], paths[2], tmp_path / "y" / ".." / "x" / "lstm.yaml"])


def test_every_row_has_a_folder_of_its_own_whatever_recipes_are_called(tmp_path):
    names = (
        "x/lstm.yaml",
        "y/lstm.yaml",
        "x-lstm.yaml",
        "lstm.yml",
        "LSTM.yml",
        "table.md.yaml",
        "バス.yaml",
    )
    found = name_rows([tmp_path / name for name in names], taken=["table.md", "comparison.json"])
    assert len({name.casefold() for name in [*found, "table.md"]}) == len(names) + 1
    assert found[0] == "x-lstm"
    assert found[-1] == "バス"
    assert name_rows([tmp_path / "a.yaml", tmp_path / "a.yml"]) == ["a.yaml", "a.yml"]


def test_every_row_has_a_tag_of_its_own_that_mlflow_takes():
    rows = ["gain_+5", "gain_@5", "gain__5", "バス"]
    tags = name_tags(rows)
    assert len(set(tags.values())) == 4
    for tag in tags.values():
        assert re.fullmatch(r"[/\w.\- ]+", tag)


def test_a_recipe_at_the_root_keeps_its_row_in_the_folder():
    assert name_rows([Path("/lstm.yaml"), Path("/x/lstm.yaml")]) == ["lstm", "x-lstm"]


def test_rows_find_their_files_from_anywhere_and_a_folder_named_like_a_device_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tape").mkdir()
    rows = plan_rows({"a": recipe(cache_dir="made later")}, Budget(minutes=3))
    arguments = rows["a"]["data"]["init_args"]
    assert arguments["device"] == "tape"
    assert arguments["cache_dir"] == str(tmp_path / "made later")


def test_no_recipe_scores_less_than_the_others():
    short = recipe()
    short["trainer"] |= {"limit_val_batches": 1, "fast_dev_run": True, "overfit_batches": 2}
    trainer = plan_rows({"a": short}, Budget(minutes=3))["a"]["trainer"]
    assert (trainer["limit_val_batches"], trainer["fast_dev_run"], trainer["overfit_batches"]) == (
        None,
        False,
        0.0,
    )


def test_a_recipe_for_another_rate_is_refused():
    check_rates({"a": 44100, "b": None}, 44100)
    with pytest.raises(CompareError, match="b: found a recipe for 48000 Hz"):
        check_rates({"a": 44100, "b": 48000}, 44100)


def figures(esr, cpu_s):
    return Figures("FIR", 1257, esr, 0.4, None, 7, 100.0, cpu_s, cpu_s, cpu_s, {"64": 20.0}, "a chip", None)


def test_what_is_begun_may_not_change_and_what_failed_may(tmp_path):
    rows = plan_rows({"a": recipe(), "b": recipe()}, Budget(minutes=3))
    for name, status in (("a", "finished"), ("b", "failed")):
        begin_row(tmp_path / name, rows[name])
        write_outcome(tmp_path / name, Outcome(status, figures=figures(1.0, 1.0)))
    (tmp_path / "comparison.json").write_text(json.dumps({"dataset_hash": "x"}))
    known = open_folder(tmp_path, COMPARISON, HASH, overwrite=False)
    assert is_finished(tmp_path / "a")
    assert read_outcome(tmp_path / "a").figures == figures(1.0, 1.0)
    assert not may_resume(tmp_path / "b")
    check_unchanged(tmp_path, known, rows, "x")
    rows["b"]["model"]["class_path"] = "tapezoo.models.LSTM"
    check_unchanged(tmp_path, known, rows, "x")
    rows["a"]["tracking"]["run_name"] = "another"
    check_unchanged(tmp_path, known, rows, "x")
    rows["a"]["trainer"]["max_time"] = "00:00:04:00"
    with pytest.raises(JobError, match=r"a: trainer.max_time: 00:00:03:00 -> 00:00:04:00"):
        check_unchanged(tmp_path, known, rows, "x")
    with pytest.raises(JobError, match="the data themselves"):
        check_unchanged(tmp_path, known, {"a": yaml.safe_load((tmp_path / "a/row.yaml").read_text())}, "y")
    assert open_folder(tmp_path, COMPARISON, HASH, overwrite=True) == {}


def test_a_row_that_failed_starts_in_an_empty_folder_and_one_that_was_stopped_goes_on(tmp_path):
    for status, kept in (("failed", False), ("interrupted", True), ("running", True)):
        folder = tmp_path / status
        begin_row(folder, recipe())
        (folder / "last.ckpt").write_text("weights")
        write_outcome(folder, Outcome(status))
        begin_row(folder, recipe())
        assert (folder / "last.ckpt").exists() is kept


def test_a_row_of_another_version_is_refused_and_not_trained_over(tmp_path):
    rows = plan_rows({"a": recipe()}, Budget(minutes=3))
    begin_row(tmp_path / "a", rows["a"])
    content = {"status": "finished", "reason": "", "figures": {"val_esr": 0.1}, "log": ""}
    (tmp_path / "a" / "row.json").write_text(json.dumps(content))
    with pytest.raises(JobError, match=r"row\.json: found what this version"):
        check_unchanged(tmp_path, {"dataset_hash": "x"}, rows, "x")
    with pytest.raises(JobError, match="what this version"):
        begin_row(tmp_path / "a", rows["a"])
    assert json.loads((tmp_path / "a" / "row.json").read_text()) == content


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    assert open_folder(tmp_path, COMPARISON, HASH, overwrite=False) == {}
    for foreign in ("[]", '{"theirs": 1}'):
        (tmp_path / "comparison.json").write_text(foreign)
        with pytest.raises(JobError, match="other content"):
            open_folder(tmp_path, COMPARISON, HASH, overwrite=True)
    (tmp_path / "comparison.json").unlink()
    (tmp_path / "letter.txt").write_text("dear")
    for overwrite in (False, True):
        with pytest.raises(JobError, match="other content"):
            open_folder(tmp_path, COMPARISON, HASH, overwrite)


def test_differences_are_named_by_their_path():
    old = {"a": {"b": [1, {"c": 2}], "d": {}}, "run_dir": "x"}
    new = {"a": {"b": [1, {"c": 3}], "d": {"e": 1}}, "run_dir": "y"}
    assert differences(old, new) == ["a.b.1.c: 2 -> 3", "a.d: {} -> None", "a.d.e: None -> 1"]


def test_models_with_different_burn_ins_can_be_scored_on_the_same_samples():
    batch = Batch(
        torch.zeros(1, 1, 1000), torch.randn(1, 1, 1000), torch.zeros(1, 0), torch.tensor([900]), ["a"]
    )
    scored = [
        FIR(burn_in_samples=burn_in_samples, score_after_samples=300).scored_rows(batch.input, batch)[0][1]
        for burn_in_samples in (0, 100, 300)
    ]
    for target in scored:
        torch.testing.assert_close(target, batch.target[0, :, 300:900])
    [(_, target)] = FIR(burn_in_samples=400, score_after_samples=300).scored_rows(batch.input, batch)
    assert target.shape[-1] == 500
