"""Knobs on their way from one setting to another, computed apart from the library."""

import numpy as np
import torch

from tapezoo.net import KNOBS, SMOOTHING_SAMPLES, Net


def glide(start: torch.Tensor, target: torch.Tensor, samples: int) -> torch.Tensor:
    """(batch, K, samples): a straight line to `target`, reached with sample SMOOTHING_SAMPLES."""
    progress = np.minimum(np.arange(1, samples + 1) / SMOOTHING_SAMPLES, 1.0)
    path = start.double()[..., None] + (target - start).double()[..., None] * torch.from_numpy(progress)
    return path.float()


@torch.no_grad()
def played(net: Net, input: torch.Tensor, start: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The net's output, in blocks of 60, with its knobs at `start` as it is told to go to `target`."""
    state, parts = net.initial_state(start), []
    for part in input.split(60, dim=-1):
        output, state = net(part, target, state)
        parts.append(output)
    return torch.cat(parts, dim=-1)


@torch.no_grad()
def played_by_hand(net: Net, input: torch.Tensor, path: torch.Tensor) -> torch.Tensor:
    """The net's output sample by sample, with its knobs held still at each sample's point of `path`."""
    state, parts = net.initial_state(path[..., 0]), []
    for sample, setting in zip(input.split(1, dim=-1), path.unbind(-1), strict=True):
        output, state = net(sample, setting, {**state, **standing(net, setting)})
        parts.append(output)
    return torch.cat(parts, dim=-1)


def standing(net: Net, setting: torch.Tensor) -> dict[str, torch.Tensor]:
    """The state's part for knobs that stand still at `setting`."""
    return {KNOBS: setting[..., None].repeat(1, 1, net.smoothing_samples)}
