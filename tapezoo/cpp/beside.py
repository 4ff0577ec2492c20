"""What stands beside the header in a bundle: its test, the golden samples that the test replays, how to build it."""

from __future__ import annotations

import struct
from importlib.resources import files
from pathlib import Path

import numpy as np

from tapezoo.bundle import Manifest
from tapezoo.bundle.arrays import read_arrays
from tapezoo.bundle.golden import read_golden_input, tolerance_of

FILES = ("model_test.cpp", "CMakeLists.txt", "README.md")
GOLDEN = "golden.bin"
LONGEST_SAMPLES = 1 << 13  # of a case in C++; export and `tapezoo verify --compile` replay all of it


def write_beside(root: Path, place: str, manifest: Manifest) -> None:
    """Writes these files into the folder `place` of the bundle.

    Args:
        root: The bundle's folder, with its golden files.
        place: Bundle path of the header's folder.
        manifest: Of the bundle.
    """
    for name in FILES:
        text = (files("tapezoo.cpp") / "beside" / name).read_bytes()
        (root / place / name).write_bytes(text)
    (root / place / GOLDEN).write_bytes(golden_bytes(root, manifest))


def golden_bytes(root: Path, manifest: Manifest) -> bytes:
    """The golden cases' first samples, little endian: their count (int32), then for each of them

    rows, samples, block, settings, controls (int32), tolerance (float32); then float32: the settings by row and
    control, the input by row, the output by row.
    """
    audio = read_golden_input(root)
    parts = [struct.pack("<i", len(manifest.golden))]
    for case in manifest.golden:
        golden = read_arrays(root, case.file, ["controls", "output"])
        samples = min(case.samples, LONGEST_SAMPLES)
        block = min(case.block_samples, samples)
        settings = golden["controls"][: -(-samples // block)]
        counts = case.rows, samples, block, len(settings), len(manifest.controls)
        parts.append(struct.pack("<5if", *counts, tolerance_of(golden["output"], case.rounding)))
        for array in (settings, audio[: case.rows, :samples], golden["output"][:, :samples]):
            parts.append(np.ascontiguousarray(array, "<f4").tobytes())
    return b"".join(parts)
