"""Replaying golden files: the same audio in the same blocks through any runtime, state carried.

A runtime is a `Step`, a function of arrays; export's parity gate and `verify` are both this replay.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from tapezoo.bundle.arrays import read_arrays
from tapezoo.bundle.errors import BundleError
from tapezoo.bundle.limits import GOLDEN_LIMIT_SAMPLES
from tapezoo.bundle.manifest import GOLDEN_INPUT, REST_STATE, GoldenCase, Manifest
from tapezoo.bundle.play import Audio, StateArrays, Step, play_from_rest
from tapezoo.esr import comparable_esr

# Float32 sums in another order differ by some 1e-7 of the largest term, and recurrence multiplies that.
# 1e-5 of the peak is -100 dB below the loudest sample, under the noise floor of 16 bits.
RELATIVE_TOLERANCE = 1e-5
MOST_RELATIVE_TOLERANCE = 1e-4  # -80 dB: a net that needs more sounds different on every processor
ROUNDINGS = 4  # two runtimes, each as far from double precision as the net's own rounding, times two
LEAST_TOLERANCE = 1e-6  # -120 dBFS: for outputs near silence, where inner values are far above the output

READ_LIMIT_BYTES = 1 << 29  # of all golden cases, as arrays; export writes a tenth of it at most


@dataclass(frozen=True)
class CaseResult:
    """How far one runtime was from one golden case.

    Args:
        case: Its name.
        max_abs_error: Sample value, full scale is 1; NaN if the runtime gave NaN.
        tolerance: For runtimes that should be the net to float tolerance, sample value.
        error_energy: Sum of the squared errors; 0 where no ESR is asked for.
        energy: Sum of the squared expected samples, likewise.
    """

    case: str
    max_abs_error: float
    tolerance: float
    error_energy: float = 0.0
    energy: float = 0.0

    @property
    def passed(self) -> bool:
        """False also for NaN."""
        return self.max_abs_error <= self.tolerance


def overall_esr(results: Iterable[CaseResult]) -> float:
    """Error energy of all cases together over their energy, comparable with a limit where all of them are silent."""
    errors, energies = zip(*((result.error_energy, result.energy) for result in results), strict=True)
    return comparable_esr(sum(errors), sum(energies))


def read_golden_input(root: Path) -> Audio:
    """(rows, samples): the first row is the programme, the others test that rows are independent."""
    limit_bytes = 4 * GOLDEN_LIMIT_SAMPLES
    audio: Audio = read_arrays(root, GOLDEN_INPUT, ["input"], limit_bytes)["input"]
    if audio.dtype != np.float32 or audio.ndim != 2:
        raise BundleError.about(root, GOLDEN_INPUT, f"{audio.dtype} {audio.shape}", "float32 (rows, samples)")
    return audio


def read_rest(root: Path, manifest: Manifest) -> StateArrays:
    """The rest state, without the batch dimension, as the manifest describes it."""
    largest = max((prod(tensor.shape) * 8 for tensor in manifest.state), default=0)
    rest = read_arrays(root, REST_STATE, manifest.state_names, limit_bytes=largest)
    for tensor in manifest.state:
        found = rest[tensor.name]
        if found.shape != tensor.shape or found.dtype != tensor.dtype:
            raise BundleError.about(
                root,
                REST_STATE,
                f"{tensor.name} {found.dtype} {found.shape}",
                f"{tensor.dtype} {tensor.shape}",
            )
    return rest


def check_golden(root: Path, manifest: Manifest) -> None:
    """Checks, before any runtime opens a target, how much work the golden cases are; reads only their input.

    Raises:
        BundleError: The input is not valid or shorter than a case, or all cases together exceed the limits.
    """
    audio = read_golden_input(root)
    for case in manifest.golden:
        _check_enough(root, case, audio)
    read = sum(_limit_bytes(manifest, case, audio) for case in manifest.golden)
    if read > READ_LIMIT_BYTES:
        found = f"{len(manifest.golden)} golden cases that would read {read} bytes"
        raise BundleError.about(root, GOLDEN_INPUT, found, f"at most {READ_LIMIT_BYTES}")


def _check_enough(root: Path, case: GoldenCase, audio: Audio) -> None:
    if case.samples > audio.shape[1] or case.rows > len(audio):
        raise _too_short_error(root, case)


def _too_short_error(root: Path, case: GoldenCase) -> BundleError:
    return BundleError.about(root, case.file, "less audio than the case needs", f"{case.samples} samples")


def _limit_bytes(manifest: Manifest, case: GoldenCase, audio: Audio) -> int:
    """Of each array of a case: none needs more than the whole input, or controls for every block."""
    blocks = -(-case.samples // case.block_samples)
    return 4 * case.rows * max(int(audio.shape[1]), blocks * len(manifest.controls))


def replay_case(
    step: Step, root: Path, manifest: Manifest, case: GoldenCase, audio: Audio, rest: StateArrays
) -> CaseResult:
    """Plays one golden case and compares it with the expected output, sample by sample.

    Raises:
        BundleError: The case's arrays do not fit the manifest.
    """
    _check_enough(root, case, audio)
    golden = read_arrays(root, case.file, ["controls", "output"], _limit_bytes(manifest, case, audio))
    controls, expected = golden["controls"], golden["output"]
    plain = controls.dtype == expected.dtype == np.float32
    fits = (
        controls.shape[1:] == (case.rows, len(manifest.controls)) and controls.ndim == 3 and len(controls) > 0
    )
    if not (plain and fits and expected.ndim == 2 and len(expected) == case.rows):
        raise BundleError.about(
            root,
            case.file,
            f"controls {controls.shape}, output {expected.shape}",
            "arrays that fit the manifest",
        )
    if case.samples > expected.shape[1]:
        raise _too_short_error(root, case)
    output = play_from_rest(step, audio[: case.rows, : case.samples], controls, rest, case.block_samples)
    wanted = expected[:, : case.samples]
    tolerance = tolerance_of(expected, case.rounding)
    error = output.astype(np.float64) - wanted
    return CaseResult(
        case.name,
        float(np.abs(output - wanted).max()),
        tolerance,
        float(np.square(error).sum()),
        float(np.square(wanted, dtype=np.float64).sum()),
    )


def tolerance_of(expected: Audio, rounding: float = 0.0) -> float:
    """How far a runtime may be from `expected`, sample value.

    1e-5 of the peak; more, up to 1e-4, where rounding alone takes the net itself as far.

    Args:
        expected: Of the net.
        rounding: Of the net there, see `GoldenCase`.
    """
    peak = float(np.abs(expected).max())
    most = max(MOST_RELATIVE_TOLERANCE * peak, LEAST_TOLERANCE)
    return min(max(RELATIVE_TOLERANCE * peak, LEAST_TOLERANCE, ROUNDINGS * rounding), most)
