"""`tapezoo grid fit`: what is refused before anything is trained, and how shards are trained, killed and resumed."""

import copy
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import torch
import yaml

from tapezoo.checkpoint import load_model
from tapezoo.cli import main
from tapezoo.jobs.folder import read_outcome
from tapezoo.shards import fit
from tapezoo.shards.plan import from_the_middle, plan_shards

OBJECTIVE = {
    "class_path": "tapezoo.training.CellLevenbergMarquardt",
    "init_args": {"iterations": 1, "starts": 1},
}
RECIPE = {
    "check_steadiness": False,
    "threads": 2,
    "model": {
        "class_path": "tapezoo.models.STNGrid",
        "init_args": {"axes": [0, 2, 2], "size": "1x2", "objective": OBJECTIVE},
    },
    "data": {
        "class_path": "tapezoo.data.HysteresisCells",
        "init_args": {
            "axes": {"saturation": 2, "bias": 2},
            "rows": 2,
            "segment_samples": 64,
            "val_rows": 1,
            "val_samples": 512,
        },
    },
    "trainer": {"accelerator": "cpu", "max_epochs": 1},
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "cache"))


def write_recipe(**changes) -> str:
    """The recipe with some of its values changed, by their path."""
    recipe = copy.deepcopy(RECIPE)
    for path, value in changes.items():
        *above, last = path.split("__")
        place = recipe
        for key in above:
            place = place[key]
        place[last] = value
    Path("grid.yaml").write_text(yaml.safe_dump(recipe))
    return "grid.yaml"


