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

from tapezoo.bundle.errors import MalformedFileError

MEMBER_LIMIT_BYTES = 1 << 30  # an hour of one channel at 44.1 kHz in float32 is 0.6 GiB


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes an npz. Names like "file" are fine: they go through a mapping, not through keywords of numpy."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(
                buffer, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False
            )
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED)


def read_arrays(root: Path, file: str, names: Collection[str]) -> dict[str, NDArray[Any]]:
    """The arrays `names` of an npz in a bundle, which must hold exactly these.

    Raises:
        MalformedFileError: Not an npz, other names, objects, or a header that claims more than there is.
    """
    try:
        with zipfile.ZipFile(root / file) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if set(members) != set(names):
                raise ValueError(f"the arrays {sorted(members)}, not {sorted(names)}")
            return {name: _read_member(archive, members[name]) for name in names}
    except Exception as error:  # zipfile, its compressors and numpy have a dozen kinds for bad data
        raise MalformedFileError.about(root, file, str(error), "an npz file with plain arrays") from error


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    if info.file_size > MEMBER_LIMIT_BYTES:
        raise ValueError(f"an array of {info.file_size} bytes")
    buffer = io.BytesIO(archive.read(info))  # zipfile stops at file_size, whatever the compressed data hold
    version = np.lib.format.read_magic(buffer)
    if version != (1, 0):  # what numpy writes for every array of ours
        raise ValueError(f"npy format version {version}")
    shape, _, dtype = np.lib.format.read_array_header_1_0(buffer)
    claimed = prod(shape) * dtype.itemsize
    present = info.file_size - buffer.tell()
    if dtype.hasobject or claimed != present:
        raise ValueError(f"a header that claims {claimed} bytes of {dtype} over {present} bytes")
    buffer.seek(0)
    array: NDArray[Any] = np.load(buffer, allow_pickle=False)
    return array
