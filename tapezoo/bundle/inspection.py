"""Checks a bundle's files before any runtime opens them: the seal only shows that they are unchanged since."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name

from tapezoo.bundle.golden import read_rest
from tapezoo.bundle.manifest import REST_STATE, Manifest
from tapezoo.bundle.targets import TARGETS, Inspect, related_target


def inspect(root: Path, manifest: Manifest) -> None:
    """Refuses graphs that reach outside their file, hold no numbers, or are not what the manifest says.

    Every target's file is inspected as its row in `TARGETS` says, whatever it is called, and every other file by its
    suffix.

    Raises:
        BundleError: A file is not of its kind. A graph has weights in other files, operators of a library that would
            have to be loaded, sizes and loops beyond any net's (see `check_work`), NaN or infinite weights, or other
            inputs, outputs, shapes, types or metadata than the manifest says. TorchScript could write files.
    """
    inspections: set[tuple[str, str]] = set()
    for target, file in manifest.targets.items():
        spec = related_target(target)
        if spec is not None and spec.inspect:
            inspections.add((file, spec.inspect))
    for file in manifest.files:
        for spec in TARGETS.values():
            if spec.inspect and file.lower().endswith(spec.suffixes):
                inspections.add((file, spec.inspect))
    for file, inspector in sorted(inspections):
        inspect_file: Inspect = resolve_name(inspector)
        inspect_file(root, file, manifest)
    if REST_STATE in manifest.files:
        read_rest(root, manifest)
