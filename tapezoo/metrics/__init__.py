"""Metrics of validation and test by name, tapezoo's own or a plugin's; over the whole set, never over shuffled pieces.

A metric is a torchmetrics `Metric` with `update(output, target)` on (1, samples) and is logged as `val_NAME`.
"""

from __future__ import annotations

from collections.abc import Iterable

from torchmetrics import Metric, MetricCollection

from tapezoo import registry

ALWAYS = ("esr", "mae", "si_sdr", "mrstft")  # si_sdr in dB, mean over rows


def resolve(name: str) -> type[Metric]:
    """The class registered as `name`. Raises RegistrationError like `tapezoo.registry.resolve`."""
    # the class may be torchmetrics' own, under a different name
    return registry.resolve("metrics", name, Metric, own_name=lambda _: name)  # type: ignore[type-abstract]


def metric_collection(prefix: str, extra: Iterable[str] = ()) -> MetricCollection:
    """The metrics of one split.

    Args:
        prefix: Prefix of their names: "val_" gives `val_esr`.
        extra: Names of registered metrics to compute beside `ALWAYS`.

    Raises:
        RegistrationError: A name that is not registered.
    """
    names = dict.fromkeys([*ALWAYS, *extra])
    # compute groups compare states by value and would merge metrics that start out equal
    return MetricCollection({name: resolve(name)() for name in names}, prefix=prefix, compute_groups=False)


def registered_metric(figure: str) -> list[str]:
    """The name of the metric that gives `val_NAME`, if it is a registered one."""
    return [entry.name for entry in registry.registrations("metrics") if figure == f"val_{entry.name}"][:1]


__getattr__ = registry.lazy_names(__name__, resolve)
