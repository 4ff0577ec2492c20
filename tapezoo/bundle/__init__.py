"""The export bundle on disk: manifest, hashes, rest state, golden files; needs numpy, and for grids safetensors."""

from tapezoo.bundle.arrays import read_arrays, write_arrays
from tapezoo.bundle.errors import BundleError, NotInstalledError
from tapezoo.bundle.golden import CaseResult, overall_esr, read_golden_input, read_rest, replay_case
from tapezoo.bundle.manifest import GoldenCase, Manifest, StateTensor
from tapezoo.bundle.manifest_file import manifest_of, read_manifest
from tapezoo.bundle.play import Audio, StateArrays, Step
from tapezoo.bundle.replay import OpenTarget, open_target, replay
from tapezoo.bundle.results import TargetResult, Verification
from tapezoo.bundle.schemas import SCHEMAS, schema
from tapezoo.bundle.seal import file_hashes, is_bundle, seal, verify_hashes
from tapezoo.bundle.shipped import find_bundle, shipped_bundles
from tapezoo.bundle.verify import replay_bundle, verify_bundle

__all__ = [
    "SCHEMAS",
    "Audio",
    "BundleError",
    "CaseResult",
    "GoldenCase",
    "Manifest",
    "NotInstalledError",
    "OpenTarget",
    "StateArrays",
    "StateTensor",
    "Step",
    "TargetResult",
    "Verification",
    "file_hashes",
    "find_bundle",
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
    "shipped_bundles",
    "verify_bundle",
    "verify_hashes",
    "write_arrays",
]
