"""The wet signal of a render: resampled to the player's rate and back, latency taken out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from tapezoo.render.automation import ControlPath
from tapezoo.render.flow import drop, resample, silence, window
from tapezoo.render.player import Player
from tapezoo.render.soundfiles import Interleaved, Layout

EDGE_SAMPLES = 2048  # silence around the file where it is resampled: soxr's filters ring past both its ends


def play_effect(
    player: Player,
    path: ControlPath,
    blocks: Iterator[Interleaved],
    layout: Layout,
    input_gain_db: float,
    block_samples: int,
) -> Iterator[Interleaved]:
    """The wet signal, aligned with the file and as long."""
    gain = 10 ** (input_gain_db / 20)
    driven: Iterator[Interleaved] = (block * gain for block in blocks)
    latency, sample_rate = player.latency_samples, player.sample_rate
    if sample_rate == layout.sample_rate:
        driven = chain(driven, silence(latency, layout.channels, block_samples))
        output = player.play(path, 0.0, driven, layout.channels, block_samples)
        return window(output, skip=latency, length=layout.samples)
    # the silence before the file is dropped again at the end; the latency is dropped at the player's own rate
    tail = EDGE_SAMPLES + -(-latency * layout.sample_rate // sample_rate)
    driven = chain(
        silence(EDGE_SAMPLES, layout.channels, block_samples),
        driven,
        silence(tail, layout.channels, block_samples),
    )
    driven = resample(driven, layout.sample_rate, sample_rate, layout.channels)
    start_s = -EDGE_SAMPLES / layout.sample_rate
    output = player.play(path, start_s, driven, layout.channels, block_samples)
    output = resample(drop(output, latency), sample_rate, layout.sample_rate, layout.channels)
    return window(output, skip=EDGE_SAMPLES, length=layout.samples)
