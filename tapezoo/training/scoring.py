"""Which samples of a row are scored, and their energies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from tapezoo.blocks import blocks
from tapezoo.data.batch import Batch
from tapezoo.metrics.sampled import MetricError, SampledMetric, refused_for_length

# 95 s of one row at 44.1 kHz; longer rows are scored in pieces, which bounds memory
SCORED_SAMPLES = 1 << 22


def scored_rows(
    output: Tensor, batch: Batch, start_samples: int, latency_samples: int
) -> list[tuple[Tensor, Tensor]]:
    """Output and target of each row, (1, samples), without the start and the padding, with the latency removed.

    Args:
        output: (batch, 1, samples), of whole regions.
        batch: The batch with the targets.
        start_samples: Number of samples at the start of a region that are not scored.
        latency_samples: Latency of the output.
    """
    rows = []
    for row, valid_samples in enumerate(batch.valid_samples.tolist()):
        row_output = output[row, :, start_samples + latency_samples : valid_samples]
        row_target = batch.target[row, :, start_samples : valid_samples - latency_samples]
        rows.append((row_output, row_target))
    return rows


def in_pieces(output: Tensor, target: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Output and target, (1, samples), in pieces short enough to be scored at once."""
    for piece in blocks(target.shape[-1], SCORED_SAMPLES):
        yield output[..., piece], target[..., piece]


def error_and_energy(output: Tensor, target: Tensor) -> Tensor:
    """(2,): energy of the error and of the target, whose ratio over a whole split is its ESR."""
    return torch.stack([(output - target).double().square().sum(), target.double().square().sum()])


def unmeasured_metrics(
    metrics: Iterable[Metric], data: Any, split: Literal["val", "test"], cut_samples: int
) -> list[MetricError]:
    """What is to be said of metrics for which the rows of a split are too short.

    Args:
        metrics: Of the split.
        data: The DataModule; of others than tapezoo's nothing is known.
        split: Which is scored.
        cut_samples: Of each row, which are not scored.
    """
    from tapezoo.data.module import PairsDataModule  # its scipy import takes as long as torch's

    sampled = [metric for metric in metrics if isinstance(metric, SampledMetric)]
    if not sampled or not isinstance(data, PairsDataModule):
        return []
    lengths = [len(row.target) for row in data.split_arrays(split)]
    rows_s = [max(0, length - cut_samples) / data.sample_rate for length in lengths]
    return refused_for_length(sampled, rows_s, f"the {split} split, after the burn-in")
