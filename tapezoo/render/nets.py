"""Rendering with a net, in torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from torch import Tensor

from tapezoo.blocks import whole_hops
from tapezoo.net import Net
from tapezoo.play import settle, stream
from tapezoo.render.automation import CONTROL_STEP_SAMPLES, ControlPath
from tapezoo.render.errors import not_finite
from tapezoo.render.files import RenderOptions, render_file
from tapezoo.render.flow import gather
from tapezoo.render.moving import MovingControls, device_of
from tapezoo.render.report import RenderReport
from tapezoo.render.soundfiles import Interleaved


def render(
    net: Net,
    sample_rate: int,
    controls: Sequence[float] | ControlPath,
    source: Path,
    target: Path,
    **options: Unpack[RenderOptions],
) -> RenderReport:
    """Processes a file with a net, block by block with carried state; see `render_file`.

    Args:
        net: The effect; left in the mode it was in.
        sample_rate: What the net was trained at, Hz.
        controls: See `render_file`, as for all that follow.
        source: A sound file.
        target: What to write.
        **options: By name.

    Raises:
        As `render_file`.
    """
    was_training = net.training
    net.eval()
    try:
        with torch.inference_mode():
            return render_file(NetPlayer(net, sample_rate), controls, source, target, **options)
    finally:
        net.train(was_training)


class NetPlayer:
    """A `Player`; it plays in the modes that its caller has set, of torch and of the net.

    Args:
        net: The effect.
        sample_rate: What the net was trained at, Hz.
    """

    def __init__(self, net: Net, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.num_controls = net.num_controls
        self.latency_samples = net.latency_samples
        self._net = net

    def play(
        self,
        path: ControlPath,
        start_s: float,
        blocks: Iterable[Interleaved],
        channels: int,
        block_samples: int,
    ) -> Iterator[Interleaved]:
        """See `Player.play`."""
        net = self._net
        device = device_of(net)
        step = whole_hops(CONTROL_STEP_SAMPLES, net.hop_samples)
        offset_s = start_s - net.latency_samples / self.sample_rate
        knobs = MovingControls([path], step, self.sample_rate, offset_s, device)
        rest, _ = settle(net, knobs.first())  # one row: the channels start alike
        state = {name: value.expand(channels, *value.shape[1:]).clone() for name, value in rest.items()}

        def tensor(block: Interleaved) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(block.T, dtype=np.float32)[:, None, :]).to(device)

        signal = map(tensor, gather(blocks, whole_hops(block_samples, step), channels))
        for output in stream(net, signal, knobs, state):
            wet = output[:, 0].T.cpu().numpy().astype(np.float64)
            if not np.isfinite(wet).all():
                raise not_finite("train the model again: its weights are unstable")
            yield wet