def train_nothing(grid: fit.GridFit, engine: object) -> None:
    """In place of `GridFit.train`."""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": {"class_path": "tapezoo.models.LSTM"}}, "the model LSTM; expected a table of nets"),
        (
            {"model__init_args__objective": {"class_path": "tapezoo.training.FreeRunning"}},
            "the objective FreeRunning; expected tapezoo.training.CellLevenbergMarquardt",
        ),
        ({"model__init_args__axes": [2, 0, 2]}, r"axes [2, 0, 2]; expected [0, 2, 2]"),
        (
            {"data": {"class_path": "tapezoo.data.VirtualDevices", "init_args": {"device": "hysteresis"}}},
            "the data VirtualDevices",
        ),
    ],
)
def test_a_recipe_without_a_grid_of_nets_is_refused(changes, said, capsys):
    assert main(["grid", "fit", write_recipe(**changes), "--out", "out"]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--shards", "5"], "--shards: found 5; expected 1 to 4"),
        (["--shards", "0"], "--shards: found 0"),
        (["--workers", "0"], "--workers 0"),
        (["--workers", "1000"], "are useful on"),
        (["--address", "10.0.0.1:1"], "--address without --engine ray"),
        (["--engine", "ray", "--workers", "2"], "--workers with --engine ray"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(line, said, capsys):
    assert main(["grid", "fit", write_recipe(), "--out", "out", *line]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not Path("out").exists()


def test_a_folder_of_other_shards_is_left_alone(monkeypatch, capsys):
    monkeypatch.setattr(fit.GridFit, "train", train_nothing)
    line = ["grid", "fit", write_recipe(), "--out", "out", "--shards", "2"]
    assert main(line) == 1  # no shard is finished
    assert "shard-1: waiting" in capsys.readouterr().out
    assert main([*line[:-1], "4"]) == 2
    assert "shards: 2 -> 4" in capsys.readouterr().err
    write_recipe(data__init_args__rows=3)
    assert main(line) == 2
    assert "data.init_args.rows: 2 -> 3" in capsys.readouterr().err
    assert json.loads(Path("out/grid.json").read_text())["shards"] == 2
    assert main([*line, "--overwrite"]) == 1
    assert json.loads(Path("out/grid.json").read_text())["recipe"]["data"]["init_args"]["rows"] == 3
    Path("mine").mkdir()
    Path("mine/letter.txt").write_text("dear")
    assert main([*line[:3], "--out", "mine", "--overwrite"]) == 2
    assert Path("mine/letter.txt").exists()


def test_shards_have_one_thread_and_are_neither_tracked_nor_registered():
    recipe = copy.deepcopy(RECIPE)
    recipe["trainer"]["callbacks"] = [
        {"class_path": "tapezoo.callbacks.Register", "init_args": {"name": "n"}}
    ]
    shards = plan_shards(recipe, 3)
    assert list(shards) == ["shard-0", "shard-1", "shard-2"]
    for number, shard in enumerate(shards.values()):
        assert shard["threads"] == shard["model"]["init_args"]["objective"]["init_args"]["workers"] == 1
        assert shard["trainer"]["logger"] is shard["check_steadiness"] is False
        assert shard["trainer"]["callbacks"] is None
        assert (shard["data"]["init_args"]["shard"], shard["data"]["init_args"]["shards"]) == (number, 3)
    assert recipe["threads"] == 2


def test_the_shard_with_the_middle_of_the_grid_is_the_first():
    assert from_the_middle((5,), 5) == [2, 1, 3, 0, 4]
    assert from_the_middle((20, 20, 20), 80)[0] == (9 * 400 + 9 * 20 + 9) // 100
    assert from_the_middle((3, 3), 1) == [0]


def figures(name: str) -> torch.Tensor:
    return torch.load(Path("out") / name / "last.ckpt", weights_only=True)["state_dict"][
        "net.by_controls.errors"
    ]


def kill_when_it_runs(folder: Path, times: int, killed: list[int]) -> None:
    """Kills the trainings of a shard, one after another, as soon as each is at work."""
    while len(killed) < times:
        try:
            holder = (folder / ".running").read_text().split()
            process = int(holder[1])
        except (OSError, IndexError, ValueError):
            time.sleep(0.05)
            continue
        if process not in killed:
            killed.append(process)
            os.kill(process, signal.SIGKILL)


@pytest.mark.slow
def test_two_workers_train_a_grid_and_a_killed_one_costs_its_shard_alone(capsys):
    line = ["grid", "fit", write_recipe(), "--out", "out", "--shards", "4", "--workers", "2"]
    killed: list[int] = []
    killer = threading.Thread(target=kill_when_it_runs, args=(Path("out/shard-3"), 2, killed))
    killer.start()
    assert main(line) == 1
    killer.join()
    said = " ".join(capsys.readouterr().out.split())
    assert "shard-3: interrupted, ended by signal 9 (SIGKILL)" in said
    assert "3 of 4 cells fitted" in said
    assert len(killed) == 2  # it was started once more by itself
    outcomes = [read_outcome(Path(f"out/shard-{number}")).status for number in range(4)]
    assert outcomes == ["finished", "finished", "finished", "interrupted"]
    assert "ended by signal 9" in Path("out/shards.csv").read_text()
    kept = [Path(f"out/shard-{number}/last.ckpt") for number in range(3)]
    written = [path.stat().st_mtime_ns for path in kept]
    # they started from the first, the one with the middle, and kept its cell as it was
    for number in (1, 2):
        assert torch.isfinite(figures(f"shard-{number}")).sum() == 2
        assert figures(f"shard-{number}")[0] == figures("shard-0")[0]

    assert main(line) == 0
    assert [path.stat().st_mtime_ns for path in kept] == written
    assert torch.isfinite(figures("shard-3")).all()  # it started from all others
    table = load_model(Path("out/best.ckpt")).net.by_controls
    each = torch.stack([figures(f"shard-{number}") for number in range(4)])
    assert torch.equal(table.errors, each.min(dim=0).values)
    assert torch.isfinite(table.errors).all()
    assert not list(Path("out").rglob("start.ckpt"))
    assert (
        main(
            [
                "test",
                "--config",
                "out/config.yaml",
                "--ckpt_path",
                "out/best.ckpt",
                "--trainer.logger",
                "false",
            ]
        )
        == 0
    )
    assert main(["export", "out/best.ckpt", "--out", "bundle"]) == 0
    assert "cells 0 to 0 of 4" in Path("bundle/manifest.json").read_text()


@pytest.mark.slow
def test_shards_train_on_a_ray_cluster():
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    line = ["grid", "fit", write_recipe(), "--out", "out", "--shards", "2"]
    try:
        assert main([*line, "--engine", "ray", "--address", cluster.address]) == 0
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert torch.isfinite(load_model(Path("out/best.ckpt")).net.by_controls.errors).all()
    assert torch.isfinite(figures("shard-1")).all()  # what it started from travelled with it
