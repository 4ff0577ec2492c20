"""Architectures by name, found through Python entry points; listing imports none of them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from tapezoo.errors import TapezooError

GROUP = "tapezoo.models"


class UnknownModelError(TapezooError, ImportError):
    """No installed distribution registers this name. An ImportError, so that jsonargparse shows it."""


class BrokenPluginError(TapezooError, ImportError):
    """The distribution that registers this name cannot be imported; the cause is chained."""


class AmbiguousModelError(TapezooError, ImportError):
    """Two installed distributions register the same name."""


@dataclass(frozen=True)
class Registration:
    """One registered architecture, not imported yet."""

    name: str
    distribution: str
    version: str
    target: str  # "package.module:Class"


def registrations() -> list[Registration]:
    """Everything registered, sorted by name; imports no plugin."""
    return sorted(
        (_registration(entry) for entry in _entries()), key=lambda found: (found.name, found.distribution)
    )


def load(name: str) -> object:
    """Imports exactly the plugin that registers `name` and returns what it registered.

    Raises:
        UnknownModelError: Nobody registers `name`; the message holds the nearest and all known names.
        AmbiguousModelError: Two distributions claim `name`; the message holds both.
        BrokenPluginError: The import failed; its own exception is the cause.
    """
    entries = [entry for entry in _entries() if entry.name == name]
    if not entries:
        raise _unknown(name)
    if len(entries) > 1:
        claims = " and ".join(f"{_label(entry)} ({entry.value})" for entry in entries)
        raise AmbiguousModelError(
            f"model {name!r}",
            found=f"two claims on the name: {claims}",
            expected="one distribution per name",
            fix="Uninstall one of them, or ask its author for another name.",
        )
    try:
        return entries[0].load()
    except (Exception, SystemExit) as error:  # a plugin can fail with anything; all of it is the plugin's
        raise BrokenPluginError(
            f"model {name!r}",
            found=f"{_label(entries[0])}, which fails to import ({type(error).__name__}: {error})",
            expected=f"an importable {entries[0].value}",
            fix="Repair or uninstall that distribution; --debug shows its traceback.",
        ) from error


def _entries() -> list[EntryPoint]:
    # an editable install can list its metadata twice; the same target from the same distribution is one claim
    unique = {(entry.name, entry.value, _label(entry)): entry for entry in entry_points(group=GROUP)}
    return list(unique.values())


def _registration(entry: EntryPoint) -> Registration:
    name, version = (entry.dist.name, entry.dist.version) if entry.dist else ("unknown", "unknown")
    return Registration(entry.name, name, version, entry.value)


def _label(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"


def _unknown(name: str) -> UnknownModelError:
    known = sorted({entry.name for entry in _entries()})
    folded = {candidate.lower(): candidate for candidate in known}
    nearest = [folded[match] for match in difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.4)]
    hint = f"Did you mean {nearest[0]}? " if nearest else ""
    return UnknownModelError(
        f"model {name!r}",
        found="no installed distribution that registers it",
        expected=f"one of {', '.join(known)}",
        fix=f"{hint}Correct the name, or install the distribution that provides it.",
    )
