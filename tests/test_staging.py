"""A result, folder or file, that appears whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tapezoo.errors import OutputExistsError, UnwritableOutputError
from tapezoo.staging import NotReplaceableError, part_name, remove_parts, replaced_file, staged_folder


def ours(folder: Path) -> bool:
    return (folder / "mark").is_file()


def fill(out: Path, text: str, overwrite: bool = False, meanwhile: Callable[[], None] = lambda: None) -> None:
    with staged_folder(out, overwrite, ours, "result") as folder:
        assert not any(folder.iterdir())
        (folder / "mark").write_text(text)
        assert not (out / "mark").exists() or (out / "mark").read_text() != text  # not before the end
        meanwhile()


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_result_is_replaced_only_when_told(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fill(out, "first")
    with pytest.raises(OutputExistsError):
        fill(out, "second")
    assert (out / "mark").read_text() == "first"
    fill(out, "second", overwrite=True)
    assert (out / "mark").read_text() == "second"
    assert names(tmp_path) == ["out"]


def test_it_is_as_readable_as_other_folders(tmp_path: Path) -> None:
    fill(tmp_path / "out", "first")
    (tmp_path / "other").mkdir()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("fault", [KeyboardInterrupt, RuntimeError])
def test_a_failure_leaves_what_was_there_and_nothing_else(fault: type[BaseException], tmp_path: Path) -> None:
    def fail() -> None:
        raise fault

    fill(tmp_path / "out", "first")
    for out in (tmp_path / "out", tmp_path / "new"):
        with pytest.raises(fault):
            fill(out, "half", overwrite=True, meanwhile=fail)
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / "mark").read_text() == "first"


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link"])
def test_what_is_not_ours_is_never_replaced(kind: str, tmp_path: Path) -> None:
    out, real = tmp_path / "out", tmp_path / "real"
    if kind == "file":
        out.write_text("precious")
    elif kind == "folder":
        out.mkdir()
        (out / "precious").write_text("precious")
    elif kind == "link":
        fill(real, "first")
        out.symlink_to(real)
    else:
        out.symlink_to(tmp_path / "nowhere")
    before = names(tmp_path)
    with pytest.raises(NotReplaceableError, match="not a result"):
        fill(out, "second", overwrite=True)
    assert names(tmp_path) == before


def test_what_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def somebody_else() -> None:
        out.mkdir()
        (out / "precious").write_text("precious")

    with pytest.raises(OutputExistsError):
        fill(out, "late", meanwhile=somebody_else)
    assert names(tmp_path) == ["out"]
    assert names(out) == ["precious"]


def test_an_empty_folder_makes_room_and_a_missing_parent_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    fill(tmp_path / "out", "first", overwrite=True)
    assert (tmp_path / "out" / "mark").read_text() == "first"
    with pytest.raises(UnwritableOutputError):
        fill(tmp_path / "nowhere" / "out", "first")


def test_a_move_that_fails_brings_the_old_result_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    fill(out, "first")
    rename = Path.rename

    def once(self: Path, target: Path) -> Path:
        if os.path.basename(self) == "new":  # noqa: PTH119
            raise OSError("disk full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", once)
    with pytest.raises(UnwritableOutputError):
        fill(out, "second", overwrite=True)
    assert (out / "mark").read_text() == "first"
    assert names(tmp_path) == ["out"]


# --- files ---


def write_half(path: Path, fault: BaseException) -> None:
    with replaced_file(path) as part:
        part.write_text("half")
        raise fault


def test_a_file_is_replaced_whole_and_keeps_its_suffix_and_mode(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    out.write_text("first")
    out.chmod(0o640)
    with replaced_file(out) as part:
        assert (part.parent, part.suffix) == (tmp_path, ".wav")
        part.write_text("second")
        assert out.read_text() == "first"
    assert out.read_text() == "second"
    assert out.stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == ["out.wav"]


def test_a_new_file_is_as_readable_as_others(tmp_path: Path) -> None:
    with replaced_file(tmp_path / "out") as part:
        part.write_text("x")
    (tmp_path / "other").write_text("x")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("fault", [KeyboardInterrupt, RuntimeError])
def test_a_file_that_fails_leaves_what_was_there(fault: type[BaseException], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("first")
    with pytest.raises(fault):
        write_half(tmp_path / "out", fault())
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out").read_text() == "first"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_named_and_leaves_what_was_there(number: int, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("first")
    with pytest.raises(UnwritableOutputError, match=r"out: found a full disk \(.*Free some space"):
        write_half(tmp_path / "out", OSError(number, os.strerror(number)))
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out").read_text() == "first"


def test_a_link_is_followed_a_folder_refused_a_missing_one_said_and_a_device_written_to(
    tmp_path: Path,
) -> None:
    (tmp_path / "real").write_text("first")
    (tmp_path / "link").symlink_to("real")
    with replaced_file(tmp_path / "link") as part:
        part.write_text("second")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "second"
    for path in (tmp_path, tmp_path / "nowhere" / "out"):
        with pytest.raises(UnwritableOutputError), replaced_file(path) as part:
            part.write_text("x")
    os.mkfifo(tmp_path / "pipe")
    with replaced_file(tmp_path / "pipe") as part:
        assert part == tmp_path / "pipe"
    assert (tmp_path / "pipe").is_fifo()


def test_the_longest_name_can_be_written_and_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    out = tmp_path / ("\N{LATIN SMALL LETTER E WITH ACUTE}" * 123 + "x.history")
    with replaced_file(out) as part:
        part.write_text("x")
    (tmp_path / part_name("best.ckpt")).touch()
    (tmp_path / part_name("LICENSE")).touch()
    (tmp_path / ".mine.part.ckpt").touch()
    remove_parts(tmp_path)
    assert names(tmp_path) == [".mine.part.ckpt", out.name]


# --- processes that were killed ---

KILLED = """
import os, signal, sys
from pathlib import Path
from tapezoo.staging import staged_folder
out, step = Path(sys.argv[1]), sys.argv[2]
rename = Path.rename
def killed(self, target):
    if step == self.name:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
