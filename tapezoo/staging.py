"""A result folder that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tapezoo.errors import OutputExistsError, TapezooError, UnwritableOutputError


class NotReplaceableError(TapezooError):
    """What stands where the result should go is none of its kind; overwriting would delete somebody's work."""


@contextmanager
def staged_folder(out: Path, overwrite: bool, is_ours: Callable[[Path], bool], kind: str) -> Iterator[Path]:
    """Gives a new folder beside `out`; moves it to `out` at the end, or removes it on any exception.

    Args:
        out: Where the result goes.
        overwrite: Replace a result that is there already, once the new one is complete.
        is_ours: Whether an existing folder is such a result.
        kind: What such a result is called.

    Raises:
        OutputExistsError: `out` exists and `overwrite` is False.
        NotReplaceableError: `out` exists and is neither such a result nor an empty folder.
        UnwritableOutputError: The folder cannot be made, filled or moved.
    """
    out = Path(os.path.abspath(out))  # noqa: PTH100 - resolve() would follow a link and write behind it
    _check_free(out, overwrite, is_ours, kind)
    try:
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise UnwritableOutputError(out, error) from error
    new, old = staging / "new", staging / "old"
    try:
        new.mkdir()  # mkdtemp's own folder is private; this one is as the user's others
        yield new
        _check_free(out, overwrite, is_ours, kind)  # minutes may have passed
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


def _check_free(out: Path, overwrite: bool, is_ours: Callable[[Path], bool], kind: str) -> None:
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise OutputExistsError(out)
    if out.is_symlink() or not out.is_dir() or not (is_ours(out) or not any(out.iterdir())):
        raise NotReplaceableError(
            str(out),
            found=f"something that is no {kind}",
            expected=f"a {kind} to replace, or a free name",
            fix="Choose another name, or move it away yourself.",
        )
