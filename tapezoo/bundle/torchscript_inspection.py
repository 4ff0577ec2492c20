"""What a TorchScript file holds, looked at without torch.

`torch.jit.load` runs no pickle's code, but the module's own code is free to call operators that read and write files,
even while it is loaded. So the code, which is text, is searched for them.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from tapezoo.bundle.errors import BundleError
from tapezoo.bundle.manifest import Manifest
from tapezoo.bundle.zip_directory import check_directory

CODE_LIMIT_BYTES = 1 << 26
MEMBER_LIMIT = 10_000
# the operators of torch that take the name of a file (torch._C._jit_get_all_schemas), under any name space
FORBIDDEN = re.compile(r"\b(save|from_file|load_tensor)\b")
# `getattr(torch, "s\x61ve")` would reach them under another spelling
SPELLED = re.compile(r"getattr\s*\([^\n]*\\")


def inspect_torchscript(root: Path, file: str, manifest: Manifest) -> None:
    """Refuses what is no TorchScript, such as a pickle, and TorchScript that calls forbidden operators.

    Raises:
        BundleError: With what was found.
    """
    try:
        check_torchscript(root / file)
    except Exception as error:  # zipfile and its compressors have a dozen kinds for bad data
        raise BundleError.about(root, file, str(error), "a traced module") from error


def check_torchscript(path: Path) -> None:
    """As `inspect_torchscript`.

    Raises:
        ValueError: With what was found.
    """
    with path.open("rb") as stream:
        if stream.read(4) != b"PK\x03\x04":  # torch looks at the first bytes, zipfile at the last
            raise ValueError("a file that is not a TorchScript archive, perhaps a pickle")
    check_directory(path, MEMBER_LIMIT)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        names = [member.filename for member in members]
        if archive.comment or len(names) > MEMBER_LIMIT:
            raise ValueError("an archive that torch did not write")
        if len({name.lower() for name in names}) != len(names):  # torch's reader ignores case
            raise ValueError("an archive with a repeated member")
        for name in names:
            if re.search(r"\\|^/|:|(^|/)\.\.(/|$)", name) or not name.isprintable():
                raise ValueError(f"the member name {name!r}")
        tops = {name.partition("/")[0] for name in names}
        inside = {name.partition("/")[2] for name in names}
        if len(tops) != 1 or not {"data.pkl", "constants.pkl"} <= inside:
            raise ValueError("an archive without TorchScript's parts: pickled, not traced")
        if "model.json" in {name.lower() for name in inside}:  # torch before 1.0: code under any name
            raise ValueError("an archive in TorchScript's first format")
        if sum(member.file_size for member in members) > 2 * path.stat().st_size + CODE_LIMIT_BYTES:
            raise ValueError("an archive that unpacks to more than torch would write")
        for member in members:
            if member.filename.lower().endswith(".py"):
                _check_code(member.filename, archive.read(member).decode("utf-8"))


def _check_code(name: str, code: str) -> None:
    found = FORBIDDEN.search(code) or SPELLED.search(code)
    if found:
        raise ValueError(f"code that could read or write files ({found.group()!r} in {name!r})")
