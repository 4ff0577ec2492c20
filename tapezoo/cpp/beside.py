"""Files that accompany the header in a bundle: its test, the golden samples for that test, and how to build it."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from tapezoo.bundle import Manifest
from tapezoo.bundle.arrays import read_arrays
from tapezoo.bundle.golden import read_golden_input, tolerance_of
from tapezoo.bundle.play import Audio
from tapezoo.controls import Control, control_vector
from tapezoo.cpp.tape import LOOPS

FILES = ("model_test.cpp", "CMakeLists.txt", "README.md")
GRID_FILES = (*FILES[:2], "GRID.md")
TAPE_FILES = (*FILES[:2], "TAPE.md")
GOLDEN = "golden.bin"
KNOBS = "@KNOBS@"  # in the READMEs: the line that declares the array that `process` is given
LONGEST_SAMPLES = 1 << 13  # longest case in C++; export and `tapezoo verify --compile` replay all samples


@dataclass(frozen=True)
class Replayed:
    """A golden case.

    Args:
        controls: Positions by block, row and control, (blocks, rows, num_controls); the last ones stay until the end.
        input: (rows, samples).
        output: Expected output, (rows, samples).
        block_samples: Length of the blocks in which it is played.
        tolerance: Largest allowed difference of a sample from the expected one.
    """

    controls: Audio
    input: Audio
    output: Audio
    block_samples: int
    tolerance: float


def write_beside(root: Path, place: str, manifest: Manifest) -> None:
    """Writes the accompanying files to the folder `place` of the bundle.

    Args:
        root: The bundle's folder, with its golden files.
        place: Bundle path of the header's folder.
        manifest: The bundle's manifest.
    """
    names = TAPE_FILES if (root / place / LOOPS).exists() else FILES
    _write(root / place, names, list(_golden_cases(root, manifest)), manifest.controls)


def write_beside_grid(folder: Path, cases: Sequence[Replayed], controls: Sequence[Control]) -> None:
    """Writes the same files for the header of a grid, to its folder."""
    _write(folder, GRID_FILES, cases, controls)


def _write(
    folder: Path, names: Sequence[str], cases: Sequence[Replayed], controls: Sequence[Control]
) -> None:
    for name in names:
        text = (files("tapezoo.cpp") / "beside" / name).read_bytes()
        if name.endswith(".md"):
            text, name = text.replace(KNOBS.encode(), _knobs(controls).encode()), "README.md"
        (folder / name).write_bytes(text)
    (folder / GOLDEN).write_bytes(golden_bytes(cases))


def _knobs(controls: Sequence[Control]) -> str:
    """C++ that declares the controls at their defaults: an array of another length would not compile."""
    if not controls:
        return "const float* knobs = nullptr;                             // this model has no controls"
    positions = ", ".join(f"{float(f'{position:.6g}')}f" for position in control_vector(controls, {}))
    names = ", ".join(control.name for control in controls)
    return (
        f"float knobs[] = {{{positions}}};  // positions 0..1 of {names}, see tapezoo_model::facts::controls"
    )


def golden_bytes(cases: Sequence[Replayed]) -> bytes:
    """The first samples of the golden cases, little endian: the number of cases (int32), then for each case

    rows, samples, block, settings, controls (int32), tolerance (float32); then as float32: the settings by row and
    control, the input by row, the output by row.
    """
    parts = [struct.pack("<i", len(cases))]
    for case in cases:
        rows, samples = case.output.shape
        samples = min(samples, LONGEST_SAMPLES)
        block = min(case.block_samples, samples)
        settings = case.controls[: -(-samples // block)]
        parts.append(
            struct.pack("<5if", rows, samples, block, len(settings), settings.shape[2], case.tolerance)
        )
        for array in (settings, case.input[:, :samples], case.output[:, :samples]):
            parts.append(np.ascontiguousarray(array, "<f4").tobytes())
    return b"".join(parts)


def _golden_cases(root: Path, manifest: Manifest) -> Iterator[Replayed]:
    audio = read_golden_input(root)
    for case in manifest.golden:
        golden = read_arrays(root, case.file, ["controls", "output"])
        controls, output = golden["controls"], golden["output"][:, : case.samples]
        tolerance = tolerance_of(golden["output"], case.rounding)
        yield Replayed(controls, audio[: case.rows, : case.samples], output, case.block_samples, tolerance)
