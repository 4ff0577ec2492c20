"""Rendering with a bundle: needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from tapezoo.blocks import whole_hops
from tapezoo.render.automation import CONTROL_STEP_SAMPLES, ControlPath, stretches
from tapezoo.render.errors import not_finite
from tapezoo.render.flow import gather
from tapezoo.render.soundfiles import Interleaved
from tapezoo.runtime import EngineError, Stream


class BundlePlayer:
    """A `Player`.

    Args:
        stream: Of the bundle, without anything behind the net.
    """

    def __init__(self, stream: Stream) -> None:
        self.sample_rate = stream.manifest.sample_rate
        self.num_controls = len(stream.manifest.controls)
        self.latency_samples = stream.latency_samples
        self._stream = stream

    def play(
        self,
        path: ControlPath,
        start_s: float,
        blocks: Iterable[Interleaved],
        channels: int,
        block_samples: int,
    ) -> Iterator[Interleaved]:
        """See `Player.play`."""
        manifest = self._stream.manifest
        step = whole_hops(CONTROL_STEP_SAMPLES, manifest.hop_samples)
        # the net's own latency: what the stream adds for whole hops lies behind the net
        offset_s = start_s - manifest.latency_samples / self.sample_rate
        position = 0
        self._stream.reset()
        for block in gather(blocks, whole_hops(block_samples, step), channels):
            rows = np.ascontiguousarray(block.T, dtype=np.float32)
            samples = rows.shape[1]
            for piece, positions in stretches([path], position, samples, step, self.sample_rate, offset_s):
                try:
                    wet = self._stream.process(rows[:, piece], positions[0])
                except EngineError as error:
                    raise not_finite("export the model again from another checkpoint") from error
                yield wet.T.astype(np.float64)
            position += samples
