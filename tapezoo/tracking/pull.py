"""Fetching a registered bundle: a copy, checked against its seal, in place whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tapezoo import runtime
from tapezoo.bundle import BundleError, Verification, is_bundle
from tapezoo.staging import staged_folder
from tapezoo.tracking.address import Tracking, tracking_uri
from tapezoo.tracking.client import as_store_error, open_client
from tapezoo.tracking.download import download_folder
from tapezoo.tracking.errors import VersionError
from tapezoo.tracking.model import BUNDLE
from tapezoo.tracking.names import find_version, parse_address
from tapezoo.tracking.tags import SEAL

AGAIN = "Nothing was written. Run the command again once the store answers."


@dataclass(frozen=True)
class PulledVersion:
    """A fetched version: its name, its number, and what verifying the copy found."""

    name: str
    version: str
    verification: Verification


def pull_bundle(
    address: str,
    out: Path,
    *,
    uri: str | None = None,
    overwrite: bool = False,
    openers: runtime.Openers | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> PulledVersion:
    """Downloads a version's bundle to the folder `out`, which appears only when it has verified.

    Args:
        address: `models:/NAME@ALIAS` or `models:/NAME/NUMBER`; the scheme may be left out.
        out: The bundle's folder; its parent must exist.
        uri: As in `Tracking`, None included.
        overwrite: Replace a bundle at `out`, after the new one was verified.
        openers: Runtimes to replay the bundle in, by target name.
        progress: Called with each step's name.

    Raises:
        VersionError: There is no such version, it has no seal, or its files are not those that were registered, are
            not as long as announced, or do not verify.
        OutputExistsError, NotReplaceableError, UnwritableOutputError: See `staged_folder`.
        StoreError: The store does not answer, or failed on the way.
    """
    wanted = parse_address(address)
    client, store = open_client(uri), tracking_uri(Tracking(uri))
    found = find_version(client, wanted, store)
    subject = f"model version {found.name}/{found.version}"
    seal_sha256 = found.tags.get(SEAL)
    if seal_sha256 is None:
        raise VersionError(
            subject,
            found=f"a version without the tag {SEAL}",
            expected="a version that `tapezoo push` registered",
            fix="Register the bundle with tapezoo push.",
        )
    with staged_folder(out, overwrite, is_bundle, "bundle") as folder:
        progress("downloading")
        with as_store_error(store, f"downloading {found.name}/{found.version}", AGAIN):
            source = client.get_model_version_download_uri(found.name, found.version)
            download_folder(f"{source}/{BUNDLE}", store, folder, subject)
        progress("verifying the bundle")
        try:
            verification = runtime.verify(folder, openers, seal_sha256)
        except BundleError as error:
            raise VersionError(
                subject,
                found=f"{error.file or 'its bundle'} in the store with {error.found}",
                expected=error.expected,
                fix="Nothing was written. Pull another version, and ask who can write to the store.",
            ) from error
    return PulledVersion(str(found.name), str(found.version), verification)
