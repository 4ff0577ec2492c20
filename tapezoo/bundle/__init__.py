"""The export bundle on disk: manifest, hashes, rest state, golden files; needs numpy alone."""

from tapezoo.bundle.arrays import read_arrays, write_arrays
from tapezoo.bundle.errors import (
    BundleError,
    ChangedFileError,
    ExtraFileError,
    MalformedFileError,
    MissingFileError,
    NotABundleError,
    UnknownSchemaError,
    UnreadableFileError,
)
from tapezoo.bundle.golden import CaseResult, State, Step, read_golden_input, read_rest, replay_case
from tapezoo.bundle.manifest import GoldenCase, Manifest, StateTensor, read_manifest
from tapezoo.bundle.seal import file_hashes, seal, verify_hashes
from tapezoo.bundle.verify import (
    BrokenTargetError,
    OpenTarget,
    ReplayMismatchError,
    Report,
    TargetReport,
    open_target,
    replay,
    verify_bundle,
)

__all__ = [
    "BrokenTargetError",
    "BundleError",
    "CaseResult",
    "ChangedFileError",
    "ExtraFileError",
    "GoldenCase",
    "MalformedFileError",
    "Manifest",
    "MissingFileError",
    "NotABundleError",
    "OpenTarget",
    "ReplayMismatchError",
    "Report",
    "State",
    "StateTensor",
    "Step",
    "TargetReport",
    "UnknownSchemaError",
    "UnreadableFileError",
    "file_hashes",
    "open_target",
    "read_arrays",
    "read_golden_input",
    "read_manifest",
    "read_rest",
    "replay",
    "replay_case",
    "seal",
    "verify_bundle",
    "verify_hashes",
    "write_arrays",
]
