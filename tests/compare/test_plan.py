"""What rows are made of, and the figures of a table, without training anything."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from tapezoo.callbacks.history import Epoch
from tapezoo.compare.folder import (
    ChangedSettingsError,
    Figures,
    Outcome,
    UnreadableRowError,
    begin_row,
    check_unchanged,
    is_finished,
    may_resume,
    open_folder,
    read_outcome,
    write_outcome,
)
from tapezoo.compare.plan import (
    Budget,
    BudgetError,
    DifferentRatesError,
    SameRecipeError,
    check_rates,
    differences,
    row_names,
    rows_of,
)
from tapezoo.compare.row import esr_within
from tapezoo.compare.run import tag_names
from tapezoo.compare.table import Caption, Line, caption_text, csv_text, markdown
from tapezoo.data.batch import Batch
from tapezoo.errors import OutputExistsError
from tapezoo.measure.comparison import pareto_front
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
    rows = rows_of(recipes, Budget(minutes=3))
    assert [row["data"]["init_args"]["seconds"] for row in rows.values()] == [180.0, 180.0]
    assert [row["data"]["init_args"]["batch_size"] for row in rows.values()] == [8, 64]
    assert [row["data"]["init_args"]["burn_in_samples"] for row in rows.values()] == [100, 500]
    assert [row["model"]["init_args"]["score_after_samples"] for row in rows.values()] == [500, 500]
    assert [row["tracking"]["run_name"] for row in rows.values()] == ["a", "b"]
    assert recipes["a"] == recipe()


def test_the_budget_decides_alone():
    trainer = rows_of({"a": recipe()}, Budget(minutes=75.5))["a"]["trainer"]
    assert (trainer["max_epochs"], trainer["max_time"]) == (-1, "00:01:15:30")
    assert [callback["class_path"].rpartition(".")[2] for callback in trainer["callbacks"]] == [
        "LearningRateMonitor"
    ]
    trainer = rows_of({"a": recipe()}, Budget(audio_seconds=60.5))["a"]["trainer"]
    assert (trainer["max_epochs"], trainer["max_time"]) == (-1, None)
    assert trainer["callbacks"][-1] == {
        "class_path": "tapezoo.callbacks.AudioBudget",
        "init_args": {"audio_seconds": 60.5},
    }


@pytest.mark.parametrize(
    "given", [{}, {"minutes": 1, "audio_seconds": 1}, {"minutes": 0.001}, {"minutes": -1}, {"minutes": 1e300}]
)
def test_a_budget_nobody_can_spend_is_refused(given):
    with pytest.raises(BudgetError, match="exactly one"):
        Budget(**given)


@pytest.mark.parametrize(
    "module", ["lightning.pytorch.callbacks.early_stopping", "pytorch_lightning.callbacks"]
)
def test_early_stopping_is_left_out_by_whatever_path_it_is_named(module):
    stopping = recipe()
    stopping["trainer"]["callbacks"] = [{"class_path": f"{module}.EarlyStopping"}]
    assert rows_of({"a": stopping}, Budget(minutes=1))["a"]["trainer"]["callbacks"] is None
    assert differences({"trainer": {"logger": None}}, {"trainer": {"logger": False}}) == []


def test_no_row_is_registered():
    registering = recipe()
    register = {"class_path": "tapezoo.callbacks.Register", "init_args": {"name": "tape"}}
    registering["trainer"]["callbacks"] = [register]
    assert rows_of({"a": registering}, Budget(minutes=1))["a"]["trainer"]["callbacks"] is None


def test_equal_stems_are_told_apart_by_their_folders(tmp_path):
    paths = [tmp_path / name for name in ("x/lstm.yaml", "y/lstm.yaml", "fir.yaml")]
    assert row_names(paths) == ["x-lstm", "y-lstm", "fir"]
    with pytest.raises(SameRecipeError):
        row_names([paths[0], paths[2], tmp_path / "y" / ".." / "x" / "lstm.yaml"])


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
    found = row_names([tmp_path / name for name in names], taken=["table.md", "comparison.json"])
    assert len({name.casefold() for name in [*found, "table.md"]}) == len(names) + 1
    assert found[0] == "x-lstm"
    assert found[-1] == "バス"
    assert row_names([tmp_path / "a.yaml", tmp_path / "a.yml"]) == ["a.yaml", "a.yml"]


def test_every_row_has_a_tag_of_its_own_that_mlflow_takes():
    rows = ["gain_+5", "gain_@5", "gain__5", "バス"]
    tags = tag_names(rows)
    assert len(set(tags.values())) == 4
    for tag in tags.values():
        assert re.fullmatch(r"[/\w.\- ]+", tag)


def test_a_recipe_at_the_root_keeps_its_row_in_the_folder():
    assert row_names([Path("/lstm.yaml"), Path("/x/lstm.yaml")]) == ["lstm", "x-lstm"]


def test_rows_find_their_files_from_anywhere_and_a_folder_named_like_a_device_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tape").mkdir()
    rows = rows_of({"a": recipe(cache_dir="made later")}, Budget(minutes=3))
    arguments = rows["a"]["data"]["init_args"]
    assert arguments["device"] == "tape"
    assert arguments["cache_dir"] == str(tmp_path / "made later")


def test_no_recipe_scores_less_than_the_others():
    short = recipe()
    short["trainer"] |= {"limit_val_batches": 1, "fast_dev_run": True, "overfit_batches": 2}
    trainer = rows_of({"a": short}, Budget(minutes=3))["a"]["trainer"]
    assert (trainer["limit_val_batches"], trainer["fast_dev_run"], trainer["overfit_batches"]) == (
        None,
        False,
        0.0,
    )


def test_a_recipe_for_another_rate_is_refused():
    check_rates({"a": 44100, "b": None}, 44100)
    with pytest.raises(DifferentRatesError, match="b: found a recipe for 48000 Hz"):
        check_rates({"a": 44100, "b": 48000}, 44100)


def history(*epochs):
    return [
        Epoch(number, number, 10.0 * number, cpu_s, cpu_s, cpu_s, esr, None)
        for number, (cpu_s, esr) in enumerate(epochs, start=1)
    ]


def test_the_error_at_equal_cost_is_the_best_one_reached_by_then():
    rows = history((1.0, 0.5), (2.0, 0.1), (3.0, None), (4.0, 0.3), (5.0, 0.05))
    assert esr_within(rows, 4.5) == 0.1
    assert esr_within(rows, 5.0) == 0.05
    assert esr_within(rows, 0.5) is None


def test_the_pareto_front_holds_what_nothing_beats():
    points = [(1.0, 0.1), (2.0, 0.2), (2.0, 0.3), (3.0, 0.15), (4.0, 0.5), (0.5, 0.1)]
    assert pareto_front(points) == [0, 3, 4]
    assert pareto_front([(1.0, 1.0), (1.0, 1.0)]) == [0]
    assert pareto_front([]) == []


def figures(esr, cpu_s):
    factors = {"128": 20.0, "2048": 50.0}  # a net with a hop of 128
    return Figures("FIR", 1257, esr, 0.4, None, 7, 100.0, cpu_s, cpu_s, cpu_s, factors, "a chip", None)


def test_the_table_ranks_the_rows_and_says_what_failed():
    lines = [
        Line("quick", Outcome("finished", figures=figures(0.2, 2.0)), history((1.0, 0.4), (2.0, 0.2))),
        Line("slow", Outcome("finished", figures=figures(0.1, 9.0)), history((1.5, 0.3), (9.0, 0.1))),
        Line("bad", Outcome("failed", "a loss of nan.", log="out/bad/train.log"), []),
    ]
    caption = Caption("3 minutes", "tape, data set 12ab", "tape", 0.0189, 100, 1, "tapezoo 1")
    text = markdown(lines, caption)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:1] == "|"]
    by_name = {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}
    assert by_name["slow"]["ESR at equal cost"] == "0.30000"
    assert by_name["quick"]["ESR at equal cost"] == by_name["quick"]["val_esr"] == "0.20000"
    assert by_name["quick"]["parameters"] == "1,257"
    assert by_name["quick"]["x real time, 64"] == "20"
    assert by_name["quick"]["x real time, 2048"] == "50"
    assert by_name["quick"]["audio s / CPU s"] == "50"
    assert (by_name["bad"]["model"], by_name["bad"]["val_esr"]) == ("failed", "-")
    assert "val_esr 0.01890" in text
    assert "bad (failed): a loss of nan; see out/bad/train.log" in text
    diverged = Line("lost", Outcome("finished", figures=figures(7.87e15, 2.0)), [])
    assert " 7.87e+15 " in markdown([diverged], caption)
    assert csv_text(lines).splitlines()[1].startswith("quick,FIR,1257,0.2,")


def test_rows_that_a_busy_machine_held_up_are_named():
    quiet = Line("quiet", Outcome("finished", figures=figures(0.2, 9.5)), [])
    held_up = Line("held-up", Outcome("finished", figures=replace(figures(0.2, 2.0), train_wall_s=5.0)), [])
    caption = Caption("3 minutes", "tape, data set 12ab", "tape", 0.0189, 100, 1, "tapezoo 1")
    assert "this share of the thread(s): held-up (40 %);" in caption_text(caption, [quiet, held_up])
    assert "busy" not in caption_text(caption, [quiet])


def test_what_is_begun_may_not_change_and_what_failed_may(tmp_path):
    rows = rows_of({"a": recipe(), "b": recipe()}, Budget(minutes=3))
    for name, status in (("a", "finished"), ("b", "failed")):
        begin_row(tmp_path / name, rows[name])
        write_outcome(tmp_path / name, Outcome(status, figures=figures(1.0, 1.0)))
    (tmp_path / "comparison.json").write_text(json.dumps({"dataset_hash": "x"}))
    known = open_folder(tmp_path, overwrite=False)
    assert is_finished(tmp_path / "a")
    assert read_outcome(tmp_path / "a").figures == figures(1.0, 1.0)
    assert not may_resume(tmp_path / "b")
    check_unchanged(tmp_path, known, rows, "x")
    rows["b"]["model"]["class_path"] = "tapezoo.models.LSTM"
    check_unchanged(tmp_path, known, rows, "x")
    rows["a"]["tracking"]["run_name"] = "another"
    check_unchanged(tmp_path, known, rows, "x")
    rows["a"]["trainer"]["max_time"] = "00:00:04:00"
    with pytest.raises(ChangedSettingsError, match=r"a: trainer.max_time: 00:00:03:00 -> 00:00:04:00"):
        check_unchanged(tmp_path, known, rows, "x")
    with pytest.raises(ChangedSettingsError, match="the data themselves"):
        check_unchanged(tmp_path, known, {"a": yaml.safe_load((tmp_path / "a/row.yaml").read_text())}, "y")
    assert open_folder(tmp_path, overwrite=True) == {}


def test_a_row_that_failed_starts_in_an_empty_folder_and_one_that_was_stopped_goes_on(tmp_path):
    for status, kept in (("failed", False), ("interrupted", True), ("running", True)):
        folder = tmp_path / status
        begin_row(folder, recipe())
        (folder / "last.ckpt").write_text("weights")
        write_outcome(folder, Outcome(status))
        begin_row(folder, recipe())
        assert (folder / "last.ckpt").exists() is kept


def test_a_row_of_another_version_is_refused_and_not_trained_over(tmp_path):
    rows = rows_of({"a": recipe()}, Budget(minutes=3))
    begin_row(tmp_path / "a", rows["a"])
    content = {"status": "finished", "reason": "", "figures": {"val_esr": 0.1}, "log": ""}
    (tmp_path / "a" / "row.json").write_text(json.dumps(content))
    with pytest.raises(UnreadableRowError, match=r"row\.json: found what this version"):
        check_unchanged(tmp_path, {"dataset_hash": "x"}, rows, "x")
    with pytest.raises(UnreadableRowError):
        begin_row(tmp_path / "a", rows["a"])
    assert json.loads((tmp_path / "a" / "row.json").read_text()) == content


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    assert open_folder(tmp_path, overwrite=False) == {}
    for foreign in ("[]", '{"theirs": 1}'):
        (tmp_path / "comparison.json").write_text(foreign)
        with pytest.raises(OutputExistsError):
            open_folder(tmp_path, overwrite=True)
    (tmp_path / "comparison.json").unlink()
    (tmp_path / "letter.txt").write_text("dear")
    for overwrite in (False, True):
        with pytest.raises(OutputExistsError, match="something else"):
            open_folder(tmp_path, overwrite)


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
