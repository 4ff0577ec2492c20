"""Downloads a folder of the store, and stops a file that is longer than the store announced."""

from __future__ import annotations

import errno
import re
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tapezoo.errors import UnwritableOutputError
from tapezoo.tracking.errors import VersionError

SLACK_BYTES = 2**24  # what a file may have over what is announced before the download is stopped
MOST_FILES, MOST_FOLDERS = 10_000, 100
_NAME = re.compile(r"[\w.+=@ -]+")


def download_folder(source: str, uri: str, folder: Path, subject: str) -> None:
    """Fills `folder` with the files below `source`, each as long as announced.

    While it is at work this process can write no file that is longer than the longest announced, or `SLACK_BYTES`.

    Args:
        source: Address in the store.
        uri: Of the store.
        folder: An empty folder.
        subject: What is downloaded, for errors.

    Raises:
        VersionError: More or other files than announced, or names that no bundle has.
        UnwritableOutputError: There is no room for what is announced.
    """
    from mlflow.artifacts import download_artifacts

    sizes = _list_files(source, uri, subject)
    free = shutil.disk_usage(folder).free
    if sum(sizes.values()) > free:
        raise UnwritableOutputError(folder, f"{sum(sizes.values())} bytes to download, {free} free")
    for path, size in sizes.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _limit_file_size(max(size, SLACK_BYTES)):
                download_artifacts(f"{source}/{path}", dst_path=str(place.parent), tracking_uri=uri)
        except Exception as error:
            if _is_too_large(error):
                raise _mismatch_error(
                    subject, f"{path}, longer than the {size} bytes it announces"
                ) from error
            raise
        if place.is_file() and place.stat().st_size != size:
            raise _mismatch_error(subject, f"{path} of {place.stat().st_size} bytes, announced as {size}")


def _list_files(source: str, uri: str, subject: str) -> dict[PurePosixPath, int]:
    """Every file below `source` and its size in bytes, as the store says."""
    from mlflow.artifacts import list_artifacts

    sizes: dict[PurePosixPath, int] = {}
    folders = [PurePosixPath()]
    for place in folders:  # grows
        for info in list_artifacts(f"{source}/{place}" if place.parts else source, tracking_uri=uri):
            name = PurePosixPath(str(info.path)).name
            if not _NAME.fullmatch(name) or name in (".", ".."):
                raise _mismatch_error(subject, f"a file named {name!r}")
            if info.is_dir:
                folders.append(place / name)
            else:
                sizes[place / name] = int(info.file_size or 0)
            if len(sizes) > MOST_FILES or len(folders) > MOST_FOLDERS:
                raise _mismatch_error(subject, f"over {MOST_FILES} files or {MOST_FOLDERS} folders")
    return sizes


@contextmanager
def _limit_file_size(size: int) -> Iterator[None]:
    """Makes writing beyond `size` bytes of any file an OSError; nothing else bounds what a store sends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    least = min(size, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY), size)
    resource.setrlimit(resource.RLIMIT_FSIZE, (least, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _is_too_large(error: BaseException | None) -> bool:
    """Whether the cause is a file over the limit; MLflow wraps the disk's error or keeps only its text."""
    while error is not None:
        if getattr(error, "errno", None) == errno.EFBIG or f"[Errno {errno.EFBIG}]" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _mismatch_error(subject: str, found: str) -> VersionError:
    return VersionError(
        subject,
        found=f"{found} in the store",
        expected="the files of a bundle, with the lengths that the store states",
        fix="Nothing was written. Pull another version, and ask who can write to the store.",
    )
