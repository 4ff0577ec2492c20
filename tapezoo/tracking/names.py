"""Names of registered models and their versions: `tape`, `tape@champion`, `tape/3`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tapezoo.tracking.client import as_store_error
from tapezoo.tracking.errors import VersionError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

SCHEME = "models:/"
_NAME = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9_. -]*"
)  # MLflow forbids / and : alone; @ and quotes break addresses
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_RESERVED = re.compile(r"latest|v\d+", re.IGNORECASE)  # MLflow's own
_ADDRESS = re.compile(r"([^@/]+)(?:@([^@/]+)|/([0-9]+))")


@dataclass(frozen=True)
class VersionAddress:
    """One version of a registered model, by alias or by number; exactly one of the two is given."""

    name: str
    alias: str | None = None
    number: str | None = None

    def __str__(self) -> str:
        """As MLflow and the command line take it, without `models:/`."""
        return f"{self.name}@{self.alias}" if self.number is None else f"{self.name}/{self.number}"


def parse_address(text: str) -> VersionAddress:
    """`tape@champion`, `tape/3`, or either behind `models:/`.

    Raises:
        VersionError: Anything else.
    """
    found = _ADDRESS.fullmatch(text.removeprefix(SCHEME))
    if found is None or not _NAME.fullmatch(found[1]) or (found[2] and not _ALIAS.fullmatch(found[2])):
        raise VersionError(
            f"model version {text!r}",
            found="a malformed address",
            expected="NAME@ALIAS or NAME/NUMBER, such as tape@champion or models:/tape/3",
            fix="Correct it.",
        )
    return VersionAddress(found[1], found[2], found[3])


def check_name(name: str) -> None:
    """Raises VersionError for a name no model can be registered under."""
    if not _NAME.fullmatch(name):
        raise VersionError(
            f"model name {name!r}",
            found="characters a registered model cannot have",
            expected="letters, digits, dots, dashes, underscores and spaces",
            fix="Choose another name.",
        )


def check_alias(alias: str) -> None:
    """Raises VersionError for an alias MLflow would refuse."""
    if not _ALIAS.fullmatch(alias) or _RESERVED.fullmatch(alias):
        raise VersionError(
            f"alias {alias!r}",
            found="an alias that MLflow does not accept",
            expected="a letter, then letters, digits, dashes and underscores; not `latest`, not `v1`",
            fix="Choose another alias, such as candidate or champion.",
        )


def find_version(client: MlflowClient, address: VersionAddress, uri: str) -> ModelVersion:
    """The version at `address`.

    Raises:
        VersionError: There is none.
        StoreError: The store failed.
    """
    found = look_up(client, address, uri)
    if found is None:
        raise VersionError(
            f"model version {address}",
            found=f"none in {uri}",
            expected=_describe_known(client, address.name, uri),
            fix="Correct the name, or --uri; `tapezoo push` registers a version.",
        )
    return found


def look_up(client: MlflowClient, address: VersionAddress, uri: str) -> ModelVersion | None:
    """The version at `address`, or None."""
    from mlflow.exceptions import MlflowException

    with as_store_error(uri, f"looking for {address}", "Check the server, then run the command again."):
        try:
            if address.number is not None:
                return client.get_model_version(address.name, address.number)
            return client.get_model_version_by_alias(address.name, str(address.alias))
        except MlflowException as error:
            # for an alias that is not set MLflow reports an invalid parameter
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise


def _describe_known(client: MlflowClient, name: str, uri: str) -> str:
    with as_store_error(uri, "listing versions", "Check the server, then run the command again."):
        versions = client.search_model_versions(f"name = '{name}'")
        if not versions:
            return "a model of another name"
        aliases = sorted(client.get_registered_model(name).aliases)
    numbers = ", ".join(f"{name}/{version.version}" for version in versions[:10])
    return f"one of {', '.join([numbers, *(f'{name}@{alias}' for alias in aliases)])}"
