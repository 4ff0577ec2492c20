"""What shards start from, in which order, and what is said of them; trained by an engine of straw."""

import csv
import io
from pathlib import Path

import pytest
import torch
from shard_files import INF, write_shard

from tapezoo.jobs.folder import begin_row, write_outcome
from tapezoo.measure.comparison import Outcome
from tapezoo.screen import Screen
from tapezoo.shards.fit import GridFit


class Straw:
    """Trains every shard in no time: cell N of shard-N missed 0.1 (N + 1), and its net is N; some fail."""

    def __init__(self, out: Path, failing: tuple[str, ...] = ()) -> None:
        self.out, self.failing = out, failing
        self.calls: list[list[str]] = []
        self.starts: dict[str, bytes | None] = {}

    def __call__(self, tasks, ended, waiting) -> None:
        self.calls.append([task.name for task in tasks])
        for task in tasks:
            waiting(len(tasks))
            self.starts[task.name] = task.start
            begin_row(self.out / task.name, task.config)
            outcome = Outcome("finished")
            if task.name in self.failing:
                outcome = Outcome("failed", "no luck", log="train.log")
            else:
                number = int(task.name[-1])
                errors = [0.1 * (number + 1) if cell == number else INF for cell in range(4)]
                write_shard(self.out / task.name / "last.ckpt", errors, float(number))
            write_outcome(self.out / task.name, outcome)
            ended(task, outcome)


def fit_of(out: Path, start: bytes | None = None) -> tuple[GridFit, io.StringIO]:
    said = io.StringIO()
    shards = {f"shard-{number}": {"threads": 1} for number in range(4)}
    return GridFit(out, shards, [1, 0, 2, 3], (), start, Screen(file=said, width=200)), said


def nets_in(start: bytes | None) -> list[float]:
    assert start is not None
    content = torch.load(io.BytesIO(start), weights_only=True)
    return content["state_dict"]["net.by_controls.nets"][:, 0].tolist()


def test_the_first_shard_is_trained_alone_and_all_others_start_from_its_nets(tmp_path):
    grid, said = fit_of(tmp_path, b"what the recipe names")
    engine = Straw(tmp_path)
    grid.train(engine)
    assert engine.calls == [["shard-1"], ["shard-0", "shard-2", "shard-3"]]
    assert engine.starts["shard-1"] == b"what the recipe names"
    assert nets_in(engine.starts["shard-3"]) == [1.0] * 4  # cells that are missing start from the nearest one
    assert grid.merged().model.net.by_controls.errors.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert (
        "4 of 4 shards, 4 of 4 cells; they missed 0.25 of the energy of their rows (median), 0.4 (worst)"
        in (" ".join(said.getvalue().split()))
    )
    assert grid.write_report() == []


def test_a_shard_that_fails_is_a_row_and_is_the_only_one_trained_again(tmp_path):
    grid, said = fit_of(tmp_path)
    engine = Straw(tmp_path, failing=("shard-1", "shard-3"))
    grid.train(engine)
    assert engine.calls == [
        ["shard-1"],
        ["shard-0"],
        ["shard-2", "shard-3"],
    ]  # what others start from must be done
    assert engine.starts["shard-0"] is None
    assert "shard-1: failed, no luck (0 of 4 shards" in said.getvalue()
    assert [name for name, _ in grid.write_report()] == ["shard-1", "shard-3"]
    with (tmp_path / "shards.csv").open() as file:
        rows = {row["shard"]: row for row in csv.DictReader(file)}
    assert [rows[name]["status"] for name in rows] == ["finished", "failed", "finished", "failed"]
    assert rows["shard-1"]["note"] == "no luck"
    assert float(rows["shard-2"]["missed_worst"]) == pytest.approx(0.3)
    merged = grid.merged()
    assert merged.missing == 2

    grid, said = fit_of(tmp_path)  # another call
    engine = Straw(tmp_path)
    grid.train(engine)
    assert engine.calls == [["shard-1", "shard-3"]]
    assert "continuing: 2 of 4 shards, 2 of 4 cells" in said.getvalue()
    assert nets_in(engine.starts["shard-3"])[2:] == [2.0, 2.0]
    assert grid.merged().missing == 0
    assert fit_of(tmp_path)[0].train(Straw(tmp_path)) is None  # nothing is left
