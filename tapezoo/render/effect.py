"""The wet signal of a render: resampled to the net's rate and back, latency taken out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from tapezoo.blocks import whole_hops
from tapezoo.data.errors import SoundFileError
from tapezoo.net import Net
from tapezoo.play import settle, stream
from tapezoo.render.automation import CONTROL_STEP_SAMPLES, ControlPath
from tapezoo.render.flow import drop, gather, resample, silence, window
from tapezoo.render.moving import MovingControls, device_of
from tapezoo.render.soundfiles import Interleaved, Layout

EDGE_SAMPLES = 2048  # silence around the file where it is resampled: soxr's filters ring past both its ends


def play_effect(
    net: Net,
    sample_rate: int,
    path: ControlPath,
    blocks: Iterator[Interleaved],
    layout: Layout,
    input_gain_db: float,
    block_samples: int,
) -> Iterator[Interleaved]:
    """The wet signal, aligned with the file and as long."""
    gain = 10 ** (input_gain_db / 20)
    driven: Iterator[Interleaved] = (block * gain for block in blocks)
    latency = net.latency_samples
    if sample_rate == layout.sample_rate:
        driven = chain(driven, silence(latency, layout.channels, block_samples))
        output = _play_net(
            net, sample_rate, path, -latency / sample_rate, driven, layout.channels, block_samples
        )
        return window(output, skip=latency, length=layout.samples)
    # the silence before the file is dropped again at the end; the latency is dropped at the net's own rate
    tail = EDGE_SAMPLES + -(-latency * layout.sample_rate // sample_rate)
    driven = chain(
        silence(EDGE_SAMPLES, layout.channels, block_samples),
        driven,
        silence(tail, layout.channels, block_samples),
    )
    driven = resample(driven, layout.sample_rate, sample_rate, layout.channels)
    offset_s = -EDGE_SAMPLES / layout.sample_rate - latency / sample_rate
    output = _play_net(net, sample_rate, path, offset_s, driven, layout.channels, block_samples)
    output = resample(drop(output, latency), sample_rate, layout.sample_rate, layout.channels)
    return window(output, skip=EDGE_SAMPLES, length=layout.samples)


def _play_net(
    net: Net,
    sample_rate: int,
    path: ControlPath,
    offset_s: float,
    blocks: Iterable[Interleaved],
    channels: int,
    block_samples: int,
) -> Iterator[Interleaved]:
    """`offset_s` is where in the file the net's first output sample lies."""
    device = device_of(net)
    step = whole_hops(CONTROL_STEP_SAMPLES, net.hop_samples)
    knobs = MovingControls([path], step, sample_rate, offset_s, device)
    rest, _ = settle(net, knobs.first())  # one row: the channels start alike
    state = {name: value.expand(channels, *value.shape[1:]).clone() for name, value in rest.items()}

    def tensor(block: Interleaved) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(block.T, dtype=np.float32)[:, None, :]).to(device)

    signal = map(tensor, gather(blocks, whole_hops(block_samples, step), channels))
    for output in stream(net, signal, knobs, state):
        wet = output[:, 0].T.cpu().numpy().astype(np.float64)
        if not np.isfinite(wet).all():
            raise SoundFileError(
                "the model's output",
                found="NaN or infinity",
                expected="finite samples",
                fix="Lower --input-gain-db, or train the model again: its weights are unstable.",
            )
        yield wet
