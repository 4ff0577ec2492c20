"""Named arrays in npz files from strangers: sizes are checked first, nothing is unpickled."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle.errors import BundleError
from tapezoo.bundle.zip_directory import check_directory

# of one array in memory: a few kilobytes of zip can claim to unpack to anything. 25 minutes of one channel at
# 44.1 kHz in float32; export writes 2 MiB at most
MEMBER_LIMIT_BYTES = 1 << 28


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes an npz. Names like "file" are fine: they go through a mapping, not through keywords of numpy."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(
                buffer, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False
            )
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED)


def read_arrays(
    root: Path, file: str, names: Collection[str], limit_bytes: int = MEMBER_LIMIT_BYTES
) -> dict[str, NDArray[Any]]:
    """The arrays `names` of an npz in a bundle, which must hold exactly these, of finite numbers.

    Args:
        root: The bundle's folder.
        file: Its bundle path.
        names: Of the arrays.
        limit_bytes: Of each array in memory.

    Raises:
        BundleError: Not an npz, other names, objects, or a header that claims more than there is. NaN or infinite
            numbers.
    """
    try:
        check_directory(root / file, len(names))
        with zipfile.ZipFile(root / file) as archive:
            found = [info.filename for info in archive.infolist()]
            if sorted(found) != sorted(f"{name}.npy" for name in names):
                raise ValueError(f"the arrays {', '.join(map(repr, found))}, not {', '.join(names)}")
            arrays = {name: _read_member(archive, f"{name}.npy", limit_bytes) for name in names}
    except Exception as error:  # zipfile, its compressors and numpy have a dozen exceptions for bad data
        raise BundleError.about(root, file, str(error), "an npz file with plain arrays") from error
    for name, array in arrays.items():
        check_finite(root, file, name, array)
    return arrays


def check_finite(root: Path, file: str, name: str, array: NDArray[Any]) -> None:
    """Refuses NaN and infinity.

    Raises:
        BundleError: There are some.
    """
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.size(array) - np.isfinite(array).sum())
        raise BundleError.about(
            root, file, f"{bad} values of {name!r} that are NaN or infinite", "finite numbers"
        )


def _read_member(archive: zipfile.ZipFile, file: str, limit_bytes: int) -> NDArray[Any]:
    info = archive.getinfo(file)
    if info.file_size > limit_bytes + (1 << 16):  # the header is at most that long
        raise ValueError(f"an array of {info.file_size} bytes, over {limit_bytes}")
    buffer = io.BytesIO(archive.read(info))  # zipfile stops at file_size, whatever the data hold
    version = np.lib.format.read_magic(buffer)
    if version != (1, 0):  # what numpy writes for every array of ours
        raise ValueError(f"npy format version {version}")
    shape, _, dtype = np.lib.format.read_array_header_1_0(buffer)
    claimed = prod(shape) * dtype.itemsize
    present = info.file_size - buffer.tell()
    if dtype.kind not in "fiu" or claimed != present or min(shape, default=0) < 0:
        raise ValueError(f"a header that claims {claimed} bytes of {dtype} over {present} bytes")
    buffer.seek(0)
    array: NDArray[Any] = np.load(buffer, allow_pickle=False)
    return array
