"""The export bundle on disk: manifest, hashes, rest state and golden files; numpy and the standard library only."""

from tapezoo.bundle.arrays import read_arrays, write_arrays
from tapezoo.bundle.errors import (
    BundleError,
    ChangedFileError,
    ExtraFileError,
    MalformedFileError,
    MissingFileError,
    NotABundleError,
    UnknownSchemaError,
)
from tapezoo.bundle.golden import CaseResult, State, Step, read_golden_input, read_rest, replay_case
from tapezoo.bundle.manifest import GoldenCase, Manifest, StateTensor, read_manifest
from tapezoo.bundle.seal import file_hashes, seal, verify_hashes

__all__ = [
    "BundleError",
    "CaseResult",
    "ChangedFileError",
    "ExtraFileError",
    "GoldenCase",
    "MalformedFileError",
    "Manifest",
    "MissingFileError",
    "NotABundleError",
    "State",
    "StateTensor",
    "Step",
    "UnknownSchemaError",
    "file_hashes",
    "read_arrays",
    "read_golden_input",
    "read_manifest",
    "read_rest",
    "replay_case",
    "seal",
    "verify_hashes",
    "write_arrays",
]
