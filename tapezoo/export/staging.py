"""A result folder that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tapezoo.bundle.manifest import MANIFEST
from tapezoo.bundle.seal import SUMS
from tapezoo.errors import OutputExistsError, TapezooError, UnwritableOutputError


class NotReplaceableError(TapezooError):
    """What stands where the bundle should go is no bundle; overwriting would delete somebody's work."""


@contextmanager
def staged_folder(out: Path, overwrite: bool) -> Iterator[Path]:
    """Gives a new folder beside `out`; moves it to `out` at the end, or removes it on any exception.

    Args:
        out: Where the bundle goes.
        overwrite: Replace a bundle that is there already, once the new one is complete.

    Raises:
        OutputExistsError: `out` exists and `overwrite` is False.
        NotReplaceableError: `out` exists and is neither a bundle nor an empty folder.
        UnwritableOutputError: The folder cannot be made, filled or moved.
    """
    out = Path(os.path.abspath(out))  # noqa: PTH100 - resolve() would follow a link and write behind it
    _check_free(out, overwrite)
    try:
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise UnwritableOutputError(out, error) from error
    try:
        yield staging
        _open_to_others(staging)
        _check_free(out, overwrite)  # minutes may have passed
        _move(staging, out)
    except OSError as error:
        raise UnwritableOutputError(out, error) from error
    finally:  # also on Ctrl-C; after the move there is nothing left here
        shutil.rmtree(staging, ignore_errors=True)


def _check_free(out: Path, overwrite: bool) -> None:
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise OutputExistsError(out)
    empty = out.is_dir() and not any(out.iterdir())
    bundle = out.is_dir() and (out / MANIFEST).is_file() and (out / SUMS).is_file()
    if out.is_symlink() or not (bundle or empty):
        raise NotReplaceableError(
            str(out),
            found="something that is no bundle",
            expected="a bundle to replace, or a free name",
            fix="Choose another name, or move it away yourself.",
        )


def _move(staging: Path, out: Path) -> None:
    if not out.exists():
        staging.rename(out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
    try:
        out.rename(old)  # an empty folder may be renamed onto
        staging.rename(out)
    finally:  # also on Ctrl-C between the two
        if not out.exists():
            old.rename(out)
        shutil.rmtree(old, ignore_errors=True)


def _open_to_others(folder: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    folder.chmod(0o777 & ~mask)  # mkdtemp makes it private
