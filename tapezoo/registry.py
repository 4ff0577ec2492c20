"""Models, generators, objectives, losses, metrics and devices by name, found through entry points; listing imports
none.

Each kind is an entry-point group, `tapezoo.KIND`, open to every distribution; the built-in ones use it as well.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal, TypeVar

from tapezoo.errors import TapezooError
from tapezoo.extras import missing_packages
from tapezoo.nearest import nearest_names
from tapezoo.renamed import describe_rename

Kind = Literal["models", "generators", "objectives", "losses", "metrics", "devices"]
KINDS: dict[Kind, str] = {
    "models": "model",
    "generators": "generator",
    "objectives": "objective",
    "losses": "loss",
    "metrics": "metric",
    "devices": "device",
}
"""The kinds, each with its word in messages."""

T = TypeVar("T")


class RegistrationError(TapezooError, ImportError):
    """A name that is not registered, is registered twice, or cannot be used. jsonargparse shows ImportErrors."""


class UnknownNameError(RegistrationError):
    """No installed distribution registers this name."""


@dataclass(frozen=True)
class Registration:
    """One registered name, not imported yet."""

    kind: Kind
    name: str
    target: str  # "package.module:Class", or "package.module:Class [extra]"
    distribution: str
    version: str

    @property
    def module(self) -> str:
        """The module that defines the class."""
        return self.target.partition(":")[0]

    @property
    def extra(self) -> str | None:
        """The extra of its distribution that it needs, which the entry point names in brackets."""
        return self.target.partition("[")[2].rstrip("] ") or None

    @property
    def missing(self) -> list[str]:
        """Packages of that extra that are not installed."""
        return missing_packages(self.distribution).get(self.extra, []) if self.extra else []

    @property
    def origin(self) -> str:
        """The distribution and its version."""
        return f"{self.distribution} {self.version}"


def installed() -> tuple[Registration, ...]:
    """Everything registered. Reading it takes 25 ms, so it is done again only after an installation."""
    return _read_entry_points(tuple((folder, _changed_ns(folder)) for folder in sys.path))


def registrations(kind: Kind) -> list[Registration]:
    """Everything of one kind, sorted by name; imports no plugin."""
    found = (entry for entry in installed() if entry.kind == kind)
    return sorted(found, key=lambda entry: (entry.name, entry.distribution))


def load(kind: Kind, name: str) -> object:
    """Imports only the plugin that registers `name`, and returns the registered class.

    Raises:
        UnknownNameError: `name` is not registered; the message has the nearest and all known names.
        RegistrationError: Two distributions register `name`; the message names both. Or packages of the extra that it
            needs are not installed. Or the import failed; its exception is the cause.
    """
    return _import(_registration(kind, name))


def check_installed(kind: Kind, name: str) -> None:
    """Raises what `load` raises of a name that cannot be used, without importing anything."""
    _check_extra(_registration(kind, name))


def class_name(found: type) -> str:
    """The name of models, generators, objectives and losses in a recipe."""
    return found.__name__


def resolve(kind: Kind, name: str, base: type[T], own_name: Callable[[type[T]], str] = class_name) -> type[T]:
    """The class registered as `name`.

    Args:
        kind: What to look for.
        name: The name of the entry point.
        base: What the class must derive from.
        own_name: Returns the name that the class has; the entry point must have the same.

    Raises:
        RegistrationError: See `load`; or it is not a subclass of `base`, or its own name differs.
    """
    registered = _registration(kind, name)
    found = _import(registered)
    if not (inspect.isclass(found) and issubclass(found, base)):
        raise RegistrationError(
            f"{KINDS[kind]} {name!r}",
            found=f"{registered.target} of {registered.origin}, which is {found!r}",
            expected=f"a subclass of {base.__module__}.{base.__qualname__}",
            fix="Repair or uninstall that distribution.",
        )
    if own_name(found) != name:
        raise RegistrationError(
            f"{KINDS[kind]} {name!r}",
            found=f"the name {own_name(found)!r} of its class in {registered.origin}",
            expected=f"the entry point's name, {name!r}",
            fix="Give the entry point in that distribution's pyproject.toml the name of its class.",
        )
    return found


def lazy_names(package: str, resolve_name: Callable[[str], T]) -> Callable[[str], T]:
    """A `__getattr__` for `package` (PEP 562): `package.NAME` asks the registry, so only that plugin is imported.

    Args:
        package: The `__name__` of the package.
        resolve_name: The class registered under a name.
    """

    def get_registered(name: str) -> T:
        # `from package import submodule` and jsonargparse ask for attributes that need not exist
        if name.startswith("_") or importlib.util.find_spec(f"{package}.{name}") is not None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            found = resolve_name(name)
        except UnknownNameError as error:
            raise AttributeError(str(error), name=name) from error
        setattr(sys.modules[package], name, found)  # parsing a recipe asks some fifty times
        return found

    return get_registered


def recipe_packages() -> set[str]:
    """Top-level packages of other distributions that register something: a recipe may name their classes."""
    return {entry.module.partition(".")[0] for entry in installed() if entry.distribution != "tapezoo"}


def import_own(kind: Kind) -> None:
    """Imports everything tapezoo itself registers: jsonargparse finds a class by bare name only after its import."""
    for entry in registrations(kind):
        if entry.distribution == "tapezoo":
            importlib.import_module(entry.module)


@functools.lru_cache(maxsize=1)
def _read_entry_points(path: tuple[tuple[str, int], ...]) -> tuple[Registration, ...]:
    everything = entry_points()
    origins: dict[int, tuple[str, str]] = {}  # each asking for a name or a version parses the metadata anew
    found = []
    for kind in KINDS:
        for entry in everything.select(group=f"tapezoo.{kind}"):
            if id(entry.dist) not in origins:
                origins[id(entry.dist)] = (
                    (entry.dist.name, entry.dist.version) if entry.dist else ("unknown", "unknown")
                )
            found.append(Registration(kind, entry.name, entry.value, *origins[id(entry.dist)]))
    # an editable install can list its metadata twice; the same target from the same distribution is one claim
    return tuple(dict.fromkeys(found))


def _changed_ns(folder: str) -> int:
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:  # a zip file's part, or nothing
        return 0


def _registration(kind: Kind, name: str) -> Registration:
    claims = [entry for entry in registrations(kind) if entry.name == name]
    if not claims:
        raise _unknown(kind, name)
    if len(claims) > 1:
        both = " and ".join(f"{claim.origin} ({claim.target})" for claim in claims)
        raise RegistrationError(
            f"{KINDS[kind]} {name!r}",
            found=f"two distributions with this name: {both}",
            expected="one distribution per name",
            fix="Uninstall one of them, or ask its author for another name.",
        )
    return claims[0]


def _check_extra(registered: Registration) -> None:
    if missing := registered.missing:
        extra = f"{registered.distribution}[{registered.extra}]"
        raise RegistrationError(
            f"{KINDS[registered.kind]} {registered.name!r}",
            found=f"no package {', '.join(missing)}, which it needs",
            expected=f"{registered.distribution} with its extra {registered.extra!r}",
            fix=f"pip install '{extra}', or leave it out.",
        )


def _import(registered: Registration) -> object:
    _check_extra(registered)
    try:
        return EntryPoint(registered.name, registered.target, f"tapezoo.{registered.kind}").load()
    except (Exception, SystemExit) as error:  # a plugin can raise anything, all its own fault
        raise RegistrationError(
            f"{KINDS[registered.kind]} {registered.name!r}",
            found=f"{registered.origin}, which fails to import ({type(error).__name__}: {error})",
            expected=f"an importable {registered.target}",
            fix=f"{describe_rename(error)}Repair or uninstall that distribution; --debug shows its traceback.",
        ) from error


def _unknown(kind: Kind, name: str) -> UnknownNameError:
    known = sorted({entry.name for entry in registrations(kind)})
    nearest = nearest_names(name, known, cutoff=0.4)
    hint = f"Did you mean {nearest[0]}? " if nearest else ""
    for other, word in KINDS.items():
        if other != kind and any(entry.name == name for entry in registrations(other)):
            hint = f"It is a registered {word}. "
    return UnknownNameError(
        f"{KINDS[kind]} {name!r}",
        found="no installed distribution that registers it",
        expected=f"one of {', '.join(known)}",
        fix=f"{hint}Correct the name, or install the distribution that provides it.",
    )
