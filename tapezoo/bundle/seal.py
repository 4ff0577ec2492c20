"""SHA256SUMS: one line per file, in the format of sha256sum(1); a changed byte anywhere names its file.

The manifest holds the hash of every file but itself and SHA256SUMS; SHA256SUMS holds the manifest's too.
So a difference between the two shows which of them was changed. The hash of SHA256SUMS itself, the seal, is stored
where the bundle is registered.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from tapezoo.bundle.errors import BundleError
from tapezoo.bundle.inspection import inspect
from tapezoo.bundle.limits import MANIFEST_LIMIT_BYTES
from tapezoo.bundle.manifest import MANIFEST, Manifest
from tapezoo.bundle.manifest_file import read_manifest

SUMS = "SHA256SUMS"
# protobuf, and so ONNX, ends there; nothing else in a bundle comes near but the weights of a large grid
FILE_LIMIT_BYTES = (1 << 31) - 1
WEIGHTS_LIMIT_BYTES = 1 << 33
FILE_COUNT_LIMIT = 20_000
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)\n")


def file_hashes(root: Path) -> dict[str, str]:
    """sha256 of every file below `root` but manifest.json and SHA256SUMS, by bundle path, sorted."""
    return {file: _hash_file(root / file) for file in sorted(_find_files(root) - {MANIFEST, SUMS})}


def is_bundle(folder: Path) -> bool:
    """Whether this folder was sealed; `verify_hashes` checks whether it is unchanged since."""
    return (folder / MANIFEST).is_file() and (folder / SUMS).is_file()


def seal(root: Path, manifest: Manifest) -> str:
    """Writes manifest.json and SHA256SUMS, the last two files of a bundle; returns the latter's sha256."""
    (root / MANIFEST).write_bytes(manifest.to_json().encode())
    (root / SUMS).write_bytes(_sums_text({**manifest.files, MANIFEST: _hash_file(root / MANIFEST)}))
    return _hash_file(root / SUMS)


def verify_hashes(root: Path, seal_sha256: str | None = None) -> tuple[Manifest, str]:
    """Checks that `root` holds exactly the files that were sealed, byte for byte, and none that must not be opened.

    The inspection of the files is for bundles from strangers, who can seal anything: see `inspect`.

    Args:
        root: The bundle's folder.
        seal_sha256: The expected sha256 of SHA256SUMS, where a registry knows it. Without it a bundle that
            was changed and sealed anew cannot be told from the original.

    Returns:
        The manifest, and the sha256 of SHA256SUMS.

    Raises:
        BundleError: A subclass that names the fault, with the file at fault as `file`.
    """
    try:
        return _verify(root, seal_sha256)
    except OSError as error:
        file = Path(error.filename or root)
        raise BundleError.about(root, file.name, str(error), "a readable file") from error
    except ValueError as error:  # a path with a null character
        raise BundleError.about(root, "", f"no path ({error})", "a bundle made by export") from error


def _verify(root: Path, seal_sha256: str | None) -> tuple[Manifest, str]:
    found = _find_files(root)
    if not found & {MANIFEST, SUMS}:
        raise BundleError.about(root, "", "no manifest.json and no SHA256SUMS", "a bundle made by export")
    for file in (MANIFEST, SUMS):
        if file not in found:
            raise _missing_error(root, file)
    for file in sorted(found):  # before gigabytes are hashed
        _check_size(root, file)
    sums_sha256 = _hash_file(root / SUMS)
    if seal_sha256 is not None and sums_sha256 != seal_sha256:
        raise BundleError.about(root, SUMS, f"sha256 {sums_sha256}", f"the registered {seal_sha256}")
    sums = _read_sums(root)
    if MANIFEST not in sums:
        raise BundleError.about(root, SUMS, "no line for manifest.json", "one")
    if _hash_file(root / MANIFEST) != sums[MANIFEST]:
        raise BundleError.about(
            root,
            MANIFEST,
            "content that differs from its hash in SHA256SUMS",
            "both files as they were sealed",
        )
    manifest = read_manifest(root)
    if sums != {
        **manifest.files,
        MANIFEST: sums[MANIFEST],
    }:  # the manifest is as sealed, so SHA256SUMS is not
        differing = sorted(
            file
            for file in {*sums, *manifest.files} - {MANIFEST}
            if sums.get(file) != manifest.files.get(file)
        )
        raise BundleError.about(
            root, SUMS, f"another line for {', '.join(differing)}", "the manifest's hashes"
        )
    for file, sha256 in sorted(manifest.files.items()):
        if file not in found:
            raise _missing_error(root, file)
        if _hash_file(root / file) != sha256:
            raise BundleError.about(root, file, "content that differs from its hash", f"sha256 {sha256}")
    if extra := sorted(found - {*manifest.files, MANIFEST, SUMS}):
        raise BundleError(
            root, extra[0], found="a file that the bundle does not list", expected="none", fix="Remove it."
        )
    inspect(root, manifest)
    return manifest, sums_sha256


def _check_size(root: Path, file: str) -> None:
    size = (root / file).stat().st_size
    limit = WEIGHTS_LIMIT_BYTES if file.endswith(".safetensors") else FILE_LIMIT_BYTES
    if size > limit:
        raise BundleError.about(
            root, file, f"{size} bytes", f"at most {limit} bytes, more than any model of ours"
        )


def _read_sums(root: Path) -> dict[str, str]:
    if (root / SUMS).stat().st_size > MANIFEST_LIMIT_BYTES:
        raise BundleError.about(root, SUMS, "a very large file", "one line per file")
    data = (root / SUMS).read_bytes()
    sums = {file: sha256 for sha256, file in _LINE.findall(data.decode("utf-8", errors="replace"))}
    if _sums_text(sums) != data:  # exactly what `seal` writes: sorted, no double, nothing between the lines
        raise BundleError.about(root, SUMS, "lines that export did not write", "'sha256  file', sorted")
    return sums


def _sums_text(sums: dict[str, str]) -> bytes:
    return "".join(f"{sums[file]}  {file}\n" for file in sorted(sums)).encode()


def _find_files(root: Path) -> set[str]:
    """Bundle paths of all files and empty folders; refuses links and devices, which could lead anywhere."""
    if not root.is_dir():
        raise BundleError.about(root, "", "no folder with this name", "a bundle made by export")
    found: set[str] = set()
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            if len(found) > FILE_COUNT_LIMIT:
                raise BundleError.about(
                    root, "", f"more than {FILE_COUNT_LIMIT} files", "the few files of a bundle"
                )
            path = Path(folder, name)
            file = path.relative_to(root).as_posix()
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise BundleError(
                    root,
                    file,
                    found="a link or a device",
                    expected="plain files",
                    fix="Fetch the bundle again.",
                )
            if path.is_file() or not any(path.iterdir()):
                found.add(file)
    return found


def _missing_error(root: Path, file: str) -> BundleError:
    return BundleError.about(root, file, "no such file", "a file the bundle lists")


def _hash_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
