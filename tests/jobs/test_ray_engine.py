"""What happens on the Ray cluster when trainings are interrupted, on a cluster of straw."""

from types import SimpleNamespace

import pytest

from tapezoo.compare.row import Row
from tapezoo.jobs.folder import read_outcome
from tapezoo.jobs.ray_engine import run_on_ray


class Straw:
    """A cluster that never ends a row by itself."""

    def __init__(self) -> None:
        self.cancelled: list[str] = []
        self.waited_for: list[str] = []

    def remote(self, function: object) -> SimpleNamespace:
        job = SimpleNamespace(remote=lambda task: task.name)
        return SimpleNamespace(options=lambda **options: job)

    def wait(self, references: list[str], timeout: float, num_returns: int = 1) -> tuple[list, list]:
        if self.cancelled:
            assert num_returns == len(references)
            self.waited_for = references
        return [], references

    def cancel(self, reference: str) -> None:
        self.cancelled.append(reference)


@pytest.mark.parametrize("end", [KeyboardInterrupt, OSError])
def test_whatever_ends_it_the_rows_are_cancelled_and_waited_for(end, tmp_path):
    def stop(count: int) -> None:
        raise end

    straw = Straw()
    tasks = [Row(name, {"threads": 1}) for name in ("a", "b")]
    with pytest.raises(end):
        run_on_ray(straw, tasks, tmp_path, lambda task, outcome: None, stop)
    assert straw.cancelled == straw.waited_for == ["a", "b"]
    assert [read_outcome(tmp_path / name).status for name in ("a", "b")] == ["interrupted"] * 2
