"""How near a machine that is played on a recording's dry comes to its wet, by every metric; needs torch."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
from torchmetrics import Metric

from tapezoo import registry
from tapezoo.measure.machine.figures import NOTHING, Figure, silent_where
from tapezoo.measure.machine.machine import Real
from tapezoo.measure.metric_units import UNITS
from tapezoo.measure.pair_scores import FINE, Played, Recording, loudness_change
from tapezoo.metrics import make_metric, resolve
from tapezoo.metrics.probing import ProbingMetric
from tapezoo.metrics.sampled import MetricError, SampledMetric, refused_for_length
from tapezoo.metrics.spectral_distance import SpectralDistance

RATIOS = ("", "of full scale")  # metrics without a scale of their own: small numbers
COARSE = 2  # decimals of dB, LU and scores
SKIPPED_S = 0.1  # in which a machine that begins at rest catches up with a recording that does not
OWN = ("loudness_db", "moved_samples")  # keys of figures beside the metrics


def scores(
    recording: Recording, played: Played, also: Sequence[str] = (), taken: Collection[str] = ()
) -> tuple[list[Figure], list[str]]:
    """Every registered metric but those on test signals, and the difference in loudness.

    Args:
        recording: Its wet is the target.
        played: Of `play_dry`.
        also: Of the metrics that need an extra, which are slow, those to compute.
        taken: Keys of the recording's own figures: a metric of such a name is `metric_NAME`.

    Returns:
        figures: NaN where a metric cannot judge this recording.
        remarks: Why not, a sentence each.

    Raises:
        RegistrationError: A metric in `also` that cannot be used; others that cannot are a remark.
    """
    begin = min(round(SKIPPED_S * recording.sample_rate), len(recording.target) // 4)
    output = played.output[begin:]
    target = recording.target[begin:].astype(np.float64)
    silent = silent_where(not output.any() or not target.any())
    figures, remarks = [], []
    names = dict.fromkeys(
        entry.name for entry in registry.registrations("metrics") if not entry.extra or entry.name in also
    )
    for name in names:
        value, reason = NOTHING, ""
        try:
            if issubclass(resolve(name), ProbingMetric):
                if name in also:
                    remarks.append(
                        f"the metric {name} plays test signals, which a recording cannot: two machines, measured with "
                        "--against, have such figures"
                    )
                continue
            metric = make_metric(name, recording.sample_rate)
        except MetricError as error:
            reason = f"needs {error.expected.partition(',')[0]}"
            remarks.append(str(error))
        except registry.RegistrationError as error:
            if name in also:
                raise
            reason = "cannot be used"
            remarks.append(str(error))
        except Exception as error:  # of a stranger's constructor, which can raise anything
            reason = "failed"
            remarks.append(f"the metric {name} failed: {type(error).__name__}: {error}")
        else:
            remarks += map(
                str, refused_for_length([metric], [len(target) / recording.sample_rate], recording.name)
            )
            value, failure = _value(metric, output, target)
            reason = _too_short(metric, len(target), recording.sample_rate) or silent
            if failure:
                reason = "failed"
                remarks.append(f"the metric {name} failed: {failure}")
        unit = UNITS.get(name, "")
        decimals = FINE if unit in RATIOS else COARSE
        is_taken = name in taken or name in OWN
        key, text = (f"metric_{name}", f"the metric {name}") if is_taken else (name, name)
        figures.append(Figure(key, text, value, unit, decimals, reason if value != value else ""))
    figures.append(
        loudness_change("loudness_db", "louder than wet by", output, target, recording.sample_rate)
    )
    if played.moved_samples:
        figures.append(Figure("moved_samples", "was moved by", played.moved_samples, "samples"))
    return figures, remarks


def _value(metric: Metric, output: Real, target: Real) -> tuple[float, str]:
    """What a metric says, NaN where it fails, and how it failed; a stranger's can raise anything."""
    rows = [torch.from_numpy(one.astype(np.float32))[None] for one in (output, target)]
    try:
        with torch.no_grad():
            metric.update(*rows)
            return float(metric.compute()), ""
    except Exception as error:
        return NOTHING, f"{type(error).__name__}: {error}"


def _too_short(metric: Metric, samples: int, sample_rate: int) -> str:
    """How much more a metric needs, if it is more than there is."""
    least_s = 0.0
    if isinstance(metric, SampledMetric):
        least_s = metric.least_s
    elif isinstance(metric, SpectralDistance):
        least_s = metric.distance.min_samples / sample_rate
    return f"needs {least_s:.2g} s" if samples / sample_rate < least_s else ""
