"""Trainings side by side on this machine, and what becomes of those that are killed; of processes of straw."""

import signal
import threading
from pathlib import Path

import pytest

from tapezoo.compare.row import Row
from tapezoo.jobs import process
from tapezoo.jobs.folder import read_outcome
from tapezoo.jobs.local_engine import run_side_by_side
from tapezoo.jobs.task import Task
from tapezoo.measure.comparison import Outcome


class Straw(Task):
    """A task that is worth something as soon as it has ended."""

    kind = "straw"
    tries = 2

    def measure(self, folder: Path) -> None:
        """Nothing."""


def test_some_run_at_a_time_and_each_one_once(tmp_path, monkeypatch):
    together, at_work, most, order = threading.Barrier(2, timeout=30), [0], [0], []

    def run(task, folder, watch, inherited):
        order.append(task.name)
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        together.wait()  # nobody goes on alone
        at_work[0] -= 1
        assert folder == tmp_path / task.name
        assert inherited == [7]
        return Outcome("finished")

    monkeypatch.setattr(process, "run_task", run)
    ended, left = [], []
    tasks = [Straw(name, {}) for name in "abcdef"]
    run_side_by_side(tasks, tmp_path, 2, lambda task, outcome: ended.append(task.name), left.append, 7)
    assert sorted(ended) == sorted(order) == list("abcdef")
    assert set(order[:2]) == {"a", "b"}
    assert most == [2]
    assert left[0] == 6


def test_an_interruption_stops_those_that_run_and_begins_no_other(tmp_path, monkeypatch):
    begun, stopped = [], []

    def run(task, folder, watch, inherited):
        begun.append(task.name)
        try:
            while True:
                watch()
        except KeyboardInterrupt:
            stopped.append(task.name)
            raise

    def interrupt(count: int) -> None:
        if len(begun) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(process, "run_task", run)
    monkeypatch.setattr(process, "POLL_S", 0.01)
    tasks = [Straw(name, {}) for name in "abcdef"]
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side(tasks, tmp_path, 2, lambda task, outcome: None, interrupt, 7)
    assert sorted(stopped) == sorted(begun) == ["a", "b"]


@pytest.mark.parametrize(
    ("codes", "status", "resumes"),
    [
        ([-signal.SIGKILL, 0], "finished", [False, True]),
        ([-signal.SIGKILL, -signal.SIGKILL], "interrupted", [False, True]),
        ([2], "failed", [False]),
    ],
)
def test_what_is_killed_begins_once_more_from_what_it_left(codes, status, resumes, tmp_path, monkeypatch):
    lines = []

    class Training:
        def __init__(self, command, **options):
            lines.append(command)
            self.code = codes[len(lines) - 1]
            (tmp_path / "a" / "last.ckpt").write_text("weights")

        def wait(self, seconds):
            return self.code

    monkeypatch.setattr(process.subprocess, "Popen", Training)
    outcome = process.run_task(Straw("a", {"threads": 1}, start=b"weights"), tmp_path / "a")
    assert outcome.status == read_outcome(tmp_path / "a").status == status
    assert ["--ckpt_path" in line for line in lines] == resumes
    assert ["--warm_start" in line for line in lines] == [not resumed for resumed in resumes]
    assert not (tmp_path / "a" / "start.ckpt").exists()
    assert "SIGKILL" in outcome.reason or status != "interrupted"


def test_a_row_of_a_comparison_that_is_killed_is_not_begun_again(tmp_path, monkeypatch):
    begun = []

    def train(task, *arguments):
        begun.append(task.name)
        raise process.Killed("ended by signal 9 (SIGKILL)")

    monkeypatch.setattr(process, "train", train)
    assert process.run_task(Row("a", {"threads": 1}), tmp_path / "a").status == "interrupted"
    assert begun == ["a"]
