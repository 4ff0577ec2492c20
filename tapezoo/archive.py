"""Checks of the zip archive in a PyTorch checkpoint, before it is unpacked and before its content is used."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import torch

MOST_MEMBERS = (
    20_000  # a tensor each; the widest nets have some hundred, their optimizers three times as many
)
LARGEST_PICKLE_BYTES = (
    1 << 24
)  # the structure without the tensors; objects take up to 60 times as much memory
EXPANDED_BYTES = 1 << 24  # how much larger than its stored bytes a tensor may claim to be


def fault_in(file: BinaryIO) -> str | None:
    """What is wrong with the archive, or None. Checks its directory first, then every checksum, at some GB per second.

    PyTorch stores its members uncompressed and checks no checksum on loading. A compressed member can only be an
    attempt to fill the memory, and a bit flipped on disk would otherwise pass as a weight.

    Args:
        file: Open for reading; its position afterwards is undefined.
    """
    length = file.seek(0, 2)
    try:
        with zipfile.ZipFile(file) as archive:
            return _fault_in_directory(archive, length) or _fault_in_content(archive)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        return (
            f"a file that is not a PyTorch checkpoint, or an incomplete one ({' '.join(str(error).split())})"
        )


def _fault_in_directory(archive: zipfile.ZipFile, length: int) -> str | None:
    members = archive.infolist()
    names = [member.filename for member in members]
    if not any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return "a zip archive that is not a PyTorch checkpoint"
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        size = sum(member.file_size for member in members)
        return (
            f"an archive with compressed members, of {size / 1e6:.3g} MB unpacked; PyTorch writes uncompressed "
            "members"
        )
    if sum(member.file_size for member in members) > length:
        return "an archive whose members are larger than the archive"
    if len(set(names)) < len(names) or len(names) > MOST_MEMBERS:
        return f"an archive of {len(names)} members, {len(names) - len(set(names))} of them twice"
    largest = max(member.file_size for member in members if member.filename.endswith("data.pkl"))
    if largest > LARGEST_PICKLE_BYTES:
        return f"a pickle of {largest / 1e6:.3g} MB beside the weights"
    return None


def _fault_in_content(archive: zipfile.ZipFile) -> str | None:
    damaged = archive.testzip()
    if damaged is None:
        return None
    return f"a damaged file: {damaged.rpartition('/')[2]} in it does not match its checksum"


def oversize_fault(content: Any, file_bytes: int) -> str | None:
    """What is wrong with the unpacked tensors, or None; called before anything reads their values.

    A few stored bytes can claim to be a tensor of any size; reading it would fill the memory.

    Args:
        content: The result of `torch.load`.
        file_bytes: Size of the file.
    """
    stored: dict[int, int] = {}
    for tensor in _tensors(content):
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            return f"a tensor of a type that no tapezoo model has ({tensor.layout}, {tensor.dtype})"
        storage = tensor.untyped_storage()
        stored[storage.data_ptr()] = storage.nbytes()
        claimed = tensor.numel() * tensor.element_size()
        if claimed > storage.nbytes() + EXPANDED_BYTES or sum(stored.values()) > file_bytes:
            return f"a tensor of {claimed / 1e9:.3g} GB in a file of {file_bytes / 1e6:.3g} MB"
    return None


def _tensors(content: Any) -> Iterator[torch.Tensor]:
    waiting, seen = [content], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:  # a pickle can hold a list within itself
            continue
        seen.add(id(part))
        if isinstance(part, torch.Tensor):
            yield part
        elif isinstance(part, dict):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple | set | frozenset):
            waiting += part
