"""Short signals through a net, from rest to the end: what measurements and excerpts need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tapezoo.net import Net, blocks, settle, whole_hops

BLOCK_SAMPLES = 16384


def play(net: Net, input: NDArray[np.floating], controls: Sequence[float]) -> NDArray[np.float64]:
    """Plays rows through the net at one setting of the controls; the net's latency is taken out.

    Args:
        net: The effect, on any device.
        input: Full scale is +-1; held in memory as a whole.
        controls: One position 0..1 per control.

    Shape:
        input: (rows, samples); the result has the same shape.
    """
    rows, samples = input.shape
    hop, latency = net.hop_samples, net.latency_samples
    padding = latency + -(samples + latency) % hop
    device = next(iter((*net.parameters(), *net.buffers())), torch.zeros(0)).device
    signal = torch.from_numpy(np.pad(input, ((0, 0), (0, padding))).astype(np.float32))[:, None].to(device)
    position = torch.tensor([list(controls)], dtype=torch.float32, device=device).expand(rows, -1)
    outputs = []
    with torch.no_grad():
        state, _ = settle(net, position)
        for block in blocks(samples + padding, whole_hops(BLOCK_SAMPLES, hop)):
            output, state = net(signal[..., block], position, state)
            outputs.append(output[:, 0])
    wet: NDArray[np.float64] = torch.cat(outputs, dim=1).double().cpu().numpy()
    return wet[:, latency : latency + samples]
