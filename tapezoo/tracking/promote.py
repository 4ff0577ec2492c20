"""Moving an alias to another version, if it is better on the same data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tapezoo import registry
from tapezoo.tracking.address import Tracking, tracking_uri
from tapezoo.tracking.client import as_store_error, open_client
from tapezoo.tracking.errors import NotPromotedError
from tapezoo.tracking.names import VersionAddress, check_alias, find_version, look_up, parse_address
from tapezoo.tracking.tags import COST, DATASET, FACTS

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

UNMOVED = "The alias was not moved."
# of tapezoo's own metrics, whose classes cannot be asked without importing torch
HIGHER_IS_BETTER = frozenset({"mushra", "si_sdr", "si_snr", "snr", "visqol"})


@dataclass(frozen=True)
class Promotion:
    """Where an alias points now.

    Args:
        name: Of the model.
        alias: The alias.
        version: What it points to.
        before: What it pointed to; None: it was not there.
        reason: Why it was moved, or need not be, for people.
    """

    name: str
    alias: str
    version: str
    before: str | None
    reason: str


def promote_version(
    address: str, alias: str, *, if_better: str | None = None, uri: str | None = None
) -> Promotion:
    """Lets `alias` point to the version at `address`.

    Args:
        address: `NAME@ALIAS` or `NAME/NUMBER`.
        alias: What is to point to it.
        if_better: A metric, such as val_esr: move the alias only if it is lower than that of the version the
            alias points to, measured on the same data. An alias that points nowhere yet is set.
        uri: As in `Tracking`, None included.

    Raises:
        VersionError: No such version, or no alias MLflow takes.
        NotPromotedError: Why `if_better` did not move it.
        StoreError: The store does not answer, or failed.
    """
    wanted = parse_address(address)
    check_alias(alias)
    client, store = open_client(uri), tracking_uri(Tracking(uri))
    candidate = find_version(client, wanted, store)
    holder = look_up(client, VersionAddress(wanted.name, alias), store)
    number, before = str(candidate.version), None if holder is None else str(holder.version)
    if number == before and if_better is not None:
        raise NotPromotedError(
            _name_of(candidate),
            found=f"the version that {alias} points to already",
            expected=f"another one, with a lower {if_better}",
            fix=f"{UNMOVED} Push and name another version, or leave --if-better out.",
        )
    if number == before:
        return Promotion(wanted.name, alias, number, before, "the alias already points to it")
    if if_better is None:
        reason = "no condition was given"
    elif holder is None:
        read_figure(candidate, if_better)
        reason = f"there was no {alias} to compare {if_better} with"
    else:
        reason = describe_improvement(candidate, holder, if_better)
    with as_store_error(store, f"moving the alias {alias}", "Run the command again; it is safe to repeat."):
        client.set_registered_model_alias(wanted.name, alias, number)
    return Promotion(wanted.name, alias, number, before, reason)


def describe_improvement(candidate: ModelVersion, holder: ModelVersion, metric: str) -> str:
    """Says how much lower the candidate's figure is.

    Raises:
        NotPromotedError: It is not, or that cannot be said.
    """
    ours, theirs = read_figure(candidate, metric), read_figure(holder, metric)
    data, other = candidate.tags.get(DATASET), holder.tags.get(DATASET)
    if data is None or data != other:
        raise NotPromotedError(
            _name_of(candidate),
            found=f"{metric} measured on {_describe_data(data)}",
            expected=f"{_describe_data(other)}, as for {_name_of(holder)}"
            if other
            else f"a {DATASET} with both versions",
            fix=f"{UNMOVED} Train or score both on the same data, or leave --if-better out.",
        )
    if not ours < theirs:
        raise NotPromotedError(
            _name_of(candidate),
            found=f"{metric} {ours:.6g}",
            expected=f"less than the {theirs:.6g} of {_name_of(holder)}",
            fix=f"{UNMOVED} Leave --if-better out to move it anyway.",
        )
    return f"{metric} {ours:.6g} is less than the {theirs:.6g} of version {holder.version}"


def read_figure(version: ModelVersion, metric: str) -> float:
    """The figure a version was registered with.

    Raises:
        NotPromotedError: It has none that is finite, or lower is not better in it.
    """
    if is_higher_better(metric):
        raise NotPromotedError(
            f"--if-better {metric}",
            found="a metric for which higher is better",
            expected="an error or a distance, such as val_esr",
            fix=f"{UNMOVED} Name another metric.",
        )
    try:
        figure = math.nan if metric in FACTS else float(version.tags[metric])
    except (KeyError, ValueError):
        figure = math.nan
    if not math.isfinite(figure):
        known = [
            tag
            for tag in sorted(version.tags)
            if tag.startswith(("val_", "test_", "train_")) and not is_higher_better(tag)
        ]
        raise NotPromotedError(
            _name_of(version),
            found=f"no figure for {metric}",
            expected=f"one of {', '.join(known)}" if known else "a version with figures",
            fix=f"{UNMOVED} Name another metric, or leave --if-better out.",
        )
    return figure


def is_higher_better(figure: str) -> bool:
    """Whether more of a figure is better; of a plugin's metric as its class says, where the plugin is installed."""
    name = figure.partition("_")[2]
    if figure == COST or name in HIGHER_IS_BETTER:  # the cost is a speed: times real time
        return True
    owners = [entry.distribution for entry in registry.registrations("metrics") if entry.name == name]
    if not owners or owners == ["tapezoo"]:
        return False
    from tapezoo import metrics  # imports torch, which promoting needs only here

    return metrics.resolve(name).higher_is_better is True


def _name_of(version: ModelVersion) -> str:
    return f"{version.name}/{version.version}"


def _describe_data(dataset_hash: str | None) -> str:
    return f"data {dataset_hash[:12]}" if dataset_hash else "unknown data"
