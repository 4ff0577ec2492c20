"""Two comparisons never write into one folder."""

import subprocess

import pytest

from tapezoo.jobs.errors import JobError
from tapezoo.jobs.lock import lock_folder


def test_a_folder_is_held_by_one_and_then_free_again(tmp_path):
    with (
        lock_folder(tmp_path, "compare"),
        pytest.raises(JobError, match="running there"),
        lock_folder(tmp_path, "compare"),
    ):
        pass
    with lock_folder(tmp_path, "compare"):
        pass


def test_a_training_that_outlives_its_comparison_goes_on_holding_it(tmp_path):
    with lock_folder(tmp_path, "compare") as lock:
        training = subprocess.Popen(["sleep", "60"], pass_fds=[lock])
    with pytest.raises(JobError, match="running there"), lock_folder(tmp_path, "compare"):
        pass
    training.kill()
    training.wait()
    with lock_folder(tmp_path, "compare"):
        pass
