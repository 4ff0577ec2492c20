"""The export bundle on disk: manifest, hashes, rest state, golden files; needs numpy, and for grids safetensors."""

from tapezoo.bundle.arrays import read_arrays, write_arrays
from tapezoo.bundle.errors import (
    BundleError,
    ChangedFileError,
    ContradictionError,
    ExhaustingBundleError,
    ExtraFileError,
    ForbiddenContentError,
    MalformedFileError,
    MissingFileError,
    NonFiniteError,
    NotABundleError,
    OversizedFileError,
    UnknownSchemaError,
    UnreadableFileError,
)
from tapezoo.bundle.golden import (
    CaseResult,
    overall_esr,
    read_golden_input,
    read_rest,
    replay_case,
)
from tapezoo.bundle.manifest import GoldenCase, Manifest, StateTensor
from tapezoo.bundle.manifest_file import manifest_of, read_manifest
from tapezoo.bundle.play import Audio, StateArrays, Step
from tapezoo.bundle.replay import (
    BrokenTargetError,
    OpenTarget,
    ReplayMismatchError,
    open_target,
    replay,
)
from tapezoo.bundle.results import TargetResult, Verification
from tapezoo.bundle.schemas import SCHEMAS, schema
from tapezoo.bundle.seal import file_hashes, is_bundle, seal, verify_hashes
from tapezoo.bundle.verify import replay_bundle, verify_bundle

__all__ = [
    "SCHEMAS",
    "Audio",
    "BrokenTargetError",
    "BundleError",
    "CaseResult",
    "ChangedFileError",
    "ContradictionError",
    "ExhaustingBundleError",
    "ExtraFileError",
    "ForbiddenContentError",
    "GoldenCase",
    "MalformedFileError",
    "Manifest",
    "MissingFileError",
    "NonFiniteError",
    "NotABundleError",
    "OpenTarget",
    "OversizedFileError",
    "ReplayMismatchError",
    "StateArrays",
    "StateTensor",
    "Step",
    "TargetResult",
    "UnknownSchemaError",
    "UnreadableFileError",
    "Verification",
    "file_hashes",
    "is_bundle",
    "manifest_of",
    "open_target",
    "overall_esr",
    "read_arrays",
    "read_golden_input",
    "read_manifest",
    "read_rest",
    "replay",
    "replay_bundle",
    "replay_case",
    "schema",
    "seal",
    "verify_bundle",
    "verify_hashes",
    "write_arrays",
]
