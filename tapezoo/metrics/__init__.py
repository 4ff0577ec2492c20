"""Metrics of validation and test by name, tapezoo's own or a plugin's; over the whole set, never over shuffled pieces.

A metric is a torchmetrics `Metric` with `update(output, target)` on (1, samples) and is logged as `val_NAME`. One whose
constructor has an argument `sample_rate` is given it. A `tapezoo.metrics.probing.ProbingMetric` plays test signals
instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from torchmetrics import Metric, MetricCollection

from tapezoo import registry
from tapezoo.metrics.probing import ProbingMetric

OF_WAVEFORMS = (
    "esr",
    "mae",
    "si_sdr",
    "si_snr",
    "snr",
)  # meaningless where output and target differ in phase
ALWAYS = ("esr", "mae", "si_sdr", "mrstft")  # si_sdr in dB, mean over rows


def resolve(name: str) -> type[Metric]:
    """The class registered as `name`. Raises RegistrationError like `tapezoo.registry.resolve`."""
    # the class may be torchmetrics' own, under a different name
    return registry.resolve("metrics", name, Metric, own_name=lambda _: name)  # type: ignore[type-abstract]


def make_metric(name: str, sample_rate: int) -> Metric:
    """The metric registered as `name`.

    Args:
        name: Of a registered metric.
        sample_rate: Of the signals, Hz.

    Raises:
        RegistrationError: A name that is not registered.
        MetricError: A rate that the metric is not made for.
    """
    found = resolve(name)
    knows_rate = "sample_rate" in inspect.signature(found).parameters
    return found(sample_rate=sample_rate) if knows_rate else found()


def metric_collection(prefix: str, sample_rate: int, extra: Iterable[str] = ()) -> MetricCollection:
    """The metrics of one split that compare output and target.

    Args:
        prefix: Prefix of their names: "val_" gives `val_esr`.
        sample_rate: Of the signals, Hz.
        extra: Names of registered metrics to compute beside `ALWAYS`; of those that play test signals see
            `probe_collection`.

    Raises:
        RegistrationError: A name that is not registered.
        MetricError: A rate that one of them is not made for.
    """
    made = _made([*ALWAYS, *extra], sample_rate)
    return _collection(
        {name: one for name, one in made.items() if not isinstance(one, ProbingMetric)}, prefix
    )


def probe_collection(prefix: str, sample_rate: int, names: Iterable[str]) -> MetricCollection:
    """Those of the named metrics that play test signals, see `metric_collection`."""
    made = _made(names, sample_rate)
    return _collection({name: one for name, one in made.items() if isinstance(one, ProbingMetric)}, prefix)


def _made(names: Iterable[str], sample_rate: int) -> dict[str, Metric]:
    return {name: make_metric(name, sample_rate) for name in dict.fromkeys(names)}


def _collection(made: dict[str, Metric], prefix: str) -> MetricCollection:
    # compute groups compare states by value and would merge metrics that start out equal
    return MetricCollection(dict(made), prefix=prefix, compute_groups=False)


def registered_metric(figure: str) -> list[str]:
    """The name of the metric that gives `val_NAME`, if it is a registered one."""
    return [entry.name for entry in registry.registrations("metrics") if figure == f"val_{entry.name}"][:1]


__getattr__ = registry.lazy_names(__name__, resolve)
