"""A result, folder or file, that appears complete or not at all."""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tapezoo.errors import OutputExistsError, TapezooError, UnwritableOutputError

PART = ".part"
PART_STEM_BYTES = 100
_PART_NAME = re.compile(r"\..*\.[0-9a-f]{8}\.part(\.[^.]*)?")
NEW, OLD, MARK = "new", "old", "tapezoo-at-work"  # in a folder beside the result
_STAGING_NAME = re.compile(r"\..+\.[a-z0-9_]{8}", re.DOTALL)  # the form of tempfile's names


class NotReplaceableError(TapezooError):
    """The existing file or folder is of another kind; overwriting it would delete somebody's work."""


@contextmanager
def staged_folder(out: Path, overwrite: bool, is_ours: Callable[[Path], bool], kind: str) -> Iterator[Path]:
    """Gives a new folder beside `out`; moves it to `out` at the end, or removes it on any exception.

    First removes what processes that were killed left beside `out`, see `remove_left_behind`.

    Args:
        out: Path of the result.
        overwrite: Replace an existing result once the new one is complete.
        is_ours: Whether an existing folder is such a result.
        kind: What to call such a result in messages.

    Raises:
        OutputExistsError: `out` exists and `overwrite` is False.
        NotReplaceableError: `out` exists and is neither such a result nor an empty folder.
        UnwritableOutputError: The folder cannot be made, filled or moved.
    """
    out = Path(os.path.abspath(out))  # noqa: PTH100 - resolve() would follow a link and write behind it
    remove_left_behind(out.parent)
    check_free(out, overwrite, is_ours, kind)
    try:
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise UnwritableOutputError(out, error) from error
    new, old = staging / NEW, staging / OLD
    mark = None
    try:
        mark = _read_mark(staging)
        new.mkdir()  # mkdtemp's own folder is private; this one gets the user's usual permissions
        yield new
        check_free(out, overwrite, is_ours, kind)  # check again: minutes may have passed
        try:
            if out.exists():
                out.rename(old)
            new.rename(out)
        finally:  # also on Ctrl-C between the two
            if old.exists() and not out.exists():
                old.rename(out)
    except OSError as error:
        raise UnwritableOutputError(out, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if mark is not None:
            os.close(mark)


def remove_left_behind(parent: Path) -> None:
    """Removes folders of `staged_folder` in `parent` whose process is gone, as after a power cut or kill -9.

    Only folders with a mark made on this machine that no process holds locked. If a result had been moved aside and
    its replacement was not yet in place, it is moved back; if its name is taken by then, the folder stays.
    """
    with suppress(OSError):
        for entry in list(os.scandir(parent)):
            if _STAGING_NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_if_left(Path(entry.path))


def _remove_if_left(staging: Path) -> None:
    if sys.platform == "win32":  # no locks that end with their process
        return
    import fcntl

    mark = os.open(staging / MARK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails if a live process holds the lock
        here = set(_here().split()[1:])
        if not here & set(os.read(mark, 4096).decode(errors="replace").split()):
            return  # made on another machine, whose locks may be invisible here
        new, old = staging / NEW, staging / OLD
        if new.exists() and os.path.lexists(old):
            out = staging.with_name(staging.name[1:].rpartition(".")[0])
            if os.path.lexists(out):
                return
            old.rename(out)
        shutil.rmtree(staging, ignore_errors=True)
    finally:
        os.close(mark)


def _read_mark(staging: Path) -> int | None:
    """Marks a folder as this process's; the mark stays locked until its descriptor is closed or the process ends."""
    if sys.platform == "win32":
        return None
    import fcntl

    part = staging / f"{MARK}.part"
    mark = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(mark, _here().encode(errors="replace"))
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        part.rename(staging / MARK)  # already locked, so nobody can see it unlocked
    except OSError:  # no locks on this file system: the folder will never be cleaned up automatically
        os.close(mark)
        return None
    return mark


def _here() -> str:
    """Identifies the machine by name and boot: containers get new names, but share the kernel's locks."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"tapezoo host:{platform.node()} boot:{boot}"
    return f"tapezoo host:{platform.node()}"


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Gives the name of a new file beside `path`; moves it to `path` at the end, or removes it on any exception.

    The new name keeps the suffix, from which libraries infer the format. A link is followed; a device such as
    /dev/stdout is used directly. If two processes write the same file at once, the later one wins.

    Args:
        path: Path of the result; an existing file is replaced.

    Raises:
        UnwritableOutputError: Whatever OSError came out of the block, or of the move; a full disk is named.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise UnwritableOutputError(path, "it is a folder")
    if target.exists() and not target.is_file():
        try:
            yield target
        except OSError as error:
            raise UnwritableOutputError(path, error) from error
        return
    part = target.with_name(part_name(target.name))
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())  # otherwise a power cut could keep the name but lose the content
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)
    except OSError as error:
        raise UnwritableOutputError(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def part_name(name: str) -> str:
    """A hidden name beside `name` for an unfinished file, different at every call."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - of a name, not of a path
    kept = os.fsencode(stem)[:PART_STEM_BYTES].decode("ascii", "ignore")  # names end at 255 bytes
    return f".{kept}.{secrets.token_hex(4)}{PART}{suffix}"


def remove_parts(folder: Path) -> None:
    """Removes what `replaced_file` left in `folder` when its process was killed; no other process may be writing."""
    for part in folder.glob(f".*{PART}*"):
        if _PART_NAME.fullmatch(part.name) and part.is_file():
            part.unlink(missing_ok=True)


def check_free(out: Path, overwrite: bool, is_ours: Callable[[Path], bool], kind: str) -> None:
    """Whether `staged_folder` would begin: to be asked before long work, with its arguments.

    Raises:
        OutputExistsError, NotReplaceableError: See there.
    """
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise OutputExistsError(out)
    if out.is_symlink() or not out.is_dir() or not (is_ours(out) or not any(out.iterdir())):
        raise NotReplaceableError(
            str(out),
            found=f"something that is not a {kind}",
            expected=f"a {kind} to replace, or a free name",
            fix="Choose another name, or move it away yourself.",
        )
