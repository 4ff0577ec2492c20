"""The folder of a run: one training at a time, and nothing left of one that did not begin."""

from __future__ import annotations

import os
import signal
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tapezoo.cli.errors import RunFolderError
from tapezoo.cli.run_folder import belongs_to, claim_folder, run_dir_of
from tapezoo.errors import OutputExistsError, UnwritableOutputError
from tapezoo.staging import part_name


def claim(
    run_dir: Path, resumed: Path | None = None, overwrite: bool = False
) -> AbstractContextManager[Path]:
    return claim_folder(run_dir, True, None if resumed is None else str(resumed), overwrite)


def test_a_second_training_in_the_same_new_folder_is_refused_until_the_first_has_ended(
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    with claim(run):
        (run / "config.yaml").touch()
        with (
            pytest.raises(RunFolderError, match=f"process {os.getpid()} on .*choose another --run_dir"),
            claim(run),
        ):
            pass
        with pytest.raises(RunFolderError, match="still running"), claim(run, overwrite=True):
            pass
        with pytest.raises(RunFolderError, match="still running"), claim(run, resumed=run / "last.ckpt"):
            pass
    with claim(run):
        pass
    assert [path.name for path in run.iterdir()] == ["config.yaml"]


def test_two_runs_named_after_the_same_second_have_a_folder_each(tmp_path: Path) -> None:
    named = tmp_path / "runs" / "LSTM-20260101-120000"
    with claim_folder(named, False, None, False) as first, claim_folder(named, False, None, False) as second:
        assert (first, second) == (named, named.with_name(f"{named.name}-2"))
        (first / "config.yaml").touch()
    assert first.is_dir()
    assert not second.exists()


def test_a_run_that_did_not_begin_leaves_nothing_and_a_folder_of_the_user_stays(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), claim(tmp_path / "a" / "b" / "run"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    with claim(tmp_path / "mine" / "run"), claim(tmp_path / "mine"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_killed_training_gives_its_folder_back(tmp_path: Path) -> None:
    run = tmp_path / "run"
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with claim(run):
                (run / part_name("last.ckpt")).touch()
                os.write(writer, b"x")
                signal.pause()
        finally:
            os._exit(1)
    os.read(reader, 1)
    try:
        with pytest.raises(RunFolderError, match=f"process {child}"), claim(run):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    with claim(run):
        assert [path.name for path in run.iterdir()] == [".running"]  # what it had half-written is gone


def test_checkpoints_are_replaced_only_when_told_and_never_by_another_run_that_is_resumed(
    tmp_path: Path,
) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    run.mkdir()
    (run / "last.ckpt").touch()
    with pytest.raises(OutputExistsError, match="--overwrite"), claim(run):
        pass
    with pytest.raises(RunFolderError, match="another run than that of") as refused:
        claim(run, resumed=other / "last.ckpt").__enter__()
    assert "overwrite" not in str(refused.value)
    for claiming in (claim(run, overwrite=True), claim(run, resumed=run / "last.ckpt")):
        with claiming:
            pass
    assert (run / "last.ckpt").exists()


@pytest.mark.parametrize("place", ["/proc/x", "/dev/null", "/dev/null/x", "file"])
def test_a_place_that_cannot_be_a_folder_is_said(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnwritableOutputError), claim(tmp_path / place):
        pass


def test_a_checkpoint_brings_its_folder() -> None:
    assert run_dir_of(None, "a/last.ckpt", "LSTM") == Path("a")
    assert run_dir_of("b", "a/last.ckpt", "LSTM") == Path("b")
    assert belongs_to(Path("a/../a"), "a/last.ckpt")
    assert not belongs_to(Path("a"), None)
