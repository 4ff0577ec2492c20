"""The bundles in the package, by name: models to listen to before training one."""

from __future__ import annotations

from pathlib import Path

import tapezoo
from tapezoo.bundle.errors import BundleError
from tapezoo.bundle.manifest import MANIFEST
from tapezoo.bundle.seal import is_bundle
from tapezoo.run_files import BEST
from tapezoo.terminal import shell


def shipped_bundles() -> dict[str, Path]:
    """The folder of every shipped bundle, by its name."""
    folder = Path(tapezoo.__file__).parent / "bundles"
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.name: path for path in found if is_bundle(path)}


def find_bundle(asked: Path | str) -> Path:
    """The folder that a path or a name stands for; what is there comes before the shipped bundle of that name.

    Args:
        asked: A folder, or the name of a shipped bundle.

    Raises:
        BundleError: There is neither; with the names.
    """
    path = Path(asked)
    if _exists(path):
        if (path / BEST).is_file() and not (path / MANIFEST).is_file():
            raise BundleError(
                path,
                "",
                found="the folder of a training",
                expected="a bundle",
                fix=f"Make one first: {shell('tapezoo', 'export', path)} --out BUNDLE",
            )
        return path
    shipped = shipped_bundles()
    if str(asked) in shipped:
        return shipped[str(asked)]
    raise BundleError(
        path,
        "",
        found="no folder with this name",
        expected=f"a bundle made by export, or a shipped one: {', '.join(shipped) or 'there is none'}",
        fix="Correct the path or the name.",
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # not a valid file name
        return False