if step == "wait":
    end = lambda: (print("ready", flush=True), sys.stdin.read())
elif step == "fill":
    end = lambda: os.kill(os.getpid(), signal.SIGKILL)
else:
    Path.rename, end = killed, lambda: None
with staged_folder(out, True, lambda folder: (folder / "mark").is_file(), "result") as folder:
    (folder / "mark").write_text("half")
    end()
"""


def kill_while(step: str, out: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, out, step], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    kill_while("fill", tmp_path / "other")
    [left] = names(tmp_path)
    assert left.startswith(".other.")
    kill_while("fill", tmp_path / "out")
    [left] = names(tmp_path)
    assert left.startswith(".out.")
    fill(tmp_path / "out", "first")
    assert names(tmp_path) == ["out"]


def test_a_result_that_a_killed_process_had_moved_aside_comes_back(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fill(out, "first")
    kill_while("new", out)  # between the two moves
    assert "out" not in names(tmp_path)
    with pytest.raises(OutputExistsError):
        fill(out, "second")
    assert (out / "mark").read_text() == "first"
    assert names(tmp_path) == ["out"]
    kill_while("new", out)
    (tmp_path / "out").mkdir()  # meanwhile its name is taken: it stays where it is
    fill(out, "second", overwrite=True)
    [kept] = [folder for folder in tmp_path.iterdir() if folder.name != "out"]
    assert (kept / "old" / "mark").read_text() == "first"


def test_what_others_are_at_work_on_or_nobody_marked_is_left_alone(tmp_path: Path) -> None:
    busy = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path / "busy", "wait"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert busy.stdout is not None
    busy.stdout.readline()
    (tmp_path / ".out.abcdefgh" / "new").mkdir(parents=True)  # of this name, but unmarked
    (tmp_path / ".ssh").mkdir()
    elsewhere = tmp_path / ".elsewhere.abcdefgh"
    elsewhere.mkdir()
    (elsewhere / "tapezoo-at-work").write_text("tapezoo host:another boot:another")
    before = names(tmp_path)
    fill(tmp_path / "out", "first")
    assert names(tmp_path) == sorted([*before, "out"])
    busy.communicate()
    assert names(tmp_path) == sorted([".elsewhere.abcdefgh", ".out.abcdefgh", ".ssh", "busy", "out"])


def test_where_nothing_can_be_locked_results_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    fill(tmp_path / "out", "first")
    assert names(tmp_path) == ["out"]
